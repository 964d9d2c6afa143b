/* SPDX-License-Identifier: Apache-2.0 */
/* How this process comes to be observed. Layer 5. */
#ifndef SCOPE_LIBSCOPE_START_H
#define SCOPE_LIBSCOPE_START_H

#include <stdint.h>

struct sc_start {
	uint32_t origin;    /* enum sc_origin */
	uint32_t ips;       /* threads, all stopped but the caller; 0: we are the constructor */
	const char *dir;    /* SCOPE_DIR; NULL: from the environment */
	const uint64_t *ip; /* where each thread goes on */
	uint32_t *busy;     /* with -EAGAIN: index of a thread that stands inside bytes to be written */
};

/* 0; -errno: the process runs on unobserved. */
int sc_start(const struct sc_start *how);

#endif
