/* SPDX-License-Identifier: Apache-2.0 */
/* Which shard the calling thread has, its id, and who is muted. Layer 2; no locks. */
#include "base/mem.h"
#include "channel/chan.h"

#define SHARED_SHARD (SC_SHARDS - 1)
#define FILLING      1u
#define MUTES        16u

struct sc_live sc_live;
struct sc_chan sc_chan SC_AT_START;

_Atomic(uint32_t) sc_mutes SC_AT_START;
static _Atomic(uint64_t) muted_tp[MUTES];
static _Atomic(uint32_t) by_pid SC_AT_START;

/* Muted: 1 when the relay wants to hear again. The first one to see it forgets old descriptors. */
static int wake_up(void)
{
	struct sc_control *control = &sc_chan_header(sc_live.base)->control;
	uint32_t muted = SC_LIVE_MUTED;

	if (atomic_load_explicit(&control->mode, memory_order_relaxed) != SC_MODE_RUN)
		return 0;
	if (atomic_compare_exchange_strong_explicit(&sc_live.state, &muted, SC_LIVE_BUSY,
						    memory_order_acquire, memory_order_relaxed)) {
		sc_fd_forget_all(sc_live.base);
		atomic_store_explicit(&sc_live.state, SC_LIVE_OPEN, memory_order_release);
		return 1;
	}
	return muted == SC_LIVE_OPEN;
}

int sc_enter_slow(void)
{
	uint32_t state = atomic_load_explicit(&sc_live.state, memory_order_acquire);

	if (state == SC_LIVE_NONE && sc_chan.base) {
		sc_chan_forked();
		state = atomic_load_explicit(&sc_live.state, memory_order_relaxed);
	}
	if (state == SC_LIVE_MUTED)
		return wake_up();
	return state == SC_LIVE_OPEN;
}

void sc_go_silent(void)
{
	uint32_t open = SC_LIVE_OPEN;

	atomic_compare_exchange_strong_explicit(&sc_live.state, &open, SC_LIVE_MUTED,
						memory_order_relaxed, memory_order_relaxed);
}

/* A shard of its own for a thread, or the shared one. */
static uint32_t own_shard(void)
{
	uint32_t owned = atomic_load_explicit(&sc_chan.owned, memory_order_relaxed), n;

	do {
		n = (uint32_t)__builtin_ctz(~owned);
		if (n >= SHARED_SHARD)
			return SHARED_SHARD;
	} while (!atomic_compare_exchange_weak_explicit(&sc_chan.owned, &owned, owned | 1u << n,
							memory_order_relaxed,
							memory_order_relaxed));
	return n;
}

/* Makes the shard's memory real; shard 0 always is. */
static int shard_ready(const struct sc_ctx *x, uint32_t n)
{
	uint32_t bit = 1u << n;

	if (atomic_load_explicit(&sc_chan.shards, memory_order_relaxed) & bit)
		return 1;
	if (!sc_chan_populate(sc_chan_shard(x->base, n), SC_SHARD_NEAR,
			      SC_SHARD_OFF + n * sizeof(struct sc_shard), ".chan"))
		return 0;
	atomic_fetch_or_explicit(&sc_chan.shards, bit, memory_order_relaxed);
	return 1;
}

static int far_calls_ready(const struct sc_ctx *x, uint32_t n)
{
	uint32_t bit = 1u << n;
	size_t far = SC_SHARD_OFF + n * sizeof(struct sc_shard) + SC_SHARD_NEAR;

	if (atomic_load_explicit(&sc_chan.far_calls, memory_order_relaxed) & bit)
		return 1;
	if (!sc_chan_populate(x->base + far, sizeof(struct sc_shard) - SC_SHARD_NEAR, far, ".chan"))
		return 0;
	atomic_fetch_or_explicit(&sc_chan.far_calls, bit, memory_order_relaxed);
	/* The reader looks only after this bit: pairs with its acquire. */
	atomic_fetch_or_explicit(&sc_chan_header(x->base)->far_calls, bit, memory_order_release);
	return 1;
}

void sc_count_far_call(const struct sc_ctx *x, uint32_t nr)
{
	uint32_t n = (uint32_t)(x->shard - sc_chan_shard(x->base, 0));

	if (far_calls_ready(x, n))
		sc_add(&x->shard->calls[nr], 1, x->alone);
}

void sc_far_calls_populate(const struct sc_ctx *x)
{
	for (uint32_t n = 0; n < SC_SHARDS; n++)
		far_calls_ready(x, n);
}

static void use_shard(struct sc_ctx *x, struct sc_thread *self, uint32_t n)
{
	/* Without memory for a shard of its own it adds to shard 0, whose owner does not lock: a
	 * count may get lost then, nothing worse. */
	if (!shard_ready(x, n))
		n = 0;
	x->self = self;
	x->shard_nr = n;
	x->shard = sc_chan_shard(x->base, n);
	x->alone = self != NULL && n != SHARED_SHARD;
}

void sc_thread_find(struct sc_ctx *x)
{
	struct sc_thread *t = &sc_live.thread[sc_thread_hash(x->tp)];
	uint64_t free = 0;

	if (!atomic_compare_exchange_strong_explicit(&t->tp, &free, FILLING, memory_order_relaxed,
						     memory_order_relaxed)) {
		use_shard(x, NULL, SHARED_SHARD);
		return;
	}
	t->shard = own_shard();
	t->tid = sc_chan.quiet ? 0 : (uint32_t)sc_sys_gettid();
	use_shard(x, t, t->shard);
	t->shard = x->shard_nr;
	/* The slot is whole before a signal handler of this thread can find it. */
	atomic_store_explicit(&t->tp, x->tp, memory_order_release);
}

void sc_thread_forget(uint64_t tp)
{
	struct sc_thread *t = &sc_live.thread[sc_thread_hash(tp)];

	if (atomic_load_explicit(&t->tp, memory_order_relaxed) != tp)
		return;
	if (t->shard != SHARED_SHARD)
		atomic_fetch_and_explicit(&sc_chan.owned, ~(1u << t->shard), memory_order_relaxed);
	atomic_store_explicit(&t->tp, 0, memory_order_release);
}

void sc_mute(uint64_t tp, int pid_too)
{
	uint64_t free = 0;

	if (pid_too) {
		atomic_fetch_add_explicit(&by_pid, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&sc_mutes, 1, memory_order_relaxed);
		return;
	}
	for (uint32_t i = 0; i < MUTES; i++, free = 0) {
		if (atomic_compare_exchange_strong_explicit(&muted_tp[i], &free, tp,
							    memory_order_relaxed,
							    memory_order_relaxed)) {
			atomic_fetch_add_explicit(&sc_mutes, 1, memory_order_release);
			return;
		}
	}
}

void sc_unmute(uint64_t tp)
{
	for (uint32_t i = 0; i < MUTES; i++) {
		if (atomic_load_explicit(&muted_tp[i], memory_order_relaxed) != tp)
			continue;
		atomic_store_explicit(&muted_tp[i], 0, memory_order_relaxed);
		atomic_fetch_sub_explicit(&sc_mutes, 1, memory_order_release);
		return;
	}
}

int sc_muted(uint64_t tp)
{
	for (uint32_t i = 0; i < MUTES; i++)
		if (atomic_load_explicit(&muted_tp[i], memory_order_relaxed) == tp)
			return 1;
	if (!atomic_load_explicit(&by_pid, memory_order_relaxed) || sc_chan.quiet)
		return 0;
	return sc_sys_getpid() != sc_chan.pid;
}

void sc_count_muted(uint32_t nr)
{
	struct sc_ctx x = {.tp = sc_thread_pointer((int)sc_chan.tp_way), .base = sc_live.base};
	struct sc_thread *t = &sc_live.thread[sc_thread_hash(x.tp)];
	uint32_t n = atomic_load_explicit(&t->tp, memory_order_relaxed) == x.tp ? t->shard : SHARED_SHARD;

	if (!atomic_load_explicit(&sc_mutes, memory_order_relaxed) ||
	    atomic_load_explicit(&sc_live.state, memory_order_relaxed) != SC_LIVE_OPEN || !sc_muted(x.tp))
		return;
	/* The parent's thread came by before its vfork, so its shard is real where it can be. */
	if (!(atomic_load_explicit(&sc_chan.shards, memory_order_relaxed) & 1u << n))
		n = 0;
	x.shard = sc_chan_shard(x.base, n);
	sc_count_call(&x, nr);
}

void sc_mutes_reset(void)
{
	for (uint32_t i = 0; i < MUTES; i++)
		atomic_store_explicit(&muted_tp[i], 0, memory_order_relaxed);
	atomic_store_explicit(&by_pid, 0, memory_order_relaxed);
	atomic_store_explicit(&sc_mutes, 0, memory_order_relaxed);
}
