/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes this process call us at its system calls: finds libc, the dynamic loader and a static or Go
 * executable, gets their plans (elf/plan.h) from a folder or computes them, and applies them.
 * Not thread-safe: one caller at a time, at start or while the other threads are stopped.
 */
#ifndef SCOPE_PATCH_H
#define SCOPE_PATCH_H

#include <stddef.h>
#include <stdint.h>

/*
 * A system call as a handler sees it. The handler runs on the application's stack, below its red
 * zone, about 150 bytes of which the gate uses. Every register is kept but rax (from ret or, before
 * the call, nr), rcx and r11; vector registers are never touched. A handler makes no call of libc.
 */
struct sc_call {
	int64_t ret;     /* post: the kernel's result, -errno on failure. pre: the number */
	uint64_t arg[6]; /* pre may change them */
	uint32_t nr;
	uint32_t start; /* low 32 bits of the TSC at the pre window, 0: there was none */
	void *sp;       /* the application's stack pointer at the site */
};

typedef void (*sc_call_handler)(struct sc_call *call);

struct sc_patch_options {
	sc_call_handler post; /* after each hooked call; also in a child of clone, fork, vfork (ret 0) */
	sc_call_handler pre;  /* before calls with SC_CALL_PRE */
	/*
	 * After (*tls.Conn).Read (nr 0) and Write (nr 1) of Go's crypto/tls: ret bytes (or an error) of
	 * plaintext at arg[1], receiver arg[0], which is garbage when the call began before we came. NULL:
	 * not wanted.
	 */
	sc_call_handler go_tls;
	const char *plans;    /* folder of plans, NULL: none is read or stored */
	int running;          /* other threads exist (stopped): what would harm a blocked call is left out */
	const uint64_t *ip;   /* where each of them will go on */
	uint32_t ips;
};

struct sc_patch_report {
	uint32_t objects;  /* objects patched */
	uint32_t overlays; /* of these by a mapped overlay */
	uint32_t sites;    /* sites the plans ask for */
	uint32_t patched;
	uint32_t differs;  /* left alone: other bytes in memory than in the plan */
	uint32_t unseen;   /* sites of hooked calls that no plan can patch */
	uint32_t computed; /* plans computed here */
	int32_t error;     /* first -errno met, 0: none */
	uint32_t busy;     /* index of the thread, when -EAGAIN is returned */
	char libc[64];     /* "glibc 2.36", "musl 1.2.3", "" */
	uint32_t is_static; /* the executable has no dynamic loader */
	uint32_t is_go;
	uint32_t go_tls; /* returns of Go's TLS functions that are hooked */
};

/*
 * Finds and patches; after sc_patch_stop, patches the same objects again. 0, or -errno when nothing
 * at all is patched; the report says what was done. -EAGAIN: a thread stands inside bytes that are
 * to be written.
 */
int sc_patch_start(const struct sc_patch_options *options, struct sc_patch_report *report);

/* Writes back every original byte (sites and entries). Stubs stay mapped: a thread may be in one. */
int sc_patch_stop(void);

/*
 * Sends calls of function to wrapper; *original then calls what the function did. Pre: function is
 * the first instruction of code in this process. -EINVAL: its first bytes cannot be moved.
 */
int sc_patch_entry(void *function, void *wrapper, void **original);

/*
 * Around several sc_patch_entry: their writes share one way into the text. Only the end tells
 * whether all could be written; every function is whole at any moment. Not thread-safe.
 */
void sc_patch_entries_begin(void);
int sc_patch_entries_end(void);

/* The address of a function exported by an object whose name begins with prefix ("libssl.so"), or NULL. */
void *sc_patch_symbol(const char *prefix, const char *name);

#endif
