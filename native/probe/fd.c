/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors: learned from the kernel, copied, closed. Layer 4. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "base/mem.h"
#include "probe/probe.h"

static int socket_option(int fd, int option)
{
	int value = 0;
	uint32_t len = sizeof(value);

	if (sc_sys6(__NR_getsockopt, fd, SOL_SOCKET, option, (long)&value, (long)&len, 0) < 0)
		return -1;
	return value;
}

static uint8_t socket_kind(int fd, uint16_t *flags)
{
	int domain = socket_option(fd, SO_DOMAIN), type = socket_option(fd, SO_TYPE);

	if (domain == AF_INET6)
		*flags |= SC_FF_INET6;
	if (type == SOCK_STREAM && socket_option(fd, SO_ACCEPTCONN) == 1)
		*flags |= SC_FF_LISTEN;
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

static uint8_t device_kind(uint64_t rdev)
{
	uint32_t major = (uint32_t)(rdev >> 8 & 0xfff);

	return major == 4 || major == 5 || (major >= 136 && major <= 143) ? SC_KIND_TTY
									  : SC_KIND_DEVICE;
}

static uint8_t kind_of(int fd, const struct stat *st, uint16_t *flags)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return SC_KIND_FILE;
	case S_IFDIR:
		return SC_KIND_DIR;
	case S_IFIFO:
		return SC_KIND_PIPE;
	case S_IFCHR:
		return device_kind(st->st_rdev);
	case S_IFBLK:
		return SC_KIND_DEVICE;
	case S_IFSOCK:
		return socket_kind(fd, flags);
	default:
		return SC_KIND_ANON;
	}
}

/* The name of an open file, from /proc; the length, 0: none. */
static size_t name_of(int fd, char *name, size_t size)
{
	char link[40];
	size_t n = sc_strcpy(link, sizeof(link), "/proc/self/fd/");
	long len;

	sc_put_dec(link + n, (uint64_t)fd);
	len = sc_sys_readlink(link, name, size - 1);
	if (len <= 0 || name[0] != '/')
		return 0;
	name[len] = 0;
	return (size_t)len;
}

/* A file that was open before: what it is called decides about its text. */
static void learn_name(struct sc_hook *h, int fd, struct sc_fd *f)
{
	char name[256];

	if (name_of(fd, name, sizeof(name)))
		sc_file_opened(h, fd, f, name, 0, AT_FDCWD, !h->fresh);
}

struct sc_fd *sc_fd_learn(struct sc_hook *h, int fd, struct sc_fd *f)
{
	struct stat st;
	uint16_t flags = h->fresh ? 0 : SC_FF_FOUND;
	uint8_t kind;

	if (sc_chan.quiet || sc_sys_fstat(fd, &st) < 0)
		return NULL;
	kind = kind_of(fd, &st, &flags);
	/* Under systemd and under Node a program's standard descriptors are socket pairs, used as pipes are. */
	if (!h->fresh && fd <= 2 && (kind == SC_KIND_UNIX_STREAM || kind == SC_KIND_UNIX_DGRAM))
		kind = SC_KIND_PIPE;
	sc_fd_begin(&h->x, f, kind, h->fresh ? sc_now(h) : 0);
	if (!h->fresh && (fd == 1 || fd == 2) && !sc_is_socket(kind)) {
		flags |= SC_FF_CONSOLE;
		f->reserved = fd == 2 ? SC_FB_STDERR : 0;
	}
	sc_fd_set(f, flags);
	if (kind == SC_KIND_FILE && (fd > 2 || h->fresh))
		learn_name(h, fd, f);
	return f;
}

struct sc_fd *sc_fd_new(struct sc_hook *h, int fd, uint8_t kind)
{
	struct sc_fd *f = sc_fd_get(&h->x, fd);

	if (f)
		sc_fd_begin(&h->x, f, kind, sc_now(h));
	return f;
}

/* ---- close ---- */

static void fill_close(struct sc_close *c, const struct sc_fd *f, uint64_t now)
{
	c->rx_bytes = atomic_load_explicit(&f->rx_bytes, memory_order_relaxed);
	c->tx_bytes = atomic_load_explicit(&f->tx_bytes, memory_order_relaxed);
	c->rx_ops = atomic_load_explicit(&f->rx_ops, memory_order_relaxed);
	c->tx_ops = atomic_load_explicit(&f->tx_ops, memory_order_relaxed);
	c->ticks = atomic_load_explicit(&f->ticks, memory_order_relaxed);
	c->life_ticks = f->open_tsc && f->open_tsc < now ? now - f->open_tsc : 0;
}

static void file_closing(struct sc_hook *h, int fd, struct sc_fd *f)
{
	char name[256];
	struct sc_record *r;
	uint32_t size = sizeof(struct sc_close);
	size_t len = 0;

	if (!(h->x.want & SC_WANT_OPEN) || sc_fd_flags(f) & SC_FF_CONSOLE)
		return;
	if (f->kind == SC_KIND_PIPE || f->kind == SC_KIND_ANON)
		return;
	/* Its open was not recorded. Limited, or full and nobody reads: nor will this be. */
	if (!(sc_fd_flags(f) & SC_FF_NAMED) && !sc_chan.quiet && !sc_record_left_out(&h->x) &&
	    !(atomic_load_explicit(&sc_chan.full, memory_order_relaxed) && !sc_hub_alive()))
		len = name_of(fd, name, sizeof(name));
	r = sc_record_begin(&h->x, SC_REC_CLOSE, fd, size + (uint32_t)len);
	if (!r)
		return;
	r->object = atomic_load_explicit(&f->object, memory_order_relaxed);
	r->nr = (uint16_t)h->call->nr;
	fill_close(sc_record_payload(r), f, r->tsc);
	memcpy((char *)sc_record_payload(r) + size, name, len);
	sc_record_commit(&h->x, r, size + (uint32_t)len);
}

/* One of several descriptors of an object goes: what it moved is the others'. */
static int hand_over(struct sc_hook *h, int fd, struct sc_fd *f)
{
	struct sc_fd *twin = sc_fd_twin(&h->x, f, fd);

	if (!twin)
		return 0;
	atomic_fetch_add_explicit(&twin->rx_bytes, f->rx_bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&twin->tx_bytes, f->tx_bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&twin->rx_ops, f->rx_ops, memory_order_relaxed);
	atomic_fetch_add_explicit(&twin->tx_ops, f->tx_ops, memory_order_relaxed);
	atomic_fetch_add_explicit(&twin->ticks, f->ticks, memory_order_relaxed);
	sc_fd_set(twin, sc_fd_flags(f));
	return 1;
}

void sc_fd_closing(struct sc_hook *h, int fd)
{
	struct sc_fd *f = sc_fd_known(h, fd);

	if (!f)
		return;
	if (!sc_is_socket(f->kind) && f->kind != SC_KIND_PIPE && f->kind != SC_KIND_ANON &&
	    !(sc_fd_flags(f) & SC_FF_CONSOLE))
		sc_count(&h->x, SC_C_FS_CLOSE, 1);
	if (!(f->reserved & SC_FB_SHARED) || !hand_over(h, fd, f)) {
		if (sc_is_socket(f->kind))
			sc_conn_closing(h, fd, f);
		else
			file_closing(h, fd, f);
	}
	atomic_store_explicit(&f->object, 0, memory_order_release);
}

/* As with close: the entries go before the numbers are free for another thread to get. */
void sc_probe_close_range_pre(struct sc_hook *h)
{
	const struct sc_call *c = h->call;
	uint32_t first = (uint32_t)c->arg[0], last = (uint32_t)c->arg[1];
	uint32_t high = atomic_load_explicit(&h->x.head->fd_high, memory_order_relaxed);

	if (first > last || (uint32_t)c->arg[2] & ~2u)
		return;
	for (uint32_t fd = first; fd <= last && fd < high; fd++)
		if (sc_fd_find(&h->x, (int)fd))
			sc_fd_closing(h, (int)fd);
}

void sc_probe_close(struct sc_hook *h)
{
	int fd = (int)h->call->arg[0];

	if (h->call->ret < 0 && sc_error_counts(h->call->ret))
		sc_failed_call(h, SC_C_FS_ERR_OPEN_CLOSE, fd, NULL);
	else
		sc_record_call(h, SC_WANT_CALL_OPEN, fd, NULL, 0);
}

/* ---- dup ---- */

static void copy_entry(struct sc_hook *h, int from, int to)
{
	struct sc_fd *f = sc_fd_known(h, from), *t;

	if (!f || from == to)
		return;
	t = sc_fd_get(&h->x, to);
	if (!t)
		return;
	sc_fd_begin(&h->x, t, f->kind, f->open_tsc);
	f->reserved |= SC_FB_SHARED;
	t->reserved = f->reserved;
	t->protocol = f->protocol;
	t->proto_state = f->proto_state;
	atomic_store_explicit(&t->flags, sc_fd_flags(f), memory_order_relaxed);
	atomic_store_explicit(&t->object, atomic_load_explicit(&f->object, memory_order_relaxed),
			      memory_order_release);
}

/* dup2 and dup3 close the number they give. */
void sc_probe_dup_pre(struct sc_hook *h)
{
	int from = (int)h->call->arg[0], to = (int)h->call->arg[1];

	if (from != to && to >= 0 && sc_fd_known(h, from))
		sc_fd_closing(h, to);
}

void sc_probe_dup(struct sc_hook *h)
{
	const struct sc_call *c = h->call;
	int from = (int)c->arg[0];

	if (c->nr == __NR_fcntl && c->arg[1] != F_DUPFD && c->arg[1] != F_DUPFD_CLOEXEC)
		return;
	if (c->ret < 0) {
		sc_failed_call(h, SC_C_FS_ERR_OPEN_CLOSE, from, NULL);
		return;
	}
	if (c->nr == __NR_pidfd_getfd)
		sc_fd_known(h, (int)c->ret);
	else
		copy_entry(h, from, (int)c->ret);
}

/* ---- pipes and the like ---- */

static void new_pair(struct sc_hook *h, const int *fds)
{
	sc_fd_new(h, fds[0], SC_KIND_PIPE);
	sc_fd_new(h, fds[1], SC_KIND_PIPE);
}

void sc_probe_new_fd(struct sc_hook *h)
{
	const struct sc_call *c = h->call;

	if (c->ret < 0)
		return;
	switch (c->nr) {
	case __NR_pipe:
	case __NR_pipe2:
		new_pair(h, (const int *)c->arg[0]);
		break;
	case __NR_signalfd4:
		if ((int)c->arg[0] == -1)
			sc_fd_new(h, (int)c->ret, SC_KIND_ANON);
		break;
	case __NR_memfd_create:
		sc_fd_new(h, (int)c->ret, SC_KIND_FILE);
		break;
	case __NR_io_uring_setup:
		sc_fd_new(h, (int)c->ret, SC_KIND_ANON);
		h->x.head->flags |= SC_HF_IO_URING;
		sc_note(&h->x, SC_NOTE_IO_URING, (uint32_t)c->arg[0], NULL);
		break;
	default:
		sc_fd_new(h, (int)c->ret, SC_KIND_ANON);
	}
}
