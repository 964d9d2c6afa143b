/* SPDX-License-Identifier: Apache-2.0 */
/* Gets the plan of an object: from the folder of plans, else computed and left there for the next. */
#ifndef SCOPE_PATCH_STORE_H
#define SCOPE_PATCH_STORE_H

#include "elf/plan.h"
#include "patch/objects.h"

struct sc_plan_source {
	struct sc_plan *plan; /* private, writable memory of map_size bytes */
	size_t map_size;
	uint64_t stubs;       /* where its stubs are mapped with it, ready to run; 0: nowhere */
	int fd;               /* of a plan file whose overlay may be mapped, else -1; caller closes */
	int computed;
};

/*
 * plans: the folder, or NULL. near: the object is loaded, and the stubs of a plan with an overlay are to be
 * mapped where its jumps reach them. 0, or -errno. A plan file of another owner, or one that others may
 * write, is not used: its overlay is code.
 */
int sc_plan_get(const char *plans, const struct sc_object *object, int near, struct sc_plan_source *out);

#endif
