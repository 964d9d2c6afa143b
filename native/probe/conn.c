/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: their addresses, when they begin, when they end. Layer 4. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "base/mem.h"
#include "probe/probe.h"

/*
 * What the records of open connections said: at the close the kernel may not know the peer any
 * more. Higher descriptors ask again.
 */
static struct {
	uint64_t object;
	struct sc_conn conn;
} saved[SC_FDS];

/* Room for IPv4 and IPv6; longer names are cut by the kernel. */
union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static void put_address(const union address *a, uint8_t to[16], uint16_t *port)
{
	if (a->any.sa_family == AF_INET) {
		memcpy(to, &a->in.sin_addr, 4);
		*port = __builtin_bswap16(a->in.sin_port);
	} else if (a->any.sa_family == AF_INET6) {
		memcpy(to, &a->in6.sin6_addr, 16);
		*port = __builtin_bswap16(a->in6.sin6_port);
	}
}

static void ask(int nr, int fd, uint8_t to[16], uint16_t *port)
{
	union address a = {.any.sa_family = AF_UNSPEC};
	uint32_t len = sizeof(a);

	if (!sc_chan.quiet && sc_sys3(nr, fd, (long)&a, (long)&len) == 0 && len > 2)
		put_address(&a, to, port);
}

static void fill_unix(int fd, struct sc_conn *conn)
{
	struct stat st;

	if (!sc_chan.quiet && sc_sys_fstat(fd, &st) == 0)
		memcpy(conn->local, &st.st_ino, sizeof(uint64_t));
}

static void fill_inet(int fd, struct sc_conn *conn, const void *remote, uint32_t remote_len)
{
	union address a;

	ask(__NR_getsockname, fd, conn->local, &conn->local_port);
	if (remote && remote_len >= sizeof(a.in)) {
		memcpy(&a, remote, remote_len < sizeof(a) ? remote_len : sizeof(a));
		if (a.any.sa_family == AF_INET || remote_len >= sizeof(a.in6))
			put_address(&a, conn->remote, &conn->remote_port);
	} else {
		ask(__NR_getpeername, fd, conn->remote, &conn->remote_port);
	}
}

void sc_conn_fill(const struct sc_fd *f, int fd, struct sc_conn *conn, const void *remote,
		  uint32_t remote_len)
{
	memset(conn, 0, sizeof(*conn));
	conn->flags = sc_fd_flags(f);
	switch (f->kind) {
	case SC_KIND_TCP:
		conn->type = SOCK_STREAM;
		conn->protocol = IPPROTO_TCP;
		break;
	case SC_KIND_UDP:
		conn->type = SOCK_DGRAM;
		conn->protocol = IPPROTO_UDP;
		break;
	case SC_KIND_UNIX_STREAM:
		conn->type = SOCK_STREAM;
		break;
	case SC_KIND_UNIX_DGRAM:
		conn->type = SOCK_DGRAM;
		break;
	default:
		conn->type = (uint16_t)(f->reserved >> 48);
		conn->family = (uint16_t)(f->reserved >> 32);
	}
	if (f->kind == SC_KIND_TCP || f->kind == SC_KIND_UDP) {
		conn->family = sc_fd_flags(f) & SC_FF_INET6 ? AF_INET6 : AF_INET;
		fill_inet(fd, conn, remote, remote_len);
	} else if (f->kind != SC_KIND_SOCKET_OTHER) {
		conn->family = AF_UNIX;
		fill_unix(fd, conn);
	} else if (conn->family == AF_INET || conn->family == AF_INET6) {
		fill_inet(fd, conn, remote, remote_len);
	}
}

static enum sc_counter gauge_of(uint8_t kind)
{
	switch (kind) {
	case SC_KIND_TCP:
	case SC_KIND_UNIX_STREAM:
		return SC_C_NET_TCP;
	case SC_KIND_UDP:
	case SC_KIND_UNIX_DGRAM:
		return SC_C_NET_UDP;
	default:
		return SC_C_NET_OTHER;
	}
}

void sc_conn_gauge(struct sc_hook *h, struct sc_fd *f)
{
	if (f->reserved & SC_FB_GAUGE)
		return;
	f->reserved |= SC_FB_GAUGE;
	sc_count(&h->x, gauge_of(f->kind), 1);
}

/* Somebody wants the addresses: the connection's records, or a protocol that goes by port. */
static int addresses_wanted(const struct sc_hook *h)
{
	return (h->x.want & (SC_WANT_NET | SC_WANT_STREAM)) != 0;
}

void sc_conn_opened(struct sc_hook *h, int fd, struct sc_fd *f, const void *remote,
		    uint32_t remote_len)
{
	struct sc_record *r;
	struct sc_conn conn;

	if (sc_fd_flags(f) & SC_FF_ANNOUNCED)
		return;
	sc_fd_clear(f, SC_FF_CONNECTING);
	sc_fd_set(f, SC_FF_ANNOUNCED);
	f->open_tsc = sc_now(h);
	sc_count(&h->x, SC_C_NET_OPEN, 1);
	if (!addresses_wanted(h))
		return;
	sc_conn_fill(f, fd, &conn, remote, remote_len);
	if (fd < (int)SC_FDS) {
		saved[fd].conn = conn;
		saved[fd].object = atomic_load_explicit(&f->object, memory_order_relaxed);
	}
	if (conn.local_port || conn.remote_port)
		sc_stream_ports(f, h->x.want, conn.local_port, conn.remote_port);
	if (!(h->x.want & SC_WANT_NET))
		return;
	r = sc_record_begin(&h->x, SC_REC_CONN_OPEN, fd, sizeof(conn));
	if (!r)
		return;
	sc_record_from(r, h, f);
	r->flags = (uint16_t)((conn.flags & SC_FF_SERVER ? SC_RF_SERVER : 0) |
			      (conn.flags & SC_FF_CLIENT ? SC_RF_CLIENT : 0) |
			      (conn.flags & SC_FF_FOUND ? SC_RF_LATE : 0));
	memcpy(sc_record_payload(r), &conn, sizeof(conn));
	sc_record_commit(&h->x, r, sizeof(conn));
}

static void fill_close(struct sc_close *c, const struct sc_fd *f, uint64_t life)
{
	c->rx_bytes = atomic_load_explicit(&f->rx_bytes, memory_order_relaxed);
	c->tx_bytes = atomic_load_explicit(&f->tx_bytes, memory_order_relaxed);
	c->rx_ops = atomic_load_explicit(&f->rx_ops, memory_order_relaxed);
	c->tx_ops = atomic_load_explicit(&f->tx_ops, memory_order_relaxed);
	c->ticks = atomic_load_explicit(&f->ticks, memory_order_relaxed);
	c->life_ticks = life;
}

static void recall(const struct sc_fd *f, int fd, struct sc_conn *conn)
{
	if (fd < (int)SC_FDS &&
	    saved[fd].object == atomic_load_explicit(&f->object, memory_order_relaxed)) {
		*conn = saved[fd].conn;
		conn->flags = sc_fd_flags(f);
	} else {
		sc_conn_fill(f, fd, conn, NULL, 0);
	}
}

/* What was found on the connection; plaintext of TLS that is nothing we know is TLS. */
static uint16_t app_of(const struct sc_fd *f)
{
	if (f->protocol <= SC_PROTO_NONE && sc_fd_flags(f) & SC_FF_TLS)
		return SC_PROTO_TLS;
	return f->protocol;
}

static void record_close(struct sc_hook *h, int fd, struct sc_fd *f, uint64_t life)
{
	struct sc_record *r;
	struct sc_conn conn;

	recall(f, fd, &conn);
	conn.app = app_of(f);
	r = sc_record_begin(&h->x, SC_REC_CONN_CLOSE, fd, sizeof(conn) + sizeof(struct sc_close));
	if (!r)
		return;
	r->object = atomic_load_explicit(&f->object, memory_order_relaxed);
	r->nr = (uint16_t)h->call->nr;
	r->flags = (uint16_t)((conn.flags & SC_FF_SERVER ? SC_RF_SERVER : 0) |
			      (conn.flags & SC_FF_CLIENT ? SC_RF_CLIENT : 0));
	memcpy(sc_record_payload(r), &conn, sizeof(conn));
	fill_close((struct sc_close *)((char *)sc_record_payload(r) + sizeof(conn)), f, life);
	sc_record_commit(&h->x, r, sizeof(conn) + sizeof(struct sc_close));
}

void sc_conn_closing(struct sc_hook *h, int fd, struct sc_fd *f)
{
	uint64_t now = sc_now(h), life;

	if (f->reserved & SC_FB_PORT)
		sc_count(&h->x, SC_C_NET_PORT, (uint64_t)-1);
	if (f->reserved & SC_FB_GAUGE)
		sc_count(&h->x, gauge_of(f->kind), (uint64_t)-1);
	f->reserved &= ~(uint64_t)(SC_FB_PORT | SC_FB_GAUGE);
	if (f->proto_state)
		sc_stream_close(&h->x, f, fd);
	if (!(sc_fd_flags(f) & SC_FF_ANNOUNCED))
		return;
	life = f->open_tsc && f->open_tsc < now ? now - f->open_tsc : 0;
	sc_count(&h->x, SC_C_NET_CLOSE, 1);
	sc_count(&h->x, SC_C_NET_TICKS, life);
	if (h->x.want & SC_WANT_NET)
		record_close(h, fd, f, life);
}
