/* SPDX-License-Identifier: Apache-2.0 */
/* A process under our ptrace: its stopped threads, memory and registers. */
#ifndef SCOPE_INJECT_TARGET_H
#define SCOPE_INJECT_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "inject/inject.h"
#include <scope/inject.h>

struct sc_thread {
	pid_t tid;
	int signal; /* to be delivered when it goes on */
	struct user_regs_struct regs;
};

struct sc_target {
	pid_t pid;
	pid_t proc;             /* its number in our /proc, which may be of a pid namespace above ours */
	int mem;                /* /proc/PID/mem */
	unsigned count;
	struct sc_thread *thread;
	struct sc_thread *lead; /* makes the remote calls */
	uint64_t mask;          /* its signal mask */
	uint64_t gadget;        /* where "syscall; int3" stands while we are there */
	uint8_t gadget_was[3];
	struct sc_inject_error *err;
};

/* Puts a message and returns -e. */
int sc_target_fail(struct sc_target *t, int e, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Says why ptrace of pid was refused with errno e, and what can be done about it. Returns -errno. */
int sc_target_refused(struct sc_target *t, pid_t pid, int e);

/* Stops every thread of a running process. On failure all are let go. */
int sc_target_stop(struct sc_target *t, pid_t pid);
/* Takes over a process that is already in a ptrace stop of ours. proc: its number in our /proc. */
int sc_target_take(struct sc_target *t, pid_t pid, pid_t proc);
/* Our own number in our /proc: not getpid() when that is of another pid namespace. 0: there is no /proc. */
pid_t sc_proc_self(void);
/* Lets every thread go on where it was, with the signals it was owed, and forgets it. */
void sc_target_release(struct sc_target *t);
/* The same, but we go on to trace it. */
void sc_target_resume(struct sc_target *t);

/* All n bytes, or -errno. */
int sc_target_read(struct sc_target *t, uint64_t at, void *buf, size_t n);
int sc_target_write(struct sc_target *t, uint64_t at, const void *buf, size_t n);

/*
 * Lets our calls pass a seccomp filter of the stopped target. quiet: 1 when the library must make none later. 0, or
 * -EPERM: a call would end it.
 */
int sc_target_seccomp(struct sc_target *t, int *quiet);

/* Prepares remote calls: writes the gadget, blocks the lead's signals. Undone by sc_target_release(). */
int sc_target_open_calls(struct sc_target *t);
/* A system call in the target: the kernel's value, or -EPROTO when the target died. */
long sc_target_syscall(struct sc_target *t, long nr, const uint64_t arg[6]);
/* Calls a function with one argument on a stack of ours; *ret is its result. 0 or -errno. */
int sc_target_call(struct sc_target *t, uint64_t function, uint64_t arg, uint64_t stack_top, uint64_t *ret);
/* One instruction of another thread. 0 or -errno. */
int sc_target_step(struct sc_target *t, struct sc_thread *th);

/*
 * Maps the library (or finds it mapped) and gives the address of scope_inject. inside: its path in the target's
 * root, "" when it has none. 0 or -errno.
 */
int sc_target_map_library(struct sc_target *t, const char *library, const char *inside, uint64_t *entry);
/* Calls the library in a target whose threads are stopped. quiet: it may make no calls afterwards. 0 or -errno. */
int sc_target_inject(struct sc_target *t, const struct sc_inject_what *what, int quiet);

#endif
