/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of TLS libraries and their descriptors. A session is known by, in this order: what was
 * found before, what the library says (SSL_get_fd), the ciphertext its thread moved last. The last
 * covers programs that do the I/O themselves (node, curl): read(fd), then SSL_read of the session.
 */
#include "base/mem.h"
#include "probe/probe.h"
#include "probe/stream_internal.h"
#include "probe/tls.h"

#define SESSIONS 4096u /* a power of two */
#define PROBES   8u
#define THREADS  64u

struct session {
	_Atomic(uint64_t) key; /* the library's pointer */
	uint64_t object;       /* of the descriptor when it was found; another one now: it is over */
	int32_t fd;
	uint32_t pad;
};

/* The ciphertext a thread moved last. Threads that collide lose their notes, nothing else. */
struct note {
	uint64_t tp;
	uint64_t object;
	int32_t fd;
	uint32_t pad;
};

static struct session sessions[SESSIONS];
static struct note notes[THREADS];
static uint32_t present;

void sc_tls_present(void)
{
	present = 1;
}

void sc_tls_note(const struct sc_io *io)
{
	struct note *n;

	/* What is sent is encrypted by a session that is known already, or is its first message. */
	if (!present || !io->x)
		return;
	n = &notes[sc_thread_hash(io->x->tp)];
	n->fd = io->fd;
	n->object = io->f->object;
	n->tp = io->x->tp;
}

static struct session *slot_of(const void *key, uint32_t probe)
{
	uint64_t hash = ((uint64_t)key >> 4) * 0x9e3779b97f4a7c15ull >> 40;

	return &sessions[(hash + probe) & (SESSIONS - 1)];
}

static struct session *find(const void *key)
{
	for (uint32_t i = 0; i < PROBES; i++) {
		struct session *s = slot_of(key, i);

		if (atomic_load_explicit(&s->key, memory_order_acquire) == (uint64_t)key)
			return s;
	}
	return NULL;
}

static void put(const void *key, int fd, uint64_t object)
{
	struct session *s = find(key);

	for (uint32_t i = 0; !s && i < PROBES; i++) {
		uint64_t free = 0;
		struct session *at = slot_of(key, i);

		if (atomic_compare_exchange_strong_explicit(&at->key, &free, 1,
							    memory_order_relaxed,
							    memory_order_relaxed))
			s = at;
	}
	if (!s) /* full: the first one's session is most likely long gone */
		s = slot_of(key, 0);
	s->fd = fd;
	s->object = object;
	/* Release: fd and object are there before the key. Pairs with the acquire in find(). */
	atomic_store_explicit(&s->key, (uint64_t)key, memory_order_release);
}

static struct sc_fd *stream_fd(const struct sc_ctx *x, int fd)
{
	struct sc_fd *f = fd < 0 ? NULL : sc_fd_find(x, fd);

	return f && sc_is_stream(f->kind) ? f : NULL;
}

/* The descriptor of a session, or NULL. */
static struct sc_fd *resolve(const struct sc_ctx *x, const void *session,
			     int (*ask)(const void *), int *fd)
{
	struct session *s = find(session);
	struct note *n = &notes[sc_thread_hash(x->tp)];
	struct sc_fd *f;

	if (s) {
		f = stream_fd(x, s->fd);
		if (f && f->object == s->object) {
			*fd = s->fd;
			return f;
		}
	}
	*fd = ask ? ask(session) : -1;
	f = stream_fd(x, *fd);
	if (!f && n->tp == x->tp) {
		*fd = n->fd;
		f = stream_fd(x, n->fd);
		if (f && (f->object != n->object || !sc_stream_claim(f, n->fd, session)))
			f = NULL;
	}
	if (f)
		put(session, *fd, f->object);
	return f;
}

void sc_tls_moved(const void *session, int (*ask)(const void *session), uint32_t tx,
		  const void *bytes, uint64_t moved)
{
	struct sc_ctx x;
	struct sc_fd *f;
	int fd;

	if (!sc_enter(&x) || !(x.want & SC_WANT_STREAM))
		return;
	f = resolve(&x, session, ask, &fd);
	if (!f || moved == 0)
		return;
	if (!(sc_fd_flags(f) & SC_FF_TLS) || sc_stream_wants(f, x.want))
		sc_stream_plain(&x, f, fd, tx, bytes, moved);
}

void sc_tls_bind(const void *session, int fd)
{
	struct sc_ctx x;
	struct sc_fd *f;

	if (!sc_enter(&x))
		return;
	f = stream_fd(&x, fd);
	put(session, fd, f ? f->object : 0);
}

int sc_tls_bound(const void *session)
{
	return find(session) != NULL;
}
