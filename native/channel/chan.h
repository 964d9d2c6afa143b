/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer's side of the channel (include/scope/channel.h): what one process keeps in private
 * memory about its channel, and the calls that record. Layer 2. Nothing here takes a lock: every
 * function may be interrupted by a signal, or by a fork inside a signal handler, at any point.
 *
 *	struct sc_ctx x;
 *	if (sc_enter(&x)) { ... counters, records ... }
 *
 * After a fork the page of sc_live is wiped by the kernel (MADV_WIPEONFORK), so the child notices
 * at its first hooked call, whoever made the fork, and opens a channel of its own.
 *
 * Longer than other files: what every hooked call does is inline here.
 */
#ifndef SCOPE_CHANNEL_CHAN_H
#define SCOPE_CHANNEL_CHAN_H

#include <stddef.h>
#include <stdint.h>
#include "scope/channel.h"
#include "sys/sys.h"

#define sc_likely(x)   __builtin_expect(!!(x), 1)
#define sc_unlikely(x) __builtin_expect(!!(x), 0)

enum sc_live_state {
	SC_LIVE_NONE = 0,  /* before the channel, or in a child nobody has looked at yet */
	SC_LIVE_OPEN = 1,  /* recording */
	SC_LIVE_BLIND = 2, /* nothing is recorded, for good; base may still be read and written */
	SC_LIVE_BUSY = 3,  /* the channel is being made further up the stack */
	SC_LIVE_MUTED = 4  /* the relay wants silence; what is known of descriptors may be old */
};

/* Threads that own a slot, hence a shard or at least a known tid. */
#define SC_THREADS 64u

struct sc_thread {
	_Atomic(uint64_t) tp; /* thread pointer; 0: free, 1: being filled */
	uint32_t tid;
	uint32_t shard;
	uint64_t last; /* TSC of its last timed call: settles how often 32 bits went round since */
} __attribute__((aligned(64))); /* written on each timed call: a cache line of its own */

/*
 * Its first page is wiped in the child of a fork. The threads are there too, because every start
 * touches one of them: a page less for every process.
 */
struct sc_live {
	_Atomic(uint32_t) state; /* enum sc_live_state */
	uint32_t pad;
	char *base; /* the mapped channel */
	struct sc_thread thread[SC_THREADS]; /* by sc_thread_hash() */
} __attribute__((aligned(4096)));
SC_ASSERT(offsetof(struct sc_live, thread) == 64, "state and base are read by all threads");

/* An area that was a channel before a fork: kept mapped for hooks that a fork interrupted. */
#define SC_RETIRED 4u

/* What of a descriptor a fork hands to the child. */
struct sc_fd_snapshot {
	uint64_t object;
	uint16_t flags;
	uint8_t kind;
	uint8_t protocol;
	uint32_t bits; /* enum sc_fd_bit */
	uint32_t proto_state;
	uint32_t pad;
};

/* Private to the process; copied by fork. What each hook looks at is in the first cache line. */
struct sc_chan {
	struct sc_hub *hub;
	char *base;            /* the same as sc_live.base, but survives a fork: the child's parent */
	uint32_t tp_way;       /* enum sc_tp_way */
	uint32_t quiet;        /* a seccomp filter is set: no system call of our own */
	_Atomic(uint32_t) threaded; /* a second thread was made at some time */
	_Atomic(uint32_t) full;     /* the last record found no room: what would only serve the next is left out */
	_Atomic(int32_t) threads;   /* threads alive, as far as seen */
	_Atomic(uint32_t) shards;   /* bit per shard that is allocated */
	_Atomic(uint32_t) far_calls; /* bit per shard whose second page is, too */
	int32_t pid;
	uint32_t wipes;        /* MADV_WIPEONFORK works */
	uint16_t file_mode;    /* of our files in dir: 0600, or 0660 where a group shares it */
	uint8_t hub_readonly;  /* the hub is root's, for all users */
	uint8_t hub_believed;  /* it is root's or our user's */
	_Atomic(uint32_t) ringing; /* who is about to write to the hub, handlers within handlers counted */
	uint8_t gave_up;       /* rights were given up: the next fork looks whether its child can make a channel */
	char dir[480];         /* SCOPE_DIR */
	char name[64];         /* PID.TSC of the channel, without ".chan" */
	_Atomic(uint32_t) ring_ready[SC_SHARDS]; /* bytes allocated, from each ring's start */
	_Atomic(uint32_t) ring_total;            /* their sum */
	_Atomic(uint64_t) ring_filler[SC_SHARDS]; /* position of the filler that ended each ring's last lap; 0: none */
	_Atomic(uint32_t) owned;    /* bit per shard that one thread owns */
	_Atomic(uint64_t) hz;          /* TSC ticks per second, 0: not known yet */
	_Atomic(uint64_t) limit_second; /* max_per_sec: the second being counted … */
	_Atomic(uint32_t) limit_count;  /* … and its records */

	struct sc_fd *fdx;                 /* descriptors from SC_FDS on; NULL: none yet */
	_Atomic(uint32_t) fdx_state;       /* 0: not tried, 1: being made, 2: there, 3: failed */

	struct {
		char *at;
		size_t size;
	} retired[SC_RETIRED];
	uint32_t retired_next;
	size_t fdx_size;

	/* Snapshot for a fork; fork_tp: the thread that took it, 0: none. */
	_Atomic(uint64_t) fork_tp;
	uint64_t fork_object;
	uint32_t fork_fds;
};

extern struct sc_live sc_live;
extern struct sc_chan sc_chan;

/* A hooked call's view of the channel. */
struct sc_ctx {
	char *base;
	struct sc_header *head;
	struct sc_shard *shard;
	uint64_t tp;
	struct sc_thread *self; /* NULL: the thread owns no slot */
	uint32_t shard_nr;
	uint32_t want;
	uint32_t alone; /* nobody else adds to this shard: no lock prefix needed */
};

static inline struct sc_header *sc_chan_header(char *base)
{
	return (struct sc_header *)(base + SC_HEADER_OFF);
}

static inline struct sc_info *sc_chan_info(char *base)
{
	return (struct sc_info *)(base + SC_INFO_OFF);
}

static inline struct sc_shard *sc_chan_shard(char *base, uint32_t n)
{
	return (struct sc_shard *)(base + SC_SHARD_OFF) + n;
}

static inline char *sc_chan_ring(char *base, uint32_t n)
{
	return base + SC_RING_OFF + (size_t)n * SC_RING_SIZE;
}

/* ---- create.c ---- */

struct sc_chan_options {
	const char *dir;     /* SCOPE_DIR */
	uint32_t origin;     /* enum sc_origin */
	uint32_t tp_way;   /* enum sc_tp_way */
	int argc;            /* arguments and environment of the process, for sc_info */
	char **argv;
	char **envp;
	const char *libc;    /* "glibc 2.36" */
	const char *runtime;
};

/*
 * Opens the hub and makes this process's channel. 0, or -errno: then nothing is recorded, nothing
 * is left behind and nothing was printed.
 */
int sc_chan_create(const struct sc_chan_options *options);

/* In the child of a fork: retires the parent's mapping and makes the child's channel. */
void sc_chan_forked(void);

/*
 * Nothing is recorded from now on; the reader sees SC_STATE_DETACHED. undo: the channel never was.
 * Pre: every other thread stands still. A later sc_chan_create() begins anew.
 */
void sc_chan_leave(int undo);

/* Whether a channel is in use. */
static inline int sc_chan_is_open(void)
{
	return sc_chan.base != NULL;
}

/* Before a fork, by the thread that forks: what the child shall know of the descriptors. */
void sc_chan_snapshot(uint64_t tp);

/* Allocates everything that may be needed later: from now on no system call of our own is made. */
void sc_chan_quiet(void);

/* Makes the memory [at, at+n) of the channel real. 1: it can be touched. */
int sc_chan_populate(void *at, size_t n, size_t offset, const char *suffix);

/* ---- info.c ---- */

void sc_info_fill(struct sc_info *info, const struct sc_chan_options *options);
void sc_info_copy(struct sc_info *to, const struct sc_info *from);
void sc_info_boot_id(uint8_t id[16]);
uint64_t sc_info_pid_ns(void);

/* ---- hub.c ---- */

/*
 * Maps dir/hub, made with defaults when absent, and fills in what sc_chan knows of who shares the folder: its user alone;
 * a group, when the folder has the setgid bit; all users, when the hub can be read by all and is root's. NULL: impossible.
 */
struct sc_hub *sc_hub_open(const char *dir);

/*
 * Before root's process gives up its rights: from here on it cannot write to the hub, from which root's other processes take
 * paths. Of a process with several threads it stays as it is: one of them may be about to ring.
 */
void sc_hub_give_up(void);

/* One of the hub's paths, from where code is run or patched; "" when the hub is another user's, whom nobody need believe. */
const char *sc_hub_path(const char *path);

/* Makes a file of dir. The descriptor, or -errno. */
int sc_hub_make_file(const char *path, int mode);

/* Wakes the relay when it sleeps. */
void sc_hub_ring(void);

/* 1 when a relay has looked at this folder within the last two seconds. */
int sc_hub_alive(void);

/* 1 when the hub's file watch accepts the name. */
int sc_hub_watches(const char *name, size_t len);

/* ---- thread.c ---- */

/* Slow part of sc_enter: a child of a fork, a channel being made, a blind process. */
int sc_enter_slow(void);

/* The control block says MUTED: hooks return at once until it says RUN. */
void sc_go_silent(void);

/* Finds or makes the calling thread's slot; fills x->self, shard, alone. */
void sc_thread_find(struct sc_ctx *x);

/* The thread with this thread pointer is new, or ends: nothing known of an earlier one holds. */
void sc_thread_forget(uint64_t tp);

/* The calling thread's id. */
static inline uint32_t sc_thread_id(const struct sc_ctx *x)
{
	if (sc_likely(x->self != NULL))
		return x->self->tid;
	return sc_chan.quiet ? 0 : (uint32_t)sc_sys_gettid();
}

/*
 * A child that shares this memory (vfork, CLONE_VM) must not record: the thread pointer tp is muted
 * until sc_unmute. sc_muted: the calling thread is such a child, or its waiting parent.
 */
extern _Atomic(uint32_t) sc_mutes;
void sc_mute(uint64_t tp, int by_pid);
void sc_unmute(uint64_t tp);
int sc_muted(uint64_t tp);
void sc_mutes_reset(void);

/* A call of a muted child is still counted, in its waiting parent's channel; nothing else is. */
void sc_count_muted(uint32_t nr);

static inline uint32_t sc_thread_hash(uint64_t tp)
{
	return (uint32_t)((tp >> 6) * 0x9e3779b97f4a7c15ull >> 58);
}

/* Fills x. 0: record nothing. */
static inline int sc_enter(struct sc_ctx *x)
{
	struct sc_thread *t;

	if (sc_unlikely(atomic_load_explicit(&sc_live.state, memory_order_relaxed) !=
			SC_LIVE_OPEN))
		if (!sc_enter_slow())
			return 0;
	x->tp = sc_thread_pointer((int)sc_chan.tp_way);
	if (sc_unlikely(atomic_load_explicit(&sc_mutes, memory_order_relaxed)) && sc_muted(x->tp))
		return 0;
	x->base = sc_live.base;
	x->head = sc_chan_header(x->base);
	if (sc_unlikely(atomic_load_explicit(&x->head->control.mode, memory_order_relaxed) !=
			SC_MODE_RUN)) {
		sc_go_silent();
		return 0;
	}
	x->want = atomic_load_explicit(&x->head->control.want, memory_order_relaxed);
	t = &sc_live.thread[sc_thread_hash(x->tp)];
	if (sc_likely(atomic_load_explicit(&t->tp, memory_order_relaxed) == x->tp)) {
		x->self = t;
		x->shard_nr = t->shard;
		x->shard = sc_chan_shard(x->base, t->shard);
		x->alone = t->shard != SC_SHARDS - 1;
	} else {
		sc_thread_find(x);
	}
	return 1;
}

/*
 * Adds to a counter. A shard that one thread owns takes a plain add: one instruction, so that a
 * signal handler of the same thread cannot tear it; the reader only loads.
 */
static inline void sc_add(_Atomic(uint64_t) *counter, uint64_t v, uint32_t alone)
{
	if (sc_likely(alone))
		sc_add_local((uint64_t *)counter, v);
	else
		atomic_fetch_add_explicit(counter, v, memory_order_relaxed);
}

static inline void sc_count(const struct sc_ctx *x, enum sc_counter c, uint64_t v)
{
	sc_add(&x->shard->counter[c], v, x->alone);
}

/* nr from SC_NEAR_CALLS on: their memory is made with the first of them. */
void sc_count_far_call(const struct sc_ctx *x, uint32_t nr);
void sc_far_calls_populate(const struct sc_ctx *x);

static inline void sc_count_call(const struct sc_ctx *x, uint32_t nr)
{
	if (sc_likely(nr < SC_NEAR_CALLS))
		sc_add(&x->shard->calls[nr], 1, x->alone);
	else if (nr < SC_NR_MAX)
		sc_count_far_call(x, nr);
}

/* ---- ring.c ---- */

#define SC_SHARD_NEAR 4096u         /* of a shard, what is real from the start */
#define SC_RING_FIRST (4u * 1024u)  /* of the first ring, from the start */
#define SC_RING_PIECE (16u * 1024u) /* a ring's memory is made in such steps */
#define SC_RING_TOTAL (1792u * 1024u) /* of all rings: with the rest a channel stays below 2 MiB */

/* The memory of ring n and of its shard is there up to end; 0: there is none to have. */
int sc_ring_ready(const struct sc_ctx *x, uint32_t n, uint32_t end);

/* Whether max_per_sec would leave a record of a limited type out now: what only it needs is not worth a call then. */
int sc_record_left_out(const struct sc_ctx *x);

/*
 * Begins a record of type with room for size payload bytes; the header is filled (tid, tsc, fd),
 * flags, object, ret, ticks are 0, nr is 0xffff. NULL: not recorded (counted by cause). Between
 * begin and commit no other record of this thread may begin.
 */
struct sc_record *sc_record_begin_at(const struct sc_ctx *x, uint64_t tsc, enum sc_record_type type,
				     int fd, uint32_t size);

static inline struct sc_record *sc_record_begin(const struct sc_ctx *x, enum sc_record_type type,
						int fd, uint32_t size)
{
	return sc_record_begin_at(x, sc_rdtsc(), type, fd, size);
}

/* Publishes it; used: payload bytes filled, at most size. */
static inline void sc_record_commit(const struct sc_ctx *x, struct sc_record *record, uint32_t used)
{
	uint32_t len =
		atomic_load_explicit(&record->len, memory_order_relaxed) & ~SC_LEN_BUSY;

	record->used = (uint16_t)used;
	/* Publish: all stores above are seen before len. Pairs with the reader's acquire. */
	atomic_store_explicit(&record->len, len, memory_order_release);
	sc_add(&x->head->records, 1,
	       !atomic_load_explicit(&sc_chan.threaded, memory_order_relaxed));
}

static inline void *sc_record_payload(struct sc_record *record)
{
	return record + 1;
}

/* ---- fdtable.c ---- */

/* Library-private bits in sc_fd.reserved. */
enum sc_fd_bit {
	SC_FB_STDERR = 1,   /* console text belongs to descriptor 2, else 1 */
	SC_FB_SHARED = 2,   /* another descriptor has or had the same object (dup) */
	SC_FB_PORT = 4,     /* counted in NET_PORT */
	SC_FB_GAUGE = 8,    /* counted in NET_TCP, NET_UDP or NET_OTHER */
	SC_FB_INHERITED = 16 /* from the parent of a fork */
};

#define SC_FD_BLOCK 32u /* entries per bit of sc_header.fd_blocks: half a page, so two at a time */

/* The entry of a descriptor that has been in use before; NULL: look further, with sc_fd_get. */
static inline struct sc_fd *sc_fd_used(const struct sc_header *head, int fd)
{
	uint32_t n = (uint32_t)fd;

	if (sc_unlikely(n >= SC_FDS ||
			n >= atomic_load_explicit(&head->fd_high, memory_order_relaxed) ||
			!(atomic_load_explicit(&head->fd_blocks, memory_order_relaxed) >>
			  n / SC_FD_BLOCK & 1)))
		return NULL;
	return (struct sc_fd *)((char *)head + SC_FD_OFF) + n;
}

struct sc_fd *sc_fd_make(const struct sc_ctx *x, int fd);

/* The entry of fd, its memory allocated; NULL: no descriptor, or no memory. */
static inline struct sc_fd *sc_fd_get(const struct sc_ctx *x, int fd)
{
	struct sc_fd *f = sc_fd_used(x->head, fd);

	return sc_likely(f != NULL) ? f : sc_fd_make(x, fd);
}

/* The entry of fd when something is known of it, else NULL. Allocates nothing. */
struct sc_fd *sc_fd_find(const struct sc_ctx *x, int fd);

/* Begins an entry for what was just opened: zero, a new object, at this time. */
void sc_fd_begin(const struct sc_ctx *x, struct sc_fd *f, uint8_t kind, uint64_t tsc);

/* Another descriptor with the same object, or NULL. */
struct sc_fd *sc_fd_twin(const struct sc_ctx *x, const struct sc_fd *f, int fd);

/* Forgets every entry: calls went by unseen. */
void sc_fd_forget_all(char *base);

/* Allocates the table for quiet times. */
void sc_fd_populate(const struct sc_ctx *x);

/* In the child of a fork: the parent's file of high descriptors is not the child's. */
void sc_fdx_forget(void);

/*
 * The process is about to give up rights, and may not open files in the channel's folder
 * afterwards: the file for high descriptors is made now, when it may have such.
 */
void sc_fdx_prepare(void);

/* A fork's snapshot of the table. */
extern struct sc_fd_snapshot sc_fd_saved[SC_FDS];
void sc_fd_save(char *base);
void sc_fd_restore(char *base);

#endif
