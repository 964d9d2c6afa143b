/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCOPE_INJECT_HELPER_H
#define SCOPE_INJECT_HELPER_H

/*
 * Starts a helper that outlives us: a grandchild in a session of its own, that init reaps, with /dev/null as its
 * standard streams and no other descriptor of ours, for the other ends of a terminal or a pipe must not be held open.
 * It runs body(arg, ready), which says how its start went with sc_helper_ready(), and ends when that returns.
 * Returns the body's word: 0 or -errno; -EAGAIN when it could not be started or said nothing.
 */
int sc_helper_start(void (*body)(void *arg, int ready), void *arg);

/* Called once by the body: err is 0 or -errno. 0 when nobody waits for it any more. */
int sc_helper_ready(int ready, int err);

#endif
