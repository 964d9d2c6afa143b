/* SPDX-License-Identifier: Apache-2.0 */
/* Filters that a process sets for its system calls: afterwards the library makes none of its own. Layer 4. */
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include "probe/probe.h"

static int sets_filter(const struct sc_call *c)
{
	if (c->nr == __NR_prctl)
		return c->arg[0] == PR_SET_SECCOMP;
	return c->nr == __NR_seccomp && (c->arg[0] == SECCOMP_SET_MODE_STRICT ||
					 c->arg[0] == SECCOMP_SET_MODE_FILTER);
}

/* Afterwards rdtsc, and with strict seccomp every call but four, ends the process: our code must be out by then. */
static int forbids_us(const struct sc_call *c)
{
	if (c->nr == __NR_seccomp)
		return c->arg[0] == SECCOMP_SET_MODE_STRICT;
	return (c->arg[0] == PR_SET_SECCOMP && c->arg[1] == SECCOMP_MODE_STRICT) ||
	       (c->arg[0] == PR_SET_TSC && c->arg[1] == PR_TSC_SIGSEGV);
}

void sc_filter_pre(struct sc_call *c)
{
	struct sc_ctx x;

	if (sets_filter(c))
		sc_chan_quiet();
	if (!forbids_us(c))
		return;
	if (sc_enter(&x)) {
		sc_count_call(&x, c->nr);
		x.head->flags |= SC_HF_SECCOMP;
		sc_note(&x, SC_NOTE_SECCOMP, 1, NULL);
	}
	sc_patch_stop();
}

/* arg: of the note; 2 when the filter was there before us. */
static void go_quiet(struct sc_ctx *x, uint32_t arg)
{
	sc_chan.quiet = 1;
	x->head->flags |= SC_HF_SECCOMP;
	sc_note(x, SC_NOTE_SECCOMP, arg, NULL);
}

/* What is open already must be learned now: it takes calls. */
static void learn_descriptors(void)
{
	struct sc_call none = {.nr = 0xffff};
	struct sc_hook h = {.call = &none};

	if (!sc_enter(&h.x))
		return;
	for (int fd = 0; fd < (int)SC_FDS; fd++)
		sc_fd_known(&h, fd);
}

void sc_filter_found(void)
{
	struct sc_ctx x;

	sc_chan_quiet();
	learn_descriptors();
	if (sc_enter(&x))
		go_quiet(&x, 2);
}

void sc_filter_post(struct sc_call *c)
{
	struct sc_ctx x;

	if (!sc_enter(&x)) {
		sc_count_muted(c->nr);
		return;
	}
	sc_count_call(&x, c->nr);
	if (!sets_filter(c) || c->ret < 0 || sc_chan.quiet)
		return;
	go_quiet(&x, 0);
}
