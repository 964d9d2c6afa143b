/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: reserve in the thread's own ring, in another when it is full, commit. The protocol is
 * written at struct sc_shard in scope/channel.h. Layer 2; any thread, also inside signal handlers.
 */
#include <time.h>
#include "channel/chan.h"

#define HIGH_WATER (SC_RING_SIZE / 2)
#define WAIT_NS    500000

static void count_lost(const struct sc_ctx *x, enum sc_lost cause)
{
	atomic_fetch_add_explicit(&x->head->lost[cause], 1, memory_order_relaxed);
}

/*
 * The ring's memory up to end exists, or does now. It grows in pieces, and only while the relay is
 * behind (see find_ahead): a calm program keeps to a few pages.
 */
static int grow(const struct sc_ctx *x, uint32_t n, uint32_t end)
{
	_Atomic(uint32_t) *ready = &sc_chan.ring_ready[n];
	uint32_t have = atomic_load_explicit(ready, memory_order_relaxed);

	end = (end + SC_RING_PIECE - 1) & ~(SC_RING_PIECE - 1);
	if (end > SC_RING_SIZE)
		end = SC_RING_SIZE;
	if (end <= have)
		return 1;
	if (atomic_load_explicit(&sc_chan.ring_total, memory_order_relaxed) + end - have >
	    SC_RING_TOTAL)
		return 0;
	if (!sc_chan_populate(sc_chan_ring(x->base, n) + have, end - have,
			      SC_RING_OFF + (size_t)n * SC_RING_SIZE + have, ".chan"))
		return 0;
	/* Another thread may have gone further meanwhile. */
	while (have < end) {
		if (!atomic_compare_exchange_weak_explicit(ready, &have, end, memory_order_relaxed,
							   memory_order_relaxed))
			continue;
		atomic_fetch_add_explicit(&sc_chan.ring_total, end - have, memory_order_relaxed);
		break;
	}
	return 1;
}

int sc_ring_ready(const struct sc_ctx *x, uint32_t n, uint32_t end)
{
	uint32_t bit = 1u << n;
	uint32_t shards = atomic_load_explicit(&sc_chan.shards, memory_order_relaxed);

	if (!(shards & bit)) {
		if (!sc_chan_populate(sc_chan_shard(x->base, n), SC_SHARD_NEAR,
				      SC_SHARD_OFF + n * sizeof(struct sc_shard), ".chan"))
			return 0;
		atomic_fetch_or_explicit(&sc_chan.shards, bit, memory_order_relaxed);
	}
	if (!grow(x, n, end))
		return 0;
	/* The reader looks at a ring only after this bit: pairs with its acquire. */
	if (!(atomic_load_explicit(&x->head->rings, memory_order_relaxed) & bit))
		atomic_fetch_or_explicit(&x->head->rings, bit, memory_order_release);
	return 1;
}

/* Where the next record of a ring may go. */
struct place {
	uint64_t head;
	uint64_t tail;
	uint32_t at;   /* offset of head */
	uint32_t skip; /* bytes of filler before the record */
};

/* Memory for n bytes at offset `at`, and the 8 behind them that every record leaves for a filler's header. */
static int has_room(const struct sc_ctx *x, uint32_t nr, uint32_t at, uint32_t n)
{
	if (at + n + 8 > SC_RING_SIZE)
		return 0;
	if (at + n + 8 <= atomic_load_explicit(&sc_chan.ring_ready[nr], memory_order_relaxed))
		return 1;
	/* It grows: the relay is behind. */
	if (at)
		sc_hub_ring();
	return sc_ring_ready(x, nr, at + n + 8);
}

/*
 * What is unread begins in this lap. With little of it at the end of what is allocated the writer
 * goes back to the start, else the ring grows.
 */
static int find_ahead(const struct sc_ctx *x, uint32_t nr, uint32_t n, struct place *p)
{
	uint32_t ready = atomic_load_explicit(&sc_chan.ring_ready[nr], memory_order_relaxed);
	int back = p->at && n + 8 <= ready && n + 8 <= p->tail % SC_RING_SIZE;

	if ((!back || p->head - p->tail > ready / 2) && has_room(x, nr, p->at, n))
		return 1;
	p->skip = SC_RING_SIZE - p->at;
	return back;
}

/*
 * What is unread begins in the lap before and lies ahead of us, up to the filler that ended that lap.
 * Behind it the rest of the ring is free: we leap over what is unread.
 */
static int find_behind(const struct sc_ctx *x, uint32_t nr, uint32_t n, struct place *p)
{
	uint64_t lap = p->head - p->at;
	uint64_t filler = atomic_load_explicit(&sc_chan.ring_filler[nr], memory_order_relaxed);
	uint32_t unread = p->tail % SC_RING_SIZE, end = filler % SC_RING_SIZE + 8;

	if (p->at + n + 8 <= unread)
		return 1; /* this much was allocated in the lap before */
	/* Not that filler, or not known yet: another thread is about to say so. */
	if (filler < p->tail || filler >= lap)
		return 0;
	if (p->at >= end)
		return has_room(x, nr, p->at, n);
	p->skip = end - p->at;
	sc_hub_ring();
	return has_room(x, nr, end, n);
}

static __attribute__((noinline)) int find_place(const struct sc_ctx *x, uint32_t nr, uint32_t n, struct place *p)
{
	if (p->tail >= p->head - p->at)
		return find_ahead(x, nr, n, p);
	return find_behind(x, nr, n, p);
}

/* May be as short as 8 bytes: len, type and flags only. The rest is never touched. */
static void put_filler(uint32_t nr, char *ring, const struct place *p)
{
	struct sc_record *filler = (struct sc_record *)(ring + p->at);

	filler->type = SC_REC_PAD;
	atomic_store_explicit(&filler->len, p->skip, memory_order_release);
	/* Once it is written, never before: who leaps over it relies on the reader to see it. */
	if (p->at + p->skip == SC_RING_SIZE)
		atomic_store_explicit(&sc_chan.ring_filler[nr], p->head, memory_order_relaxed);
}

/* Takes n bytes of a ring. NULL: full, or no memory for it. */
static inline struct sc_record *reserve(const struct sc_ctx *x, uint32_t nr, uint32_t n)
{
	struct sc_shard *shard = sc_chan_shard(x->base, nr);
	char *ring = sc_chan_ring(x->base, nr);
	struct place p;

	p.head = atomic_load_explicit(&shard->head, memory_order_relaxed);
	do {
		uint32_t ready = atomic_load_explicit(&sc_chan.ring_ready[nr], memory_order_relaxed);

		/* What the reader zeroed before it moved tail is seen: pairs with its release. */
		p.tail = atomic_load_explicit(&shard->tail, memory_order_acquire);
		p.at = (uint32_t)(p.head % SC_RING_SIZE);
		p.skip = 0;
		if (sc_unlikely(p.at + n + 8 > ready || p.head + n + 8 - p.tail > SC_RING_SIZE) &&
		    !find_place(x, nr, n, &p))
			return NULL;
	} while (!atomic_compare_exchange_weak_explicit(&shard->head, &p.head, p.head + p.skip + n,
							memory_order_relaxed,
							memory_order_relaxed));
	if (sc_unlikely(p.skip))
		put_filler(nr, ring, &p);
	else if (sc_unlikely(p.head - p.tail <= HIGH_WATER && p.head + n - p.tail > HIGH_WATER))
		sc_hub_ring();
	return (struct sc_record *)(ring + (p.head + p.skip) % SC_RING_SIZE);
}

static __attribute__((noinline)) struct sc_record *reserve_any(const struct sc_ctx *x, uint32_t n)
{
	struct sc_record *r;

	sc_hub_ring();
	for (uint32_t i = 0; i < SC_SHARDS; i++) {
		uint32_t nr = (x->shard_nr + i) % SC_SHARDS;

		/* The shard has to be there before its positions are looked at. */
		if (sc_ring_ready(x, nr, SC_RING_PIECE) && (r = reserve(x, nr, n)))
			return r;
	}
	return NULL;
}

/* A full ring is waited for: by order, or because the relay is still starting. */
static int waits(const struct sc_ctx *x)
{
	return atomic_load_explicit(&x->head->control.wait, memory_order_relaxed) ||
	       (sc_chan.hub &&
		atomic_load_explicit(&sc_chan.hub->relay_pid, memory_order_relaxed) == 0);
}

/*
 * wait mode, and while the relay that was started with the program is not there yet, for it takes a
 * tenth of a second and the rings hold less than a burst: until there is room, or no relay is alive.
 */
static struct sc_record *reserve_waiting(const struct sc_ctx *x, uint32_t n)
{
	const struct timespec nap = {0, WAIT_NS};
	struct sc_record *r = NULL;

	while (waits(x) && !sc_chan.quiet && sc_hub_alive()) {
		sc_sys4(__NR_clock_nanosleep, CLOCK_MONOTONIC, 0, (long)&nap, 0);
		r = reserve_any(x, n);
		if (r)
			break;
	}
	return r;
}

/* TSC ticks per second, from the channel's start to now; 0 when too little time has passed. */
static uint64_t measure_hz(const struct sc_ctx *x, uint64_t tsc)
{
	struct timespec now;
	uint64_t ns, ticks = tsc - x->head->start_tsc;

	if (sc_chan.quiet || sc_sys_clock(CLOCK_MONOTONIC, &now) < 0)
		return 0;
	ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - x->head->mono_ns;
	if (ns < 20000000)
		return 0;
	ns /= 1000;
	return ticks / ns * 1000000 + ticks % ns * 1000000 / ns;
}

/* max_per_sec: 1 when this second still has room. */
static int within_limit(const struct sc_ctx *x, uint64_t tsc, uint32_t max)
{
	uint64_t hz = atomic_load_explicit(&sc_chan.hz, memory_order_relaxed), second;

	if (!hz) {
		/* Within the first 20 ms everything is of second 0. */
		if (atomic_fetch_add_explicit(&sc_chan.limit_count, 1, memory_order_relaxed) < max)
			return 1;
		hz = measure_hz(x, tsc);
		if (!hz)
			return 0;
		atomic_store_explicit(&sc_chan.hz, hz, memory_order_relaxed);
	}
	second = (tsc - x->head->start_tsc) / hz;
	if (second != atomic_load_explicit(&sc_chan.limit_second, memory_order_relaxed)) {
		atomic_store_explicit(&sc_chan.limit_second, second, memory_order_relaxed);
		atomic_store_explicit(&sc_chan.limit_count, 0, memory_order_relaxed);
	}
	return atomic_fetch_add_explicit(&sc_chan.limit_count, 1, memory_order_relaxed) < max;
}

int sc_record_left_out(const struct sc_ctx *x)
{
	uint32_t max = atomic_load_explicit(&x->head->control.max_per_sec, memory_order_relaxed);
	uint64_t hz = atomic_load_explicit(&sc_chan.hz, memory_order_relaxed);

	if (!max || atomic_load_explicit(&sc_chan.limit_count, memory_order_relaxed) < max)
		return 0;
	return !hz || (sc_rdtsc() - x->head->start_tsc) / hz ==
			      atomic_load_explicit(&sc_chan.limit_second, memory_order_relaxed);
}

/*
 * Never limited: life cycle and text (few, or bounded by what the program prints), and what the
 * relay must see whole to pair it (connections, messages of protocols): a gap would spoil more than
 * the records it leaves out.
 */
static int limited(enum sc_record_type type)
{
	switch (type) {
	case SC_REC_TEXT:
	case SC_REC_FORK:
	case SC_REC_EXEC:
	case SC_REC_EXIT:
	case SC_REC_SAMPLE:
	case SC_REC_NOTE:
	case SC_REC_CONN_OPEN:
	case SC_REC_CONN_CLOSE:
	case SC_REC_HTTP1:
	case SC_REC_HTTP1_END:
	case SC_REC_HTTP2:
	case SC_REC_WEBSOCKET:
	case SC_REC_DNS:
	case SC_REC_RESOLVE:
	case SC_REC_DETECT:
	case SC_REC_STATSD:
	case SC_REC_PAYLOAD:
		return 0;
	default:
		return 1;
	}
}

static void see_control(const struct sc_ctx *x)
{
	uint32_t generation =
		atomic_load_explicit(&x->head->control.generation, memory_order_relaxed);

	if (sc_unlikely(generation != atomic_load_explicit(&x->head->ack, memory_order_relaxed)))
		atomic_store_explicit(&x->head->ack, generation, memory_order_relaxed);
}

struct sc_record *sc_record_begin_at(const struct sc_ctx *x, uint64_t tsc, enum sc_record_type type,
				     int fd, uint32_t size)
{
	uint32_t n = ((uint32_t)sizeof(struct sc_record) + size + 7) & ~7u;
	uint32_t max = atomic_load_explicit(&x->head->control.max_per_sec, memory_order_relaxed);
	struct sc_record *r;

	/* The channel changed under us (a signal handler forked): this hook belongs to the old one. */
	if (sc_unlikely(x->base != sc_live.base))
		return NULL;
	see_control(x);
	if (sc_unlikely(n > SC_RECORD_MAX)) {
		count_lost(x, SC_LOST_BIG);
		return NULL;
	}
	if (sc_unlikely(max) && limited(type) && !within_limit(x, tsc, max)) {
		count_lost(x, SC_LOST_LIMIT);
		return NULL;
	}
	r = reserve(x, x->shard_nr, n);
	if (sc_unlikely(!r))
		r = reserve_any(x, n);
	if (sc_unlikely(!r) && waits(x))
		r = reserve_waiting(x, n);
	if (sc_unlikely(!r)) {
		atomic_store_explicit(&sc_chan.full, 1, memory_order_relaxed);
		count_lost(x, atomic_load_explicit(&x->head->rings, memory_order_relaxed)
				      ? SC_LOST_FULL
				      : SC_LOST_MEMORY);
		return NULL;
	}
	if (sc_unlikely(atomic_load_explicit(&sc_chan.full, memory_order_relaxed)))
		atomic_store_explicit(&sc_chan.full, 0, memory_order_relaxed);
	/* The reader has zeroed what comes next, on its processor: the next record finds it here. */
	sc_prefetch_write((char *)r + n);
	sc_prefetch_write((char *)r + n + 64);
	/* From here the reader knows how long the unfinished record is: pairs with its acquire. */
	atomic_store_explicit(&r->len, n | SC_LEN_BUSY, memory_order_release);
	r->type = (uint16_t)type;
	r->tsc = tsc;
	r->tid = sc_thread_id(x);
	r->fd = fd;
	r->nr = 0xffff;
	return r;
}
