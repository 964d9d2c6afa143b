// SPDX-License-Identifier: Apache-2.0
// Stops and releases the threads of a process; explains refusals. Layer 4.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inject/target.h"

int sc_target_fail(struct sc_target *t, int e, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(t->err->text, sizeof(t->err->text), format, args);
	va_end(args);
	return -e;
}

/* A number of /proc/PID/status, or -1. */
static long status_number(pid_t pid, const char *key)
{
	char path[64], line[256];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtol(line + strlen(key), NULL, 10);
	fclose(f);
	return value;
}

static int yama(void)
{
	FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int value = 0;

	if (f) {
		if (fscanf(f, "%d", &value) != 1)
			value = 0;
		fclose(f);
	}
	return value;
}

/* Says why ptrace was refused and what can be done about it. */
static int refused(struct sc_target *t, pid_t pid, int e)
{
	long tracer = status_number(pid, "TracerPid:");
	long uid = status_number(pid, "Uid:");

	if (e == ESRCH || uid < 0)
		return sc_target_fail(t, ESRCH, "no process %d", (int)pid);
	if (tracer > 0)
		return sc_target_fail(t, EBUSY, "process %d is traced by process %ld (a debugger?): end that first",
				      (int)pid, tracer);
	if (e == EPERM && geteuid() != 0 && uid != (long)geteuid())
		return sc_target_fail(t, EPERM, "process %d belongs to user %ld: run scope as that user or as root",
				      (int)pid, uid);
	if (e == EPERM && geteuid() != 0 && yama() > 0)
		return sc_target_fail(t, EPERM,
				      "the kernel allows ptrace of own children only (kernel.yama.ptrace_scope=%d): run "
				      "scope as root, or set it to 0, or start the program with scope",
				      yama());
	if (e == EPERM && geteuid() == 0)
		return sc_target_fail(t, EPERM,
				      "ptrace of process %d is not permitted though we are root: CAP_SYS_PTRACE is missing, a "
				      "seccomp filter or security module forbids it, or it is a kernel thread",
				      (int)pid);
	return sc_target_fail(t, e, "ptrace of process %d: %s (not dumpable, or a seccomp filter?)", (int)pid,
			      strerror(e));
}

static struct sc_thread *find(struct sc_target *t, pid_t tid)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->thread[i].tid == tid)
			return &t->thread[i];
	return NULL;
}

static int add(struct sc_target *t, pid_t tid)
{
	struct sc_thread *more = realloc(t->thread, (t->count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	t->thread = more;
	memset(&more[t->count], 0, sizeof(*more));
	more[t->count++].tid = tid;
	return 0;
}

/* Waits for the stop of one thread; a signal on its way is kept for later. */
static int wait_stop(struct sc_thread *th)
{
	int status;

	while (waitpid(th->tid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFSTOPPED(status))
		return -ESRCH;
	if (status >> 16 != PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP)
		th->signal = WSTOPSIG(status);
	return 0;
}

/* Seizes threads until no new one is found; returns how many were new, or -errno. */
static int seize_round(struct sc_target *t)
{
	char path[64];
	struct dirent *e;
	int found = 0, err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)t->pid);
	dir = opendir(path);
	if (!dir)
		return -ESRCH;
	while ((e = readdir(dir)) && err == 0) {
		pid_t tid = (pid_t)atoi(e->d_name);

		if (tid <= 0 || find(t, tid))
			continue;
		if (ptrace(PTRACE_SEIZE, tid, 0, 0) < 0) {
			if (errno == ESRCH && tid != t->pid)
				continue; /* it ended meanwhile */
			err = -errno;
			break;
		}
		if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0)
			continue;
		err = add(t, tid);
		found++;
	}
	closedir(dir);
	return err ? err : found;
}

static int open_mem(struct sc_target *t)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)t->pid);
	t->mem = open(path, O_RDWR | O_CLOEXEC);
	return t->mem < 0 ? -errno : 0;
}

static int get_regs(struct sc_target *t)
{
	for (unsigned i = 0; i < t->count; i++)
		if (ptrace(PTRACE_GETREGS, t->thread[i].tid, 0, &t->thread[i].regs) < 0)
			return -errno;
	t->lead = find(t, t->pid);
	if (!t->lead)
		t->lead = &t->thread[0];
	return 0;
}

int sc_target_stop(struct sc_target *t, pid_t pid)
{
	unsigned stopped = 0;
	int n;

	t->pid = pid;
	t->mem = -1;
	do {
		n = seize_round(t);
		if (n < 0) {
			n = refused(t, pid, -n);
			sc_target_release(t);
			return n;
		}
		for (; stopped < t->count; stopped++)
			if (wait_stop(&t->thread[stopped]) < 0) {
				/* The thread ended: forget it. */
				t->thread[stopped--] = t->thread[--t->count];
			}
	} while (n > 0);
	if (t->count == 0)
		return sc_target_fail(t, ESRCH, "process %d ended", (int)pid);
	n = open_mem(t);
	if (n == 0)
		n = get_regs(t);
	if (n < 0) {
		sc_target_release(t);
		return sc_target_fail(t, -n, "memory of process %d: %s", (int)pid, strerror(-n));
	}
	return 0;
}

int sc_target_take(struct sc_target *t, pid_t pid)
{
	int err;

	t->pid = pid;
	t->mem = -1;
	err = add(t, pid);
	if (err == 0)
		err = open_mem(t);
	if (err == 0)
		err = get_regs(t);
	if (err < 0)
		return sc_target_fail(t, -err, "memory of process %d: %s", (int)pid, strerror(-err));
	return 0;
}

static void let_go(struct sc_target *t, int request)
{
	if (t->gadget) {
		sc_target_write(t, t->gadget, t->gadget_was, sizeof(t->gadget_was));
		ptrace(PTRACE_SETREGS, t->lead->tid, 0, &t->lead->regs);
		ptrace(PTRACE_SETSIGMASK, t->lead->tid, sizeof(t->mask), &t->mask);
		t->gadget = 0;
	}
	for (unsigned i = 0; i < t->count; i++)
		ptrace(request, t->thread[i].tid, 0, (long)t->thread[i].signal);
	free(t->thread);
	t->thread = NULL;
	t->count = 0;
	if (t->mem >= 0)
		close(t->mem);
	t->mem = -1;
}

void sc_target_release(struct sc_target *t)
{
	let_go(t, PTRACE_DETACH);
}

void sc_target_resume(struct sc_target *t)
{
	let_go(t, PTRACE_CONT);
}
