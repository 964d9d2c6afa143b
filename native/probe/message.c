/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes on sockets: send and receive in all their forms, read and write on a socket. Layer 4. */
#include <errno.h>
#include <sys/socket.h>
#include "probe/probe.h"

/* struct msghdr and mmsghdr as the kernel has them. */
struct message {
	const void *name;
	uint32_t name_len;
	uint32_t pad;
	const struct sc_iovec *iov;
	uint64_t iovcnt;
	const char *control;
	uint64_t control_len;
	uint32_t flags;
	uint32_t pad2;
};

struct message_of_many {
	struct message m;
	uint32_t len;
	uint32_t pad;
};

struct control {
	uint64_t len;
	int32_t level;
	int32_t type;
};

/* First traffic of a connection whose beginning was not seen as a call of its own. */
static void first_traffic(struct sc_hook *h, int fd, struct sc_fd *f, const struct sc_moved *m,
			  uint32_t tx)
{
	if (f->kind == SC_KIND_SOCKET_OTHER)
		return;
	if (sc_is_stream(f->kind))
		sc_conn_gauge(h, f);
	else if (!(sc_fd_flags(f) & (SC_FF_SERVER | SC_FF_CLIENT)))
		sc_fd_set(f, tx ? SC_FF_CLIENT : SC_FF_SERVER); /* who speaks first asks */
	sc_conn_opened(h, fd, f, m->name, m->name_len);
}

static void tell_stream(struct sc_hook *h, int fd, struct sc_fd *f, const struct sc_moved *m,
			uint32_t tx)
{
	struct sc_io io = {
		.x = &h->x,
		.f = f,
		.fd = fd,
		.tx = tx,
		.iov = m->iov,
		.iovcnt = (uint32_t)m->iovcnt,
		.name_len = m->name_len,
		.name = m->name,
		.len = m->len,
		.ticks = sc_saturate(h->ticks),
		.nr = (uint16_t)h->call->nr,
	};

	if (m->iov)
		sc_stream_data(&io);
	else
		sc_stream_skip(&h->x, f, fd, tx, m->len);
}

static void moved(struct sc_hook *h, int fd, struct sc_fd *f, const struct sc_moved *m, uint32_t tx)
{
	if (sc_unlikely(!(sc_fd_flags(f) & SC_FF_ANNOUNCED)) && m->len)
		first_traffic(h, fd, f, m, tx);
	if (m->len && sc_stream_wants(f, h->x.want))
		tell_stream(h, fd, f, m, tx);
}

void sc_socket_received(struct sc_hook *h, int fd, struct sc_fd *f, const struct sc_moved *m)
{
	sc_count(&h->x, SC_C_NET_RX_OPS, 1);
	sc_count(&h->x, sc_bytes_counter(f->kind, 0), m->len);
	sc_fd_moved(f, 0, m->len, h->ticks, h->alone);
	if (sc_unlikely(m->len == 0) && sc_is_stream(f->kind) &&
	    !(sc_fd_flags(f) & SC_FF_REMOTE_END)) {
		sc_fd_set(f, SC_FF_REMOTE_END);
		if (f->proto_state)
			sc_stream_end(&h->x, f, fd, 0);
	}
	moved(h, fd, f, m, 0);
}

void sc_socket_sent(struct sc_hook *h, int fd, struct sc_fd *f, const struct sc_moved *m)
{
	sc_count(&h->x, SC_C_NET_TX_OPS, 1);
	sc_count(&h->x, sc_bytes_counter(f->kind, 1), m->len);
	sc_fd_moved(f, 1, m->len, h->ticks, h->alone);
	moved(h, fd, f, m, 1);
}

void sc_socket_failed(struct sc_hook *h, int fd, struct sc_fd *f)
{
	if (sc_fd_flags(f) & SC_FF_CONNECTING) {
		if (h->call->ret == -ENOTCONN)
			return;
		/* What the connect came to is told by the first use of the socket. */
		sc_fd_clear(f, SC_FF_CONNECTING);
		sc_failed_call(h, SC_C_NET_ERR_CONNECTION, fd, f);
		return;
	}
	sc_failed_call(h, SC_C_NET_ERR_RX_TX, fd, f);
}

static void failed(struct sc_hook *h, int fd)
{
	struct sc_fd *f;

	if (!sc_error_counts(h->call->ret))
		return;
	f = h->call->ret == -EBADF ? NULL : sc_fd_known(h, fd);
	if (f)
		sc_socket_failed(h, fd, f);
	else
		sc_failed_call(h, SC_C_NET_ERR_RX_TX, fd, NULL);
}

static void take_descriptor(struct sc_hook *h, int fd)
{
	struct sc_fd *f = sc_fd_find(&h->x, fd);

	/* Whatever had the number before is gone. */
	if (f)
		atomic_store_explicit(&f->object, 0, memory_order_relaxed);
	h->fresh = 1;
	f = sc_fd_known(h, fd);
	h->fresh = 0;
	if (f && f->kind == SC_KIND_FILE)
		sc_count(&h->x, SC_C_FS_OPEN, 1);
}

/* Descriptors that came with a message. */
static void take_descriptors(struct sc_hook *h, const struct message *m)
{
	const char *p = m->control, *end = p + m->control_len;

	while (p && p + sizeof(struct control) <= end) {
		const struct control *c = (const struct control *)p;
		const int *fd = (const int *)(c + 1);

		if (c->len < sizeof(*c) || c->len > (uint64_t)(end - p))
			return;
		if (c->level == SOL_SOCKET && c->type == SCM_RIGHTS)
			for (uint64_t i = 0; i < (c->len - sizeof(*c)) / sizeof(int); i++)
				take_descriptor(h, fd[i]);
		p += (c->len + 7) & ~7ul;
	}
}

/* Bytes that are really in the vectors: MSG_TRUNC tells more than that. */
static uint64_t clamp(const struct sc_iovec *iov, uint64_t iovcnt, uint64_t len)
{
	uint64_t room = 0;

	for (uint64_t i = 0; i < iovcnt && room < len; i++)
		room += iov[i].len;
	return len < room ? len : room;
}

static void from_message(struct sc_moved *to, const struct message *m, uint64_t len)
{
	to->iov = m->iov;
	to->iovcnt = m->iovcnt;
	to->name = m->name;
	to->name_len = m->name ? m->name_len : 0;
	to->len = clamp(m->iov, m->iovcnt, len);
}

static void receive_many(struct sc_hook *h, int fd, struct sc_fd *f)
{
	const struct message_of_many *many = (const void *)h->call->arg[1];
	struct sc_moved m;

	for (int64_t i = 0; i < h->call->ret; i++) {
		from_message(&m, &many[i].m, many[i].len);
		sc_socket_received(h, fd, f, &m);
		take_descriptors(h, &many[i].m);
		h->ticks = 0;
	}
}

void sc_probe_recv(struct sc_hook *h)
{
	const struct sc_call *c = h->call;
	int fd = (int)c->arg[0];
	uint32_t flags = (uint32_t)(c->nr == __NR_recvmsg ? c->arg[2] : c->arg[3]);
	const struct message *msg = (const void *)c->arg[1];
	struct sc_iovec one = {(const void *)c->arg[1], c->arg[2]};
	struct sc_moved m = {.iov = &one, .iovcnt = 1};
	struct sc_fd *f;

	if (sc_unlikely(c->ret < 0)) {
		failed(h, fd);
		return;
	}
	f = sc_fd_known(h, fd);
	if (!f || flags & (MSG_PEEK | MSG_ERRQUEUE))
		return;
	switch (c->nr) {
	case __NR_recvmmsg:
		receive_many(h, fd, f);
		break;
	case __NR_recvmsg:
		from_message(&m, msg, (uint64_t)c->ret);
		sc_socket_received(h, fd, f, &m);
		take_descriptors(h, msg);
		break;
	default:
		m.len = clamp(&one, 1, (uint64_t)c->ret);
		if (c->arg[4] && c->arg[5]) {
			m.name = (const void *)c->arg[4];
			m.name_len = *(const uint32_t *)c->arg[5];
		}
		sc_socket_received(h, fd, f, &m);
	}
	sc_record_call(h, SC_WANT_CALL_IO, fd, f, 0);
}

static void send_many(struct sc_hook *h, int fd, struct sc_fd *f)
{
	const struct message_of_many *many = (const void *)h->call->arg[1];
	struct sc_moved m;

	for (int64_t i = 0; i < h->call->ret; i++) {
		from_message(&m, &many[i].m, many[i].len);
		sc_socket_sent(h, fd, f, &m);
		h->ticks = 0;
	}
}

void sc_probe_send(struct sc_hook *h)
{
	const struct sc_call *c = h->call;
	int fd = (int)c->arg[0];
	struct sc_iovec one = {(const void *)c->arg[1], c->arg[2]};
	struct sc_moved m = {.iov = &one, .iovcnt = 1, .len = (uint64_t)c->ret};
	struct sc_fd *f;

	if (sc_unlikely(c->ret < 0)) {
		failed(h, fd);
		return;
	}
	f = sc_fd_known(h, fd);
	if (!f)
		return;
	switch (c->nr) {
	case __NR_sendmmsg:
		send_many(h, fd, f);
		break;
	case __NR_sendmsg:
		from_message(&m, (const void *)c->arg[1], (uint64_t)c->ret);
		sc_socket_sent(h, fd, f, &m);
		break;
	default:
		m.name = (const void *)c->arg[4];
		m.name_len = m.name ? (uint32_t)c->arg[5] : 0;
		sc_socket_sent(h, fd, f, &m);
	}
	sc_record_call(h, SC_WANT_CALL_IO, fd, f, 0);
}
