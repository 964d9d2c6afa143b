/* SPDX-License-Identifier: Apache-2.0 */
/* The objects loaded in this process, by the dynamic loader's list; no file and no libc is asked. */
#ifndef SCOPE_PATCH_OBJECTS_H
#define SCOPE_PATCH_OBJECTS_H

#include "elf/image.h"

enum sc_object_role {
	SC_OBJECT_EXE = 1,
	SC_OBJECT_LOADER = 2, /* ld.so; with musl libc too */
	SC_OBJECT_LIBRARY = 4
};

struct sc_object {
	struct sc_elf elf;
	const char *path; /* as the loader knows it, "" for the executable */
	uint32_t role;    /* enum sc_object_role bits */
};

/*
 * Calls each for the executable, the loader, then the libraries, until it returns non-zero.
 * Returns that value, or 0. An object may come twice (as loader and in the list).
 */
int sc_objects_each(int (*each)(const struct sc_object *object, void *arg), void *arg);

#define SC_SEEN_FIRST 24u
#define SC_SEEN_MORE  488u

/* Which objects were looked at: their bases. All zero at first; most programs have few. */
struct sc_objects_seen {
	uint32_t used;
	uint32_t careful; /* other threads may load and unload objects now: each pointer is checked */
	uint64_t first[SC_SEEN_FIRST];
	uint64_t *more;   /* SC_SEEN_MORE of them */
};

/*
 * The same for objects that were not seen before, in the order of the loader's list. -EAGAIN, and
 * nothing is called: the loader is in the middle of a change.
 */
int sc_objects_fresh(struct sc_objects_seen *seen,
		     int (*each)(const struct sc_object *object, void *arg), void *arg);

/* The last part of a path. */
const char *sc_base_name(const char *path);

#endif
