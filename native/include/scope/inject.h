/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the injector and an injected libscope.so tell each other. The injector maps the library into a
 * stopped process, puts a struct sc_inject into memory of that process, and calls the library's one
 * exported function, `scope_inject`, on a stack it brings along. Every other thread is stopped.
 */
#ifndef SCOPE_INJECT_H
#define SCOPE_INJECT_H

#include <stdint.h>

#define SC_INJECT_MAGIC 0x314a4e49u /* "INJ1" */
#define SC_INJECT_SYMBOL "scope_inject"
#define SC_INJECT_THREADS 4096u

enum sc_inject_op {
	SC_INJECT_EXEC = 1,   /* a new image before its first instruction: as the constructor would */
	SC_INJECT_ATTACH = 2, /* a running process: descriptors are found, bytes patched */
	SC_INJECT_DETACH = 3  /* restore every byte, record nothing any more; memory stays mapped */
};

/* 64 bytes + dir + ips. w: injector, but result and busy: library. */
struct sc_inject {
	uint32_t magic;    /* SC_INJECT_MAGIC */
	uint32_t op;       /* enum sc_inject_op */
	int32_t result;    /* 0, -errno; -EAGAIN: ip[busy] lies inside bytes to be written */
	uint32_t busy;
	uint32_t threads;  /* entries of ip */
	uint32_t quiet;    /* 1: a seccomp filter forbids calls of the library: none once this one has returned */
	uint32_t reserved[10];
	char dir[512];     /* SCOPE_DIR */
	uint64_t ip[SC_INJECT_THREADS]; /* where each thread will go on */
};
_Static_assert(sizeof(struct sc_inject) == 64 + 512 + 8 * SC_INJECT_THREADS, "sc_inject");

#endif
