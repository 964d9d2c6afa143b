// SPDX-License-Identifier: Apache-2.0
// System calls and calls of functions in a stopped process. Layer 4.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inject/target.h"

int sc_target_read(struct sc_target *t, uint64_t at, void *buf, size_t n)
{
	while (n > 0) {
		ssize_t got = pread(t->mem, buf, n, (off_t)at);

		if (got <= 0)
			return got < 0 ? -errno : -EFAULT;
		buf = (char *)buf + got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

int sc_target_write(struct sc_target *t, uint64_t at, const void *buf, size_t n)
{
	while (n > 0) {
		ssize_t got = pwrite(t->mem, buf, n, (off_t)at);

		if (got <= 0)
			return got < 0 ? -errno : -EFAULT;
		buf = (const char *)buf + got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

/* The start of an executable, file-backed mapping: no thread moves while three bytes of ours stand there. */
static uint64_t executable_bytes(pid_t pid)
{
	char path[64], line[4352], perms[8];
	unsigned long lo, hi;
	uint64_t found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (!found && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %7s", &lo, &hi, perms) == 3 && perms[2] == 'x' && strchr(line, '/'))
			found = lo;
	fclose(f);
	return found;
}

int sc_target_open_calls(struct sc_target *t)
{
	static const uint8_t code[3] = {0x0f, 0x05, 0xcc}; /* syscall; int3 */
	uint64_t at = executable_bytes(t->proc);
	uint64_t all = ~0ull;
	int err;

	if (!at)
		return sc_target_fail(t, ENOEXEC, "process %d has no executable file mapped", (int)t->pid);
	err = sc_target_read(t, at, t->gadget_was, sizeof(t->gadget_was));
	if (err == 0 && ptrace(PTRACE_GETSIGMASK, t->lead->tid, sizeof(t->mask), &t->mask) < 0)
		err = -errno;
	if (err == 0 && ptrace(PTRACE_SETSIGMASK, t->lead->tid, sizeof(all), &all) < 0)
		err = -errno;
	if (err == 0) {
		t->gadget = at;
		err = sc_target_write(t, at, code, sizeof(code));
	}
	if (err < 0)
		return sc_target_fail(t, -err, "cannot write to the text of process %d: %s", (int)t->pid,
				      strerror(-err));
	return 0;
}

/* Runs the lead until it meets int3. Signals that come meanwhile are blocked by its mask. */
static int run(struct sc_target *t, struct user_regs_struct *regs)
{
	pid_t tid = t->lead->tid;
	int status;

	if (ptrace(PTRACE_SETREGS, tid, 0, regs) < 0 || ptrace(PTRACE_CONT, tid, 0, 0) < 0)
		return -errno;
	for (;;) {
		while (waitpid(tid, &status, __WALL) < 0)
			if (errno != EINTR)
				return -errno;
		if (!WIFSTOPPED(status))
			return -ESRCH;
		if (status >> 16 == PTRACE_EVENT_STOP || WSTOPSIG(status) == SIGSTOP) {
			ptrace(PTRACE_CONT, tid, 0, 0);
			continue;
		}
		break;
	}
	if (ptrace(PTRACE_GETREGS, tid, 0, regs) < 0)
		return -errno;
	return WSTOPSIG(status) == SIGTRAP ? 0 : -EFAULT;
}

long sc_target_syscall(struct sc_target *t, long nr, const uint64_t arg[6])
{
	struct user_regs_struct r = t->lead->regs;
	int err;

	r.rip = t->gadget;
	r.orig_rax = (unsigned long long)-1;
	r.rax = (unsigned long long)nr;
	r.rdi = arg[0];
	r.rsi = arg[1];
	r.rdx = arg[2];
	r.r10 = arg[3];
	r.r8 = arg[4];
	r.r9 = arg[5];
	err = run(t, &r);
	return err < 0 ? -EPROTO : (long)r.rax;
}

int sc_target_call(struct sc_target *t, uint64_t function, uint64_t arg, uint64_t stack_top, uint64_t *ret)
{
	struct user_regs_struct r = t->lead->regs;
	uint64_t back = t->gadget + 2; /* the int3 */
	int err;

	/* As behind a call instruction: the return address at a stack pointer of 16n + 8. */
	r.rsp = (stack_top & ~15ull) - 8;
	err = sc_target_write(t, r.rsp, &back, sizeof(back));
	if (err < 0)
		return err;
	r.rip = function;
	r.rdi = arg;
	r.rax = 0;
	r.orig_rax = (unsigned long long)-1;
	r.eflags &= ~0x400ull; /* the direction flag is clear on entry */
	err = run(t, &r);
	if (err == 0 && r.rip != back + 1)
		err = -EFAULT;
	*ret = r.rax;
	return err;
}

int sc_target_step(struct sc_target *t, struct sc_thread *th)
{
	int status;

	/* The lead's registers are those of the last remote call: it steps from where it was stopped. */
	if (th == t->lead && ptrace(PTRACE_SETREGS, th->tid, 0, &th->regs) < 0)
		return -errno;
	if (ptrace(PTRACE_SINGLESTEP, th->tid, 0, 0) < 0)
		return -errno;
	while (waitpid(th->tid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFSTOPPED(status))
		return -ESRCH;
	if (WSTOPSIG(status) != SIGTRAP)
		th->signal = WSTOPSIG(status);
	return ptrace(PTRACE_GETREGS, th->tid, 0, &th->regs) < 0 ? -errno : 0;
}
