/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel says about this process: auxv, environ, memory map. All work without libc and
 * without /proc where the kernel offers another way.
 */
#ifndef SCOPE_SYS_PROCESS_H
#define SCOPE_SYS_PROCESS_H

#include <stddef.h>
#include <stdint.h>

struct sc_auxv {
	uint64_t key;
	uint64_t value;
};

/*
 * Reads the auxiliary vector (PR_GET_AUXV, else /proc/self/auxv) into max pairs.
 * Returns the number of pairs, the ending AT_NULL not counted; 0: unknown.
 */
size_t sc_auxv_read(struct sc_auxv *out, size_t max);

/* The value of a key of the vector, or fallback. */
uint64_t sc_auxv_get(const struct sc_auxv *auxv, size_t n, uint64_t key, uint64_t fallback);

/* Reads a whole small file. Returns the bytes read (at most max), or -errno. */
long sc_file_read(const char *path, void *buf, size_t max);

struct sc_map {
	uint64_t start, end, offset, inode;
	uint32_t prot; /* PROT_* bits */
	uint32_t shared;
	char path[512]; /* "" for anonymous memory */
};

/*
 * Calls each for every mapping of /proc/PID/maps (pid 0: self) until it returns non-zero.
 * Returns that value, 0 at the end, or -errno.
 */
int sc_maps_each(int pid, int (*each)(const struct sc_map *map, void *arg), void *arg);

/* 1 when all n bytes at p can be read (asked from the kernel, never by touching them). */
int sc_readable(const void *p, size_t n);

/* Copies n bytes from p when they can be read; 1 when it did. */
int sc_copy_safely(void *to, const void *p, size_t n);

#endif
