/* SPDX-License-Identifier: Apache-2.0 */
/* The life of sockets: made, bound, connected, accepted. Layer 4. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "probe/entries.h"
#include "probe/probe.h"

static uint8_t kind_of(int domain, int type)
{
	type &= 0xf;
	if (domain == AF_INET || domain == AF_INET6)
		return type == SOCK_STREAM  ? SC_KIND_TCP
		       : type == SOCK_DGRAM ? SC_KIND_UDP
					    : SC_KIND_SOCKET_OTHER;
	if (domain == AF_UNIX)
		return type == SOCK_STREAM  ? SC_KIND_UNIX_STREAM
		       : type == SOCK_DGRAM ? SC_KIND_UNIX_DGRAM
					    : SC_KIND_SOCKET_OTHER;
	return SC_KIND_SOCKET_OTHER;
}

/* Open sockets of the internet families are what NET_PORT counts. */
static void count_port(struct sc_hook *h, struct sc_fd *f)
{
	if (f->reserved & SC_FB_PORT)
		return;
	f->reserved |= SC_FB_PORT;
	sc_count(&h->x, SC_C_NET_PORT, 1);
}

static struct sc_fd *new_socket(struct sc_hook *h, int fd, int domain, int type)
{
	struct sc_fd *f = sc_fd_new(h, fd, kind_of(domain, type));

	if (!f)
		return NULL;
	f->reserved = (uint64_t)(type & 0xf) << 48 | (uint64_t)(uint16_t)domain << 32;
	if (domain == AF_INET6)
		sc_fd_set(f, SC_FF_INET6);
	if (domain == AF_INET || domain == AF_INET6)
		count_port(h, f);
	return f;
}

static void connection_failed(struct sc_hook *h, int fd, const struct sc_fd *f)
{
	sc_failed_call(h, SC_C_NET_ERR_CONNECTION, fd, f);
}

/* A connect is through: at once, or found out later. */
static void connected(struct sc_hook *h, int fd, struct sc_fd *f, const void *remote, uint32_t len)
{
	sc_fd_set(f, SC_FF_CLIENT);
	sc_fd_clear(f, SC_FF_CONNECTING);
	sc_conn_gauge(h, f);
	sc_conn_opened(h, fd, f, remote, len);
}

static void probe_connect(struct sc_hook *h)
{
	const struct sc_call *c = h->call;
	const struct sockaddr *to = (const struct sockaddr *)c->arg[1];
	int fd = (int)c->arg[0];
	struct sc_fd *f = c->ret == -EBADF ? NULL : sc_fd_known(h, fd);

	if (!f || !sc_is_socket(f->kind)) {
		if (c->ret < 0)
			connection_failed(h, fd, f);
		return;
	}
	switch (-c->ret) {
	case 0:
		/* AF_UNSPEC takes a datagram socket's peer away. */
		if (to && to->sa_family != AF_UNSPEC)
			connected(h, fd, f, to, (uint32_t)c->arg[2]);
		break;
	case EISCONN:
		if (sc_fd_flags(f) & SC_FF_CONNECTING)
			connected(h, fd, f, NULL, 0);
		else
			connection_failed(h, fd, f);
		break;
	case EINPROGRESS:
	case EALREADY:
	case EINTR:
	case EAGAIN:
		sc_fd_set(f, SC_FF_CONNECTING | SC_FF_CLIENT);
		break;
	default:
		sc_fd_clear(f, SC_FF_CONNECTING);
		connection_failed(h, fd, f);
	}
}

/* How a program learns what became of a connect that did not wait. */
static void probe_getsockopt(struct sc_hook *h)
{
	struct sc_call *c = h->call;
	int fd = (int)c->arg[0], error;
	struct sockaddr_in6 peer;
	uint32_t len = sizeof(peer);
	struct sc_fd *f = sc_fd_find(&h->x, fd);

	if (c->ret < 0 || (int)c->arg[1] != SOL_SOCKET || (int)c->arg[2] != SO_ERROR || !f ||
	    !(sc_fd_flags(f) & SC_FF_CONNECTING))
		return;
	error = *(const int *)c->arg[3];
	if (error) {
		sc_fd_clear(f, SC_FF_CONNECTING);
		c->ret = -error;
		connection_failed(h, fd, f);
		c->ret = 0;
	} else if (!sc_chan.quiet &&
		   sc_sys3(__NR_getpeername, fd, (long)&peer, (long)&len) == 0) {
		connected(h, fd, f, NULL, 0);
	}
}

static void probe_accept(struct sc_hook *h)
{
	const struct sc_call *c = h->call;
	int listener = (int)c->arg[0], fd = (int)c->ret;
	const struct sockaddr *from = (const struct sockaddr *)c->arg[1];
	struct sc_fd *l, *f;

	if (c->ret < 0) {
		if (sc_error_counts(c->ret))
			connection_failed(h, listener, sc_fd_find(&h->x, listener));
		return;
	}
	l = sc_fd_known(h, listener);
	f = sc_fd_new(h, fd, l ? l->kind : SC_KIND_TCP);
	if (!f)
		return;
	sc_fd_set(f, SC_FF_SERVER | (l ? sc_fd_flags(l) & SC_FF_INET6 : 0));
	if (f->kind == SC_KIND_TCP)
		count_port(h, f);
	sc_conn_gauge(h, f);
	sc_conn_opened(h, fd, f, from, from && c->arg[2] ? *(const uint32_t *)c->arg[2] : 0);
}

static void probe_bind(struct sc_hook *h)
{
	const struct sc_call *c = h->call;
	int fd = (int)c->arg[0];
	struct sc_fd *f = c->ret == -EBADF ? NULL : sc_fd_known(h, fd);

	if (c->ret < 0) {
		connection_failed(h, fd, f);
		return;
	}
	/* A datagram socket with a port of its own serves; a stream socket once it listens. */
	if (f && f->kind == SC_KIND_UDP &&
	    ((const struct sockaddr_in *)c->arg[1])->sin_port != 0) {
		sc_fd_set(f, SC_FF_SERVER);
		sc_stream_ports(f, h->x.want,
				__builtin_bswap16(
					((const struct sockaddr_in *)c->arg[1])->sin_port),
				0);
	}
}

static void probe_listen(struct sc_hook *h)
{
	int fd = (int)h->call->arg[0];
	struct sc_fd *f = h->call->ret == -EBADF ? NULL : sc_fd_known(h, fd);

	if (h->call->ret < 0) {
		connection_failed(h, fd, f);
	} else if (f) {
		sc_fd_set(f, SC_FF_LISTEN | SC_FF_SERVER);
		sc_conn_gauge(h, f);
	}
}

static void probe_shutdown(struct sc_hook *h)
{
	const struct sc_call *c = h->call;
	int fd = (int)c->arg[0];
	struct sc_fd *f = sc_fd_find(&h->x, fd);

	if (c->ret < 0)
		connection_failed(h, fd, f);
	else if (f && f->proto_state && (int)c->arg[1] != SHUT_RD)
		sc_stream_end(&h->x, f, fd, 1);
}

static void probe_new(struct sc_hook *h)
{
	const struct sc_call *c = h->call;
	int domain = (int)c->arg[0], type = (int)c->arg[1];
	const int *pair = (const int *)c->arg[3];

	if (c->ret < 0) {
		connection_failed(h, -1, NULL);
	} else if (c->nr == __NR_socket) {
		new_socket(h, (int)c->ret, domain, type);
	} else {
		new_socket(h, pair[0], domain, type);
		new_socket(h, pair[1], domain, type);
	}
}

void sc_probe_socket(struct sc_hook *h)
{
	sc_entries_check();
	switch (h->call->nr) {
	case __NR_socket:
	case __NR_socketpair:
		probe_new(h);
		break;
	case __NR_connect:
		probe_connect(h);
		break;
	case __NR_accept:
	case __NR_accept4:
		probe_accept(h);
		break;
	case __NR_bind:
		probe_bind(h);
		break;
	case __NR_listen:
		probe_listen(h);
		break;
	case __NR_shutdown:
		probe_shutdown(h);
		break;
	case __NR_getsockopt:
		probe_getsockopt(h);
		return;
	}
	if (sc_unlikely(h->x.want & SC_WANT_CALL_STAT) && h->call->ret >= 0)
		sc_record_call(h, SC_WANT_CALL_STAT, (int)h->call->arg[0], NULL, 0);
}
