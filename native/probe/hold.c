/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers for heads that come in pieces: static, taken by a bit map, no lock. Untouched ones cost
 * no memory.
 */
#include "probe/stream_internal.h"

#define HOLDS 128u

static uint8_t holds[HOLDS][SC_HOLD_SIZE];
static _Atomic(uint64_t) taken[HOLDS / 64];

uint8_t *sc_hold(struct sc_flow *w)
{
	uint32_t word;

	if (w->hold)
		return holds[w->hold - 1];
	for (word = 0; word < HOLDS / 64; word++) {
		uint64_t map = atomic_load_explicit(&taken[word], memory_order_relaxed);

		while (~map) {
			uint64_t bit = ~map & (map + 1);

			/* Acquire: what the last owner wrote is before what we write. Pairs with the
			 * release in sc_hold_free(). */
			if (atomic_compare_exchange_weak_explicit(&taken[word], &map, map | bit,
								  memory_order_acquire,
								  memory_order_relaxed)) {
				w->hold = (uint16_t)(word * 64 + (uint32_t)__builtin_ctzll(bit) + 1);
				w->held = 0;
				w->scan = 0;
				return holds[w->hold - 1];
			}
		}
	}
	return NULL;
}

void sc_hold_free(struct sc_flow *w)
{
	uint32_t i = w->hold;

	w->held = 0;
	w->scan = 0;
	if (i == 0)
		return;
	w->hold = 0;
	i--;
	atomic_fetch_and_explicit(&taken[i / 64], ~(1ull << (i % 64)), memory_order_release);
}
