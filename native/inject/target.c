// SPDX-License-Identifier: Apache-2.0
// Stops and releases the threads of a process; explains refusals. Layer 4.
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

static long user_of(pid_t pid)
{
	char path[64], line[256];
	unsigned uid = 0;
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Uid: %*u %u", &uid) == 1)
			value = uid;
	fclose(f);
	return value;
}

static bool is_dumpable(pid_t pid, long uid)
{
	char path[64];
	struct stat st;

	/* What lies in /proc/PID is root's when it is not; the folder itself is not. */
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	return stat(path, &st) < 0 || st.st_uid == uid;
}

/* Without an executable and without memory. */
static bool is_kernel_thread(pid_t pid)
{
	return status_number(pid, "VmSize:") < 0;
}

/* Ours in the effective set. */
static bool may_ptrace(void)
{
	char line[256];
	unsigned long long caps = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "CapEff: %llx", &caps);
	if (f)
		fclose(f);
	return caps >> CAP_SYS_PTRACE & 1;
}

/* Not the first user namespace of the system: what is in another one than ours need not be below it. */
static bool in_user_ns(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) == 0 && st.st_ino != FIRST_USER_NS;
}

/* Refused though we have the right to trace anybody, or need none. */
static int refused_anyway(struct sc_target *t, pid_t pid, int e)
{
	if (yama() > 2)
		return sc_target_fail(t, e,
				      "the kernel allows no ptrace at all until it is booted again "
				      "(kernel.yama.ptrace_scope=3): start the program with scope");
	if (status_number(getpid(), "Seccomp:") > 0)
		return sc_target_fail(t, e,
				      "ptrace of process %d is refused, and a seccomp filter is set for this shell (a "
				      "container?): allow ptrace in it (--cap-add SYS_PTRACE), or run scope on the host",
				      (int)pid);
	if (in_user_ns())
		return sc_target_fail(t, e,
				      "process %d is not in our user namespace, nor in one below it: run scope outside of this "
				      "container",
				      (int)pid);
	return sc_target_fail(t, e,
			      "ptrace of process %d is refused though we may: a security module (AppArmor, SELinux) forbids "
			      "it; its log says which rule",
			      (int)pid);
}

/* Says why ptrace was refused and what can be done about it. */
static int refused(struct sc_target *t, pid_t pid, int e)
{
	long tracer = status_number(pid, "TracerPid:"), uid = user_of(pid);

	if (e == ESRCH || uid < 0)
		return sc_target_fail(t, ESRCH, "no process %d", (int)pid);
	if (tracer > 0)
		return sc_target_fail(t, EBUSY, "process %d is traced by process %ld (a debugger?): end that first",
				      (int)pid, tracer);
	if (e != EPERM)
		return sc_target_fail(t, e, "ptrace of process %d: %s", (int)pid, strerror(e));
	if (is_kernel_thread(pid))
		return sc_target_fail(t, EPERM, "process %d is a thread of the kernel, or has just ended", (int)pid);
	if (may_ptrace())
		return refused_anyway(t, pid, e);
	if (geteuid() == 0)
		return sc_target_fail(t, EPERM,
				      "ptrace of process %d needs the capability CAP_SYS_PTRACE, which this root does not have "
				      "(a container?): --cap-add SYS_PTRACE, or run scope on the host",
				      (int)pid);
	if (uid != (long)geteuid())
		return sc_target_fail(t, EPERM, "process %d belongs to user %ld: run scope as that user or as root",
				      (int)pid, uid);
	if (!is_dumpable(pid, uid))
		return sc_target_fail(t, EPERM,
				      "process %d has changed its user or has capabilities (it is not dumpable): run scope as "
				      "root",
				      (int)pid);
	if (yama() > 0 && yama() < 3)
		return sc_target_fail(t, EPERM,
				      "the kernel allows ptrace of own children only (kernel.yama.ptrace_scope=%d): run "
				      "scope as root, or set it to 0, or start the program with scope",
				      yama());
	return refused_anyway(t, pid, e);
}

int sc_inject_refused(pid_t pid, int e, struct sc_inject_error *err)
{
	return refused(&(struct sc_target){.err = err}, pid, e);
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
