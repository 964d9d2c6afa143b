/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel's life: made at start and in the child of a fork, retired by a fork, made ready for
 * times without system calls. Layer 2. Whatever fails: nothing recorded, nothing left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <time.h>
#include "base/mem.h"
#include "channel/chan.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Four pages are what every channel begins with. */
#define FIRST_SIZE (4 * SC_PAGE)
/* What channels leave free of their file system, or an eighth of it when that is less. */
#define KEEP_FREE  (32u << 20)

static size_t put_path(char *to, size_t size, const char *suffix)
{
	size_t n = sc_strcpy(to, size, sc_chan.dir);

	n += sc_strcpy(to + n, size - n, "/");
	n += sc_strcpy(to + n, size - n, sc_chan.name);
	return n + sc_strcpy(to + n, size - n, suffix);
}

/* For kernels before 5.14: fallocate needs the file open for a moment. */
static int allocate_by_name(size_t n, size_t offset, const char *suffix)
{
	char path[600];
	int fd, ret;

	put_path(path, sizeof(path), suffix);
	fd = sc_sys_openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return 0;
	ret = sc_sys_fallocate(fd, 0, (int64_t)offset, (int64_t)n) == 0;
	sc_sys_close(fd);
	return ret;
}

int sc_chan_populate(void *at, size_t n, size_t offset, const char *suffix)
{
	long ret;

	if (sc_chan.quiet)
		return 0;
	ret = sc_sys_madvise(at, n, MADV_POPULATE_WRITE);
	if (ret == -EINVAL)
		return allocate_by_name(n, offset, suffix);
	return ret == 0;
}

static uint64_t nanoseconds(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * 1000000000u + (uint64_t)ts->tv_nsec;
}

/*
 * Raises a soft limit of the file size that would make ftruncate send SIGXFSZ. 1: `old` is to be
 * restored, 0: nothing to do, -EFBIG: the hard limit forbids the channel.
 */
static int lift_file_limit(uint64_t old[2])
{
	uint64_t lifted[2];

	if (sc_sys4(__NR_prlimit64, 0, RLIMIT_FSIZE, 0, (long)old) < 0 ||
	    old[0] >= SC_CHANNEL_SIZE)
		return 0;
	if (old[1] < SC_CHANNEL_SIZE)
		return -EFBIG;
	lifted[0] = lifted[1] = old[1];
	return sc_sys4(__NR_prlimit64, 0, RLIMIT_FSIZE, (long)lifted, 0) < 0 ? -EFBIG : 1;
}

/* Allocates the pieces every channel begins with: header and strings, shard 0, 64 descriptors, the first ring. */
static int allocate_first(char *base, int fd)
{
	static const struct {
		size_t at, n;
	} piece[] = {{0, SC_PAGE}, {SC_SHARD_OFF, SC_SHARD_NEAR}, {SC_FD_OFF, SC_PAGE}, {SC_RING_OFF, SC_RING_FIRST}};

	for (size_t i = 0; i < sizeof(piece) / sizeof(piece[0]); i++) {
		long ret = sc_sys_madvise(base + piece[i].at, piece[i].n, MADV_POPULATE_WRITE);

		if (ret == -EINVAL)
			ret = sc_sys_fallocate(fd, 0, (int64_t)piece[i].at, (int64_t)piece[i].n);
		if (ret < 0)
			return (int)ret;
	}
	return 0;
}

/*
 * Others live on this file system, too: where nobody reads the channels, those of processes that are gone must not fill it.
 * The reader's spool stops long before.
 */
static int has_room(int fd)
{
	struct statfs fs;
	uint64_t left, keep;

	if (sc_sys2(__NR_fstatfs, fd, (long)&fs) < 0 || fs.f_blocks == 0)
		return 1;
	left = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	keep = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize / 8;
	if (left >= (keep < KEEP_FREE ? keep : KEEP_FREE) + FIRST_SIZE)
		return 1;
	if (!sc_chan.hub_readonly)
		atomic_fetch_add_explicit(&sc_chan.hub->refused, 1, memory_order_relaxed);
	return 0;
}

/* Makes and maps the file sc_chan.name says. */
static char *map_channel(void)
{
	char path[600];
	uint64_t limit[2];
	int lifted = lift_file_limit(limit), fd;
	char *base;
	long ret;

	if (lifted < 0)
		return (char *)(long)lifted;
	put_path(path, sizeof(path), ".chan");
	fd = sc_hub_make_file(path, sc_chan.file_mode);
	ret = fd < 0 ? fd : has_room(fd) ? sc_sys_ftruncate(fd, SC_CHANNEL_SIZE) : -ENOSPC;
	base = (char *)ret;
	if (ret == 0)
		base = sc_sys_mmap(NULL, SC_CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				   0);
	if (!sc_map_failed(base)) {
		ret = allocate_first(base, fd);
		if (ret < 0) {
			sc_sys_munmap(base, SC_CHANNEL_SIZE);
			base = (char *)ret;
		}
	}
	if (lifted)
		sc_sys4(__NR_prlimit64, 0, RLIMIT_FSIZE, (long)limit, 0);
	if (fd >= 0)
		sc_sys_close(fd);
	if (fd >= 0 && sc_map_failed(base))
		sc_sys_unlink(path);
	return base;
}

static void make_name(uint64_t tsc)
{
	size_t n = sc_put_dec(sc_chan.name, (uint64_t)sc_chan.pid);

	sc_chan.name[n++] = '.';
	sc_put_hex(sc_chan.name + n, tsc);
}

/* What the launcher used before it became us: not the program's. */
static uint64_t launcher_cpu_ns(void)
{
	uint64_t word = atomic_load_explicit(&sc_chan.hub->launched, memory_order_relaxed);

	return word >> 32 == (uint32_t)sc_chan.pid ? (word & 0xffffffff) * 1000 : 0;
}

static void fill_header(struct sc_header *h, uint32_t origin)
{
	struct timespec now;

	h->major = SC_VERSION_MAJOR;
	h->minor = SC_VERSION_MINOR;
	h->size = SC_CHANNEL_SIZE;
	h->pid = sc_chan.pid;
	h->ppid = sc_sys_getppid();
	h->uid = (uint32_t)sc_sys0(__NR_geteuid);
	h->gid = (uint32_t)sc_sys0(__NR_getegid);
	/* Beside the clocks, not when the name was made: the reader derives every time from the pair. */
	h->start_tsc = sc_rdtsc();
	sc_sys_clock(CLOCK_REALTIME, &now);
	h->start_sec = (uint64_t)now.tv_sec;
	h->start_nsec = (uint32_t)now.tv_nsec;
	sc_sys_clock(CLOCK_MONOTONIC, &now);
	h->mono_ns = nanoseconds(&now);
	if (sc_sys_clock(CLOCK_PROCESS_CPUTIME_ID, &now) == 0)
		h->start_cpu_ns = nanoseconds(&now);
	h->before_cpu_ns = launcher_cpu_ns();
	h->origin = origin;
	h->control = sc_chan.hub->control;
	atomic_store_explicit(&h->state, SC_STATE_LIVE, memory_order_relaxed);
	atomic_store_explicit(&h->rings, 1, memory_order_relaxed);
	atomic_store_explicit(&h->fd_blocks, 3, memory_order_relaxed);
	atomic_store_explicit(&h->next_object, 1, memory_order_relaxed);
	atomic_store_explicit(&h->ack, h->control.generation, memory_order_relaxed);
}

/*
 * What private memory says about threads and limits is new with each channel. Large tables are
 * cleared only where an earlier channel may have filled them: untouched pages cost nothing.
 */
static void reset_private(void)
{
	if (sc_chan.shards)
		memset(sc_live.thread, 0, sizeof(sc_live.thread));
	if (sc_chan.fdx_state)
		sc_fdx_forget();
	sc_chan.shards = 1;
	sc_chan.far_calls = 0;
	memset(sc_chan.ring_ready, 0, sizeof(sc_chan.ring_ready));
	memset(sc_chan.ring_filler, 0, sizeof(sc_chan.ring_filler));
	sc_chan.ring_ready[0] = SC_RING_FIRST;
	sc_chan.ring_total = SC_RING_FIRST;
	sc_chan.owned = 0;
	sc_chan.threads = 1;
	sc_chan.threaded = 0;
	sc_chan.limit_second = 0;
	sc_chan.limit_count = 0;
}

/* From here sc_enter lets hooks in. */
static void publish(char *base)
{
	sc_chan.base = base;
	sc_live.base = base;
	/* The relay believes a channel once it sees the magic: pairs with its acquire. */
	atomic_store_explicit(&sc_chan_header(base)->magic, SC_CHANNEL_MAGIC,
			      memory_order_release);
	atomic_store_explicit(&sc_live.state, SC_LIVE_OPEN, memory_order_release);
	sc_hub_ring();
}

int sc_chan_create(const struct sc_chan_options *options)
{
	uint64_t tsc = sc_rdtsc();
	struct sc_header *h;
	char *base;

	if (sc_strnlen(options->dir, sizeof(sc_chan.dir)) >= sizeof(sc_chan.dir))
		return -ENAMETOOLONG;
	sc_strcpy(sc_chan.dir, sizeof(sc_chan.dir), options->dir);
	sc_chan.tp_way = options->tp_way;
	sc_chan.pid = sc_sys_getpid();
	sc_chan.hub = sc_hub_open(options->dir);
	if (!sc_chan.hub)
		return -ENOENT;
	make_name(tsc);
	base = map_channel();
	if (sc_map_failed(base)) {
		sc_sys_munmap(sc_chan.hub, sizeof(struct sc_hub));
		sc_chan.hub = NULL;
		return (int)(long)base;
	}
	reset_private();
	sc_chan.wipes = sc_sys_madvise(&sc_live, SC_PAGE, MADV_WIPEONFORK) == 0;
	h = sc_chan_header(base);
	fill_header(h, options->origin);
	h->pid_ns = sc_info_pid_ns();
	sc_info_boot_id(h->boot_id);
	sc_info_fill(sc_chan_info(base), options);
	publish(base);
	return 0;
}

/*
 * A hook that the fork interrupted may still write to [at, at+size): it stays mapped, private and
 * zero, so that nothing reaches the parent's channel.
 */
static void retire(char *at, size_t size)
{
	uint32_t n = sc_chan.retired_next++ % SC_RETIRED;

	sc_sys_mmap(at, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
	if (sc_chan.retired[n].at)
		sc_sys_munmap(sc_chan.retired[n].at, sc_chan.retired[n].size);
	sc_chan.retired[n].at = at;
	sc_chan.retired[n].size = size;
}

/* The child's channel, begun as a copy of what stays true of the parent's. */
static char *child_channel(char *parent)
{
	struct sc_header *from = sc_chan_header(parent), *to;
	char *base = map_channel();

	if (sc_map_failed(base))
		return NULL;
	to = sc_chan_header(base);
	fill_header(to, SC_ORIGIN_FORK);
	to->flags = from->flags;
	/* After unshare(CLONE_NEWPID) children begin a new namespace, with small numbers. */
	to->pid_ns = to->pid < from->pid ? sc_info_pid_ns() : from->pid_ns;
	to->parent_start_tsc = from->start_tsc;
	memcpy(to->boot_id, from->boot_id, sizeof(to->boot_id));
	sc_info_copy(sc_chan_info(base), sc_chan_info(parent));
	return base;
}

void sc_chan_leave(int undo)
{
	char path[600], *base = sc_chan.base;

	if (!base)
		return;
	atomic_store_explicit(&sc_live.state, SC_LIVE_BLIND, memory_order_relaxed);
	atomic_store_explicit(&sc_chan_header(base)->state, SC_STATE_DETACHED,
			      memory_order_release);
	sc_hub_ring();
	/* Hooks that stand still in the middle of a record write to zeroes of our own from now on. */
	retire(base, SC_CHANNEL_SIZE);
	if (sc_chan.fdx)
		retire((char *)sc_chan.fdx, sc_chan.fdx_size);
	sc_chan.base = NULL;
	if (undo) {
		put_path(path, sizeof(path), ".chan");
		sc_sys_unlink(path);
	}
	/* The hub stays mapped: a hook that stands still may be reading it. */
}

void sc_chan_forked(void)
{
	uint64_t tsc = sc_rdtsc();
	char *parent = sc_chan.base, *fdx = (char *)sc_chan.fdx, *base;
	uint64_t fork_tp = sc_chan.fork_tp;

	sc_live.base = parent;
	atomic_store_explicit(&sc_live.state, SC_LIVE_BUSY, memory_order_relaxed);
	if (sc_chan.quiet) {
		atomic_store_explicit(&sc_live.state, SC_LIVE_BLIND, memory_order_relaxed);
		return;
	}
	sc_sys_madvise(&sc_live, SC_PAGE, MADV_WIPEONFORK);
	sc_chan.pid = sc_sys_getpid();
	make_name(tsc);
	base = child_channel(parent);
	retire(parent, SC_CHANNEL_SIZE);
	if (fdx)
		retire(fdx, sc_chan.fdx_size);
	sc_mutes_reset();
	if (!base) {
		atomic_store_explicit(&sc_live.state, SC_LIVE_BLIND, memory_order_relaxed);
		return;
	}
	reset_private();
	/* Only what this thread saved belongs to this fork. */
	if (fork_tp && fork_tp == sc_thread_pointer((int)sc_chan.tp_way))
		sc_fd_restore(base);
	sc_chan.fork_tp = 0;
	publish(base);
}

void sc_chan_snapshot(uint64_t tp)
{
	uint64_t none = 0;

	/* Another thread forks too: its child sees what it saved, ours learns anew. */
	if (atomic_compare_exchange_strong_explicit(&sc_chan.fork_tp, &none, tp,
						    memory_order_relaxed, memory_order_relaxed) ||
	    none == tp)
		sc_fd_save(sc_chan.base);
}

void sc_chan_quiet(void)
{
	struct sc_ctx x;

	if (sc_chan.quiet || !sc_enter(&x))
		return;
	for (uint32_t n = 0; n < SC_SHARDS; n++)
		sc_ring_ready(&x, n, SC_RING_TOTAL / SC_SHARDS);
	sc_far_calls_populate(&x);
	sc_fd_populate(&x);
}
