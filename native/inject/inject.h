/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts libscope.so into another process by ptrace, without that process' dlopen. Layer 4, part of the
 * launcher. One caller, one target at a time.
 */
#ifndef SCOPE_INJECT_INJECT_H
#define SCOPE_INJECT_INJECT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What went wrong, for people: set by the functions below when they fail. */
struct sc_inject_error {
	char text[512];
};

struct sc_inject_what {
	uint32_t op;         /* of scope/inject.h */
	const char *libscope;/* libscope.so, as we reach it */
	const char *inside;  /* … as the target reaches it; "": it does not, NULL: the same path */
	const char *dir;     /* SCOPE_DIR, as the target reaches it */
};

/*
 * Attaches to or detaches from a running process: stops its threads, calls the library there (maps it first when
 * it is absent), lets them go on.
 * 0 and *stopped_us, the time the threads stood; -errno and err->text. The target is unharmed either way.
 */
int sc_inject_process(pid_t pid, const struct sc_inject_what *what, long *stopped_us, struct sc_inject_error *err);

/* Why a process may not be looked at or traced (e: EPERM or ESRCH), in err->text. Returns -errno. */
int sc_inject_refused(pid_t pid, int e, struct sc_inject_error *err);

struct sc_crash_options;

/* What a helper does with the image of the next execve. */
struct sc_exec_help {
	const char *libscope; /* put in, for an image that no LD_PRELOAD reaches; NULL: not needed */
	const char *dir;      /* SCOPE_DIR */
	const char *notes;    /* file that gets a line about what failed */
	const struct sc_crash_options *crash; /* watch it and its children from then on; NULL: no */
};

/*
 * Call before execve: starts a helper (not our child) that waits for this process' next execve, does
 * what is asked there and ends, or stays as long as it watches. 0; -errno: there is no helper.
 */
int sc_inject_next_exec(const struct sc_exec_help *help);

/* Whether an executable file has no dynamic loader. 1, 0; -errno: not a 64-bit ELF of this machine. */
int sc_inject_is_static(const char *path);

#endif
