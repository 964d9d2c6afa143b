/* SPDX-License-Identifier: Apache-2.0 */
/* What a target with another root or other mounts gets there. Layer 5, see far.c. */
#ifndef SCOPE_LAUNCH_FAR_H
#define SCOPE_LAUNCH_FAR_H

#include "launch/launch.h"

struct sc_plan;

struct sc_far {
	uid_t uid;               /* of the target, as we number them */
	gid_t gid;
	char inside[PATH_MAX];   /* the channel folder: the target's SCOPE_DIR */
	char libscope[PATH_MAX]; /* libscope.so there; "": no place for code */
	char launcher[PATH_MAX]; /* `scope` there; "": none */
	char build[20];          /* names the copies */
	int root, dir, plans;    /* /proc/PID/root, the channel folder when it is not ours, its plans; -1: none */
};

/*
 * Makes the session's channels, library and launcher reachable for a process; pre: uid and gid are set, the hub is
 * made. Where it reaches ours nothing is done. 0; -EROFS: no place to write; -errno. Undone by sc_far_drop().
 */
int sc_far_bring(struct sc_far *far, const struct sc_session *s, const struct sc_install *in, pid_t pid);
void sc_far_drop(struct sc_far *far);

/* A plan for the target's children. fd: its file. 0 or -errno. */
int sc_far_put_plan(const struct sc_far *far, const struct sc_plan *plan, int fd);

#endif
