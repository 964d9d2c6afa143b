/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes and threads: made, replaced, ended. Layer 4.
 *
 * A call that makes a process returns twice through the hook: with the child's id in the parent,
 * with 0 in the child. A child that shares the parent's memory (vfork) is muted by the thread
 * pointer, which it shares too, until the parent returns: it writes nothing until its exec.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <unistd.h>
#include "base/mem.h"
#include "probe/probe.h"
#include "sys/process.h"

static uint64_t clone_flags(const struct sc_call *c)
{
	switch (c->nr) {
	case __NR_clone:
		return c->arg[0];
	case __NR_clone3:
		/* Probing for the call with nothing in it is common. */
		return c->arg[0] && c->arg[1] >= CLONE_ARGS_SIZE_VER0
			       ? *(const uint64_t *)c->arg[0]
			       : 0;
	case __NR_vfork:
		return CLONE_VM | CLONE_VFORK;
	default:
		return 0;
	}
}

/* Said before the child is there, for it cannot say it. */
static void look_for_child(void)
{
	struct sc_ctx x;

	sc_chan.gave_up = 0;
	if (!sc_chan.quiet &&
	    sc_sys4(__NR_faccessat2, AT_FDCWD, (long)sc_chan.dir, W_OK | X_OK, AT_EACCESS) == -EACCES && sc_enter(&x))
		sc_note(&x, SC_NOTE_NO_WRITE, 0, NULL);
}

static void clone_pre(const struct sc_call *c)
{
	uint64_t flags = clone_flags(c), tp = sc_thread_pointer((int)sc_chan.tp_way);
	struct sc_ctx x;

	if (!sc_enter(&x))
		return;
	if (flags & CLONE_THREAD) {
		/* Counted ahead: the thread may end before its maker is back. */
		atomic_store_explicit(&sc_chan.threaded, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&sc_chan.threads, 1, memory_order_relaxed);
	} else if (flags & CLONE_VM) {
		sc_mute(tp, !(flags & CLONE_VFORK));
	} else {
		if (sc_unlikely(sc_chan.gave_up))
			look_for_child();
		sc_chan_snapshot(tp);
	}
}

/* A child of a fork: by the wiped page, or where the kernel does not wipe by the flags. */
static int is_forked(uint64_t flags)
{
	if (sc_chan.wipes)
		return atomic_load_explicit(&sc_live.state, memory_order_relaxed) == SC_LIVE_NONE;
	if (flags & CLONE_VM || sc_chan.pid == sc_sys_getpid())
		return 0;
	atomic_store_explicit(&sc_live.state, SC_LIVE_NONE, memory_order_relaxed);
	return 1;
}

/*
 * In the child. The arguments of clone3 may be gone: they lie on the stack of a parent that runs
 * on. Kernels with clone3 wipe, so flags are those of clone, in a register, when they matter.
 */
static void born(const struct sc_call *c, uint64_t tp)
{
	uint64_t flags = c->nr == __NR_clone3 ? 0 : clone_flags(c);
	struct sc_ctx x;

	if (is_forked(flags)) {
		if (sc_enter(&x))
			sc_stream_fork();
	} else if (!sc_muted(tp)) {
		sc_thread_forget(tp);
	}
}

static void clone_post(struct sc_call *c)
{
	uint64_t tp = sc_thread_pointer((int)sc_chan.tp_way), flags;
	struct sc_record *r;
	struct sc_ctx x;

	if (c->ret == 0) {
		born(c, tp);
		return;
	}
	flags = clone_flags(c);
	if (flags & CLONE_THREAD) {
		if (c->ret < 0)
			atomic_fetch_sub_explicit(&sc_chan.threads, 1, memory_order_relaxed);
	} else if (flags & CLONE_VM) {
		sc_unmute(tp);
		sc_exec_release(tp);
	} else if (atomic_load_explicit(&sc_chan.fork_tp, memory_order_relaxed) == tp) {
		atomic_store_explicit(&sc_chan.fork_tp, 0, memory_order_relaxed);
	}
	if (!sc_enter(&x))
		return;
	sc_count_call(&x, c->nr);
	if (c->ret < 0)
		return;
	if (flags & CLONE_THREAD) {
		sc_count(&x, SC_C_PROC_THREAD, 1);
		return;
	}
	sc_count(&x, SC_C_PROC_FORK, 1);
	if (!(x.want & SC_WANT_PROCESS))
		return;
	r = sc_record_begin(&x, SC_REC_FORK, -1, 0);
	if (!r)
		return;
	r->ret = c->ret;
	r->nr = (uint16_t)c->nr;
	sc_record_commit(&x, r, 0);
}

/* ---- exec ---- */

static void record_exec(struct sc_ctx *x, const struct sc_call *c, int64_t ret)
{
	const char *path = (const char *)c->arg[c->nr == __NR_execveat];
	size_t len = 0;
	struct sc_record *r;

	if (!(x->want & SC_WANT_PROCESS))
		return;
	if (ret != -EFAULT && (sc_chan.quiet || sc_readable(path, 1)))
		len = sc_strnlen(path, SC_PATH_MAX);
	r = sc_record_begin(x, SC_REC_EXEC, -1, (uint32_t)len);
	if (!r)
		return;
	r->ret = ret;
	r->nr = (uint16_t)c->nr;
	memcpy(sc_record_payload(r), path, len);
	sc_record_commit(x, r, (uint32_t)len);
}

static void exec_pre(struct sc_call *c)
{
	uint64_t tp = sc_thread_pointer((int)sc_chan.tp_way);
	int at = c->nr == __NR_execveat;
	char **envp = (char **)c->arg[2 + at];
	const char *path = (const char *)c->arg[at];
	struct sc_ctx x;

	if (sc_enter(&x)) {
		sc_count_call(&x, c->nr);
		sc_count(&x, SC_C_PROC_EXEC, 1);
		/* The next image goes on counting where this one ends. */
		sc_record_usage(&x, SC_REC_SAMPLE, NULL);
		record_exec(&x, c, 0);
		atomic_store_explicit(&x.head->state, SC_STATE_EXEC, memory_order_release);
	} else {
		sc_count_muted(c->nr);
	}
	if (sc_chan.quiet || !sc_readable(path, 1) || (envp && !sc_readable(envp, sizeof(*envp))))
		return;
	c->arg[2 + at] = (uint64_t)sc_exec_environment(path, envp, tp);
	if (!at && sc_readable((void *)c->arg[1], sizeof(char *)) &&
	    sc_exec_through_launcher(&path, (char ***)&c->arg[1], tp))
		c->arg[0] = (uint64_t)path;
}

/* Only a failed exec comes back. */
static void exec_post(struct sc_call *c)
{
	struct sc_ctx x;

	sc_exec_release(sc_thread_pointer((int)sc_chan.tp_way));
	if (!sc_enter(&x))
		return;
	atomic_store_explicit(&x.head->state, SC_STATE_LIVE, memory_order_release);
	record_exec(&x, c, c->ret);
}

/* ---- exit ---- */

static void exit_pre(const struct sc_call *c)
{
	struct sc_ctx x;

	if (!sc_enter(&x)) {
		sc_count_muted(c->nr);
		return;
	}
	sc_count_call(&x, c->nr);
	if (c->nr == __NR_exit &&
	    atomic_fetch_sub_explicit(&sc_chan.threads, 1, memory_order_relaxed) > 1) {
		sc_thread_forget(x.tp);
		return;
	}
	sc_record_usage(&x, SC_REC_EXIT, c);
	atomic_store_explicit(&x.head->exit_code, (int32_t)c->arg[0], memory_order_relaxed);
	/* The last record is there before the state says so. */
	atomic_store_explicit(&x.head->state, SC_STATE_EXITED, memory_order_release);
	sc_hub_ring();
}

/* ---- dispatch ---- */

/* A server that gives up root: its folder may be closed to it from here on. */
static void rights_pre(void)
{
	struct sc_ctx x;

	if (!sc_enter(&x))
		return;
	sc_fdx_prepare();
	sc_hub_give_up();
	sc_chan.gave_up = 1;
}

void sc_probe_process_pre(struct sc_call *c)
{
	switch (c->nr) {
	case __NR_fork:
	case __NR_vfork:
	case __NR_clone:
	case __NR_clone3:
		clone_pre(c);
		break;
	case __NR_execve:
	case __NR_execveat:
		exec_pre(c);
		break;
	case __NR_exit:
	case __NR_exit_group:
		exit_pre(c);
		break;
	case __NR_seccomp:
	case __NR_prctl:
		sc_filter_pre(c);
		break;
	case __NR_setuid:
	case __NR_setreuid:
	case __NR_setresuid:
		rights_pre();
		break;
	}
}

void sc_probe_process(struct sc_call *c)
{
	switch (c->nr) {
	case __NR_fork:
	case __NR_vfork:
	case __NR_clone:
	case __NR_clone3:
		clone_post(c);
		break;
	case __NR_execve:
	case __NR_execveat:
		exec_post(c);
		break;
	default: /* the rest is counted; of these only filters need more */
		sc_filter_post(c);
	}
}
