// SPDX-License-Identifier: Apache-2.0
// Attach to and detach from a running process. Layer 4.
#include <errno.h>
#include <string.h>
#include <time.h>

#include "inject/target.h"

static long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000L + ts.tv_nsec / 1000;
}

int sc_inject_process(pid_t pid, const struct sc_inject_what *what, long *stopped_us, struct sc_inject_error *err)
{
	struct sc_target t = {.mem = -1, .err = err};
	long from = now_us();
	int quiet, e = sc_target_stop(&t, pid);

	if (e < 0)
		return e;
	e = sc_target_seccomp(&t, &quiet);
	if (e == 0)
		e = sc_target_open_calls(&t);
	if (e == 0)
		e = sc_target_inject(&t, what, quiet);
	sc_target_release(&t);
	if (stopped_us)
		*stopped_us = now_us() - from;
	return e;
}
