/* SPDX-License-Identifier: Apache-2.0 */
/* Which process a PID or NAME of the command line means. Layer 5, see pick.c. */
#ifndef SCOPE_LAUNCH_PICK_H
#define SCOPE_LAUNCH_PICK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SC_PICK_MAX 256

struct sc_pick {
	const char *verb;    /* of the messages */
	const char *word;    /* PID or part of a name; NULL: every process */
	const char *rootdir; /* where the host's root is mounted, NULL: / */
	bool scoped;         /* only those with the library */
	bool all;            /* every match, not one */
};

/*
 * The processes meant: their number (1 unless all), or 0 after a message. A terminal is asked when several fit; else
 * they are listed and it is an error.
 */
int sc_pick(const struct sc_pick *how, pid_t found[SC_PICK_MAX]);

/* The command name of a process, "" when it is gone. */
void sc_comm_of(pid_t pid, char *out, size_t size);
/* The library is mapped. */
bool sc_has_library(pid_t pid);

#endif
