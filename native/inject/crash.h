/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crash files: what a process looked like when SIGSEGV, SIGBUS, SIGILL or SIGFPE was about to end it. Only on
 * request (--backtrace, --coredump): a helper traces the process and its children from outside, so nothing in
 * the process changes and a handler of its own is left alone.
 *
 * Files, in /tmp/appscope/PID/, EPOCH in seconds:
 *   info_EPOCH       version, time, pid, name, signal
 *   cfg_EPOCH        the session's effective configuration
 *   backtrace_EPOCH  the stack of the thread that failed
 *   core_EPOCH       an ELF core for gdb
 */
#ifndef SCOPE_INJECT_CRASH_H
#define SCOPE_INJECT_CRASH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/user.h>

struct sc_crash_options {
	bool backtrace;
	bool core;
	const char *config; /* file copied to cfg_EPOCH, NULL: none */
};

/* One mapping of a stopped process. */
struct sc_map {
	uint64_t lo, hi, off;
	int prot; /* PROT_* */
	bool special; /* vvar and the like: cannot be read */
	char path[256];
};

struct sc_maps {
	struct sc_map *map;
	size_t count;
	int mem; /* /proc/PID/mem */
	pid_t pid;
};

/* Reads /proc/PID/maps and opens its memory. 0 or -errno. */
int sc_maps_open(struct sc_maps *m, pid_t pid);
void sc_maps_close(struct sc_maps *m);
/* The mapping that holds an address, or NULL. */
const struct sc_map *sc_maps_find(const struct sc_maps *m, uint64_t address);
/* n bytes of its memory: 1, or 0. */
int sc_maps_read(const struct sc_maps *m, uint64_t at, void *to, size_t n);

/*
 * Traces what we trace already until all of it has ended, writing crash files on the way. Pre: every tracee was
 * seized with PTRACE_O_TRACECLONE|FORK|VFORK|EXEC and goes on.
 */
void sc_crash_watch(const struct sc_crash_options *options);

/*
 * The same for a running process and what it starts from now on, by a helper that is not our child and ends with the
 * process. 0 or -errno.
 */
int sc_crash_watch_process(pid_t pid, const struct sc_crash_options *options);

/* The stack of a stopped thread, one frame a line, by the call frame information of its objects. */
void sc_crash_backtrace(FILE *out, const struct sc_maps *m, const struct user_regs_struct *regs);

/* An ELF core of a process whose threads are stopped; tids[0] is the one that failed. 0 or -errno. */
int sc_crash_core(FILE *out, const struct sc_maps *m, const pid_t *tids, size_t count, int signal);

/* One step up the stack: regs become those of the caller. 1; 0: the end, or nothing is known. */
int sc_unwind_step(const struct sc_maps *m, struct user_regs_struct *regs, int is_caller);

#endif
