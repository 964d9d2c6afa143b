// SPDX-License-Identifier: Apache-2.0
// Why the kernel refuses to let a process be traced, and what can be done about it. Layer 4.
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

/* What stands behind key in /proc/PID/status. */
static bool status_text(pid_t pid, const char *key, char *text, size_t size)
{
	char path[64], line[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f)) {
		found = strncmp(line, key, strlen(key)) == 0;
		if (found)
			snprintf(text, size, "%s", line + strlen(key));
	}
	if (f)
		fclose(f);
	return found;
}

/* A number of /proc/PID/status, or -1. */
static long status_number(pid_t pid, const char *key)
{
	char text[256];

	return status_text(pid, key, text, sizeof(text)) ? strtol(text, NULL, 10) : -1;
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

/* The second of the numbers there: the effective one. */
static long user_of(pid_t pid)
{
	char text[256];
	unsigned uid;

	return status_text(pid, "Uid:", text, sizeof(text)) && sscanf(text, "%*u %u", &uid) == 1 ? (long)uid : -1;
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
	char text[256];

	return status_text(getpid(), "CapEff:", text, sizeof(text)) &&
	       strtoull(text, NULL, 16) >> CAP_SYS_PTRACE & 1;
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

int sc_target_refused(struct sc_target *t, pid_t pid, int e)
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
	return sc_target_refused(&(struct sc_target){.err = err}, pid, e);
}
