/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptor table: 1,024 entries in the channel, higher ones in a file beside it. Layer 2. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include "base/mem.h"
#include "channel/chan.h"

#define FDX_BLOCK  64u /* entries per bit of fdx_blocks: one page */
#define FDX_BLOCKS 16384u
#define FDX_FDS    (FDX_BLOCK * FDX_BLOCKS) /* 1,048,576 */

enum { FDX_NONE, FDX_BUSY, FDX_READY, FDX_FAILED };

struct sc_fd_snapshot sc_fd_saved[SC_FDS];
static _Atomic(uint64_t) fdx_blocks[FDX_BLOCKS / 64]; /* bit per allocated block */

static struct sc_fd *table(char *base)
{
	return (struct sc_fd *)(base + SC_FD_OFF);
}

static int block_ready(const struct sc_ctx *x, uint32_t fd)
{
	uint32_t block = fd / SC_FD_BLOCK & ~1u, bits = 3u << block;
	size_t offset = block * SC_FD_BLOCK * sizeof(struct sc_fd);

	if (sc_likely(atomic_load_explicit(&x->head->fd_blocks, memory_order_relaxed) & bits))
		return 1;
	if (x->base != sc_live.base ||
	    !sc_chan_populate(x->base + SC_FD_OFF + offset, SC_PAGE, SC_FD_OFF + offset, ".chan"))
		return 0;
	atomic_fetch_or_explicit(&x->head->fd_blocks, bits, memory_order_release);
	return 1;
}

/* Length of the file for high descriptors: as many as the process may have. */
static size_t fdx_size(void)
{
	uint64_t limit[2] = {FDX_FDS, 0};

	sc_sys4(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, (long)limit);
	if (limit[0] > FDX_FDS + SC_FDS)
		limit[0] = FDX_FDS + SC_FDS;
	if (limit[0] <= SC_FDS + FDX_BLOCK)
		limit[0] = SC_FDS + FDX_BLOCK;
	return ((limit[0] - SC_FDS) * sizeof(struct sc_fd) + SC_PAGE - 1) & ~(SC_PAGE - 1);
}

static int make_fdx(void)
{
	char path[600];
	size_t size = fdx_size(), n = sc_strcpy(path, sizeof(path), sc_chan.dir);
	uint64_t limit[2];
	void *at;
	int fd;

	/* Beyond the limit ftruncate would send SIGXFSZ. */
	if (sc_sys4(__NR_prlimit64, 0, RLIMIT_FSIZE, 0, (long)limit) < 0 || limit[0] < size)
		return 0;
	path[n++] = '/';
	n += sc_strcpy(path + n, sizeof(path) - n, sc_chan.name);
	sc_strcpy(path + n, sizeof(path) - n, ".fdx");
	fd = sc_hub_make_file(path, sc_chan.file_mode);
	if (fd < 0)
		return 0;
	if (sc_sys_ftruncate(fd, (int64_t)size) < 0) {
		sc_sys_close(fd);
		return 0;
	}
	at = sc_sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	sc_sys_close(fd);
	if (sc_map_failed(at))
		return 0;
	sc_chan.fdx_size = size;
	sc_chan.fdx = at;
	return 1;
}

void sc_fdx_forget(void)
{
	sc_chan.fdx = NULL;
	sc_chan.fdx_state = FDX_NONE;
	memset(fdx_blocks, 0, sizeof(fdx_blocks));
}

static int fdx_ready(void)
{
	uint32_t state = FDX_NONE;

	if (sc_likely(atomic_load_explicit(&sc_chan.fdx_state, memory_order_acquire) == FDX_READY))
		return 1;
	if (sc_chan.quiet ||
	    !atomic_compare_exchange_strong_explicit(&sc_chan.fdx_state, &state, FDX_BUSY,
						     memory_order_relaxed, memory_order_relaxed))
		return 0;
	state = make_fdx() ? FDX_READY : FDX_FAILED;
	atomic_store_explicit(&sc_chan.fdx_state, state, memory_order_release);
	return state == FDX_READY;
}

void sc_fdx_prepare(void)
{
	uint64_t limit[2];

	if (!sc_chan.quiet && sc_sys4(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, (long)limit) == 0 &&
	    limit[0] > SC_FDS)
		fdx_ready();
}

/* The entry of a descriptor from SC_FDS on; make: allocate what is missing. */
static struct sc_fd *high(const struct sc_ctx *x, uint32_t fd, int make)
{
	uint32_t i = fd - SC_FDS, block = i / FDX_BLOCK;
	uint64_t bit = 1ull << (block % 64);
	_Atomic(uint64_t) *word = &fdx_blocks[block / 64];

	if (i >= FDX_FDS || x->base != sc_live.base)
		return NULL;
	if (make ? !fdx_ready()
		 : atomic_load_explicit(&sc_chan.fdx_state, memory_order_acquire) != FDX_READY)
		return NULL;
	if ((i + 1) * sizeof(struct sc_fd) > sc_chan.fdx_size)
		return NULL;
	if (sc_unlikely(!(atomic_load_explicit(word, memory_order_relaxed) & bit))) {
		size_t offset = block * SC_PAGE;

		if (!make ||
		    !sc_chan_populate((char *)sc_chan.fdx + offset, SC_PAGE, offset, ".fdx"))
			return NULL;
		atomic_fetch_or_explicit(word, bit, memory_order_release);
	}
	return sc_chan.fdx + i;
}

static void raise_high(const struct sc_ctx *x, uint32_t fd)
{
	uint32_t seen = atomic_load_explicit(&x->head->fd_high, memory_order_relaxed);

	while (seen <= fd &&
	       !atomic_compare_exchange_weak_explicit(&x->head->fd_high, &seen, fd + 1,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

struct sc_fd *sc_fd_make(const struct sc_ctx *x, int fd)
{
	struct sc_fd *f;

	if (sc_unlikely(fd < 0))
		return NULL;
	if (sc_likely((uint32_t)fd < SC_FDS))
		f = block_ready(x, (uint32_t)fd) ? table(x->base) + fd : NULL;
	else
		f = high(x, (uint32_t)fd, 1);
	if (sc_unlikely(atomic_load_explicit(&x->head->fd_high, memory_order_relaxed) <=
			(uint32_t)fd) &&
	    f)
		raise_high(x, (uint32_t)fd);
	return f;
}

struct sc_fd *sc_fd_find(const struct sc_ctx *x, int fd)
{
	struct sc_fd *f;

	if (fd < 0)
		return NULL;
	if ((uint32_t)fd < SC_FDS) {
		if (!(atomic_load_explicit(&x->head->fd_blocks, memory_order_acquire) &
		      1u << (fd / (int)SC_FD_BLOCK)))
			return NULL;
		f = table(x->base) + fd;
	} else {
		f = high(x, (uint32_t)fd, 0);
	}
	return f && atomic_load_explicit(&f->object, memory_order_relaxed) ? f : NULL;
}

static uint64_t next_object(struct sc_header *head)
{
	if (!atomic_load_explicit(&sc_chan.threaded, memory_order_relaxed))
		return sc_fetch_add_local((uint64_t *)&head->next_object, 1);
	return atomic_fetch_add_explicit(&head->next_object, 1, memory_order_relaxed);
}

void sc_fd_begin(const struct sc_ctx *x, struct sc_fd *f, uint8_t kind, uint64_t tsc)
{
	atomic_store_explicit(&f->object, 0, memory_order_relaxed);
	atomic_store_explicit(&f->rx_bytes, 0, memory_order_relaxed);
	atomic_store_explicit(&f->tx_bytes, 0, memory_order_relaxed);
	atomic_store_explicit(&f->rx_ops, 0, memory_order_relaxed);
	atomic_store_explicit(&f->tx_ops, 0, memory_order_relaxed);
	atomic_store_explicit(&f->ticks, 0, memory_order_relaxed);
	f->open_tsc = tsc;
	atomic_store_explicit(&f->flags, 0, memory_order_relaxed);
	f->kind = kind;
	f->protocol = SC_PROTO_UNKNOWN;
	f->proto_state = 0;
	f->reserved = 0;
	/* With the object the rest is valid: pairs with the acquire of the reader. */
	atomic_store_explicit(&f->object, next_object(x->head), memory_order_release);
}

struct sc_fd *sc_fd_twin(const struct sc_ctx *x, const struct sc_fd *f, int fd)
{
	uint32_t high_fd = atomic_load_explicit(&x->head->fd_high, memory_order_relaxed);
	uint64_t object = atomic_load_explicit(&f->object, memory_order_relaxed);

	for (uint32_t i = 0; i < high_fd; i++) {
		struct sc_fd *other = sc_fd_find(x, (int)i);

		if (other && (int)i != fd &&
		    atomic_load_explicit(&other->object, memory_order_relaxed) == object)
			return other;
	}
	return NULL;
}

void sc_fd_forget_all(char *base)
{
	struct sc_ctx x = {.base = base, .head = sc_chan_header(base)};
	uint32_t n = atomic_load_explicit(&x.head->fd_high, memory_order_relaxed);

	for (uint32_t fd = 0; fd < n; fd++) {
		struct sc_fd *f = sc_fd_find(&x, (int)fd);

		if (f)
			atomic_store_explicit(&f->object, 0, memory_order_release);
	}
}

void sc_fd_populate(const struct sc_ctx *x)
{
	for (uint32_t fd = 0; fd < SC_FDS; fd += 2 * SC_FD_BLOCK)
		block_ready(x, fd);
}

void sc_fd_save(char *base)
{
	struct sc_header *head = sc_chan_header(base);
	uint32_t n = atomic_load_explicit(&head->fd_high, memory_order_relaxed);
	uint32_t blocks = atomic_load_explicit(&head->fd_blocks, memory_order_relaxed);

	if (n > SC_FDS)
		n = SC_FDS;
	sc_chan.fork_object = atomic_load_explicit(&head->next_object, memory_order_relaxed);
	sc_chan.fork_fds = n;
	for (uint32_t i = 0; i < n; i++) {
		struct sc_fd_snapshot *s = &sc_fd_saved[i];
		const struct sc_fd *f = table(base) + i;

		if (!(blocks & 1u << (i / SC_FD_BLOCK))) {
			s->object = 0;
			continue;
		}
		s->object = atomic_load_explicit(&f->object, memory_order_relaxed);
		s->flags = atomic_load_explicit(&f->flags, memory_order_relaxed);
		s->kind = f->kind;
		s->protocol = f->protocol;
		s->proto_state = f->proto_state;
		s->bits = (uint32_t)f->reserved;
	}
}

void sc_fd_restore(char *base)
{
	struct sc_ctx x = {.base = base, .head = sc_chan_header(base)};

	atomic_store_explicit(&x.head->next_object, sc_chan.fork_object, memory_order_relaxed);
	for (uint32_t i = 0; i < sc_chan.fork_fds; i++) {
		const struct sc_fd_snapshot *s = &sc_fd_saved[i];
		struct sc_fd *f = s->object ? sc_fd_get(&x, (int)i) : NULL;

		if (!f)
			continue;
		f->kind = s->kind;
		f->protocol = s->protocol;
		f->proto_state = s->proto_state;
		f->reserved = s->bits | SC_FB_INHERITED;
		atomic_store_explicit(&f->flags, s->flags & ~SC_FF_NAMED, memory_order_relaxed);
		atomic_store_explicit(&f->object, s->object, memory_order_release);
	}
}
