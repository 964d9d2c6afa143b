// SPDX-License-Identifier: Apache-2.0
// Stops and releases the threads of a process. Layer 4.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inject/target.h"

#define FIRST_USER_NS 0xeffffffdu /* the kernel's PROC_USER_INIT_INO */

int sc_target_fail(struct sc_target *t, int e, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(t->err->text, sizeof(t->err->text), format, args);
	va_end(args);
	return -e;
}

pid_t sc_proc_self(void)
{
	char text[16] = "";

	return readlink("/proc/self", text, sizeof(text) - 1) > 0 ? (pid_t)atoi(text) : 0;
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

/* 1: it is stopping, 0: it ended meanwhile, or -errno. */
static int seize(struct sc_target *t, pid_t tid)
{
	int err;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0) < 0)
		return errno == ESRCH && tid != t->pid ? 0 : -errno;
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0)
		return 0;
	err = add(t, tid);
	return err < 0 ? err : 1;
}

static bool is_running(pid_t pid, pid_t tid)
{
	char path[64], text[256], *state;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	state = strrchr(text, ')');
	return state && state[1] && state[2] == 'R';
}

/* Those of the threads that run are named first; how many there are. */
static unsigned list_threads(const struct sc_target *t, pid_t *tid, unsigned max)
{
	unsigned n = 0, running = 0;
	char path[64];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)t->pid);
	dir = opendir(path);
	while (dir && n < max && (e = readdir(dir))) {
		pid_t one = (pid_t)atoi(e->d_name);

		if (one <= 0)
			continue;
		tid[n++] = one;
		if (is_running(t->pid, one)) {
			tid[n - 1] = tid[running];
			tid[running++] = one;
		}
	}
	if (dir)
		closedir(dir);
	return n;
}

/*
 * The threads that run, before the first of all is stopped: those that sleep would stand and wait for them, and they
 * would take the processor from us meanwhile.
 */
static int seize_running(struct sc_target *t)
{
	pid_t tid[512];
	unsigned n = list_threads(t, tid, sizeof(tid) / sizeof(*tid));
	int err = 0;

	for (unsigned i = 0; i < n && err >= 0; i++)
		err = seize(t, tid[i]);
	return err;
}

/* Seizes threads until no new one is found; returns how many were new, or -errno. */
static int seize_round(struct sc_target *t)
{
	char path[64];
	struct dirent *e;
	int found = 0, err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)t->proc);
	dir = opendir(path);
	if (!dir)
		return -ESRCH;
	while ((e = readdir(dir)) && err >= 0) {
		pid_t tid = (pid_t)atoi(e->d_name);

		if (tid <= 0 || find(t, tid))
			continue;
		err = seize(t, tid);
		found += err > 0;
	}
	closedir(dir);
	return err < 0 ? err : found;
}

static int open_mem(struct sc_target *t)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)t->proc);
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

	/* Its files in /proc would be another process'. */
	if (sc_proc_self() != getpid())
		return sc_target_fail(t, EPERM, "the /proc here is not that of our pid namespace: mount one (unshare --mount-proc)");
	t->pid = t->proc = pid;
	t->mem = -1;
	n = seize_running(t);
	do {
		if (n >= 0)
			n = seize_round(t);
		if (n < 0) {
			n = sc_target_refused(t, pid, -n);
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

int sc_target_take(struct sc_target *t, pid_t pid, pid_t proc)
{
	int err;

	t->pid = pid;
	t->proc = proc;
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
	/* Those that ran come last: they would run in our place before all are let go. */
	for (unsigned i = t->count; i-- > 0;)
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
