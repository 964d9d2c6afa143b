/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes into this process's own code. No mapping is ever writable and executable at once: through
 * /proc/self/mem, or else by patched copies of whole pages that take the place of the old ones.
 */
#ifndef SCOPE_PATCH_WRITE_H
#define SCOPE_PATCH_WRITE_H

#include <stddef.h>
#include <stdint.h>

#define SC_WRITE_CHUNK 4096u

/* Collects writes that lie close together, in order of address. */
struct sc_writer {
	int mem_fd; /* /proc/self/mem, or -1 */
	int error;  /* first -errno, 0: none */
	uint64_t at;
	uint32_t len;
	uint8_t buf[SC_WRITE_CHUNK];
};

void sc_writer_open(struct sc_writer *w);

/* Adds n bytes (at most 64) to be written at va, which is not below earlier ones. */
void sc_writer_put(struct sc_writer *w, uint64_t va, const void *bytes, uint32_t n);

/* Writes what is left and closes. Returns 0 or the first error. */
int sc_writer_close(struct sc_writer *w);

/*
 * New memory for code at exactly `at`: n bytes (pages), readable and executable, filled with code.
 * 0, -EEXIST: something is there, or another -errno.
 */
int sc_code_map(uint64_t at, const void *code, size_t n);

#endif
