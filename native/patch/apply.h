/* SPDX-License-Identifier: Apache-2.0 */
/* Puts a checked plan into effect on one object of this process, and takes it back. */
#ifndef SCOPE_PATCH_APPLY_H
#define SCOPE_PATCH_APPLY_H

#include "elf/plan.h"
#include "patch/store.h"

/* One patched object. The plan stays mapped: it holds the original bytes. */
struct sc_patched {
	struct sc_plan *plan; /* private, writable */
	uint64_t bias;
	uint64_t stubs; /* address of the cells page */
	uint32_t stub_len;
	uint32_t done;  /* sites patched */
	uint32_t differs;
	uint32_t overlay;
};

/*
 * running: threads may be blocked in calls: moved sites are left alone. The overlay is used when the plan's
 * stubs are mapped; pagemap: /proc/self/pagemap, -1: no overlay then. 0; -EEXIST: no place
 * near the object; another -errno. Sites whose bytes differ are left alone and counted.
 */
int sc_apply(struct sc_patched *out, const struct sc_plan_source *source, uint64_t bias, int pagemap,
	     int running);

/* Patches again what sc_apply_undo took back, with the stubs that are still there. */
int sc_apply_again(struct sc_patched *patched);

/* Index of the first of n addresses that lies inside a jump to be written, -1: none. */
int sc_apply_busy(const struct sc_plan *plan, uint64_t bias, const uint64_t *ip, uint32_t n);

/* Patched sites of a kind. */
uint32_t sc_apply_count(const struct sc_patched *patched, uint8_t kind);

/* Writes the original bytes of all patched windows back. */
int sc_apply_undo(struct sc_patched *patched);

#endif
