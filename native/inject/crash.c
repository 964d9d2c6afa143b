// SPDX-License-Identifier: Apache-2.0
// Watches traced processes for the signals that end them, and writes crash files. Layer 4.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inject/crash.h"
#include "inject/helper.h"

#define THREADS 4096

static bool is_fatal(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE;
}

/* A line of /proc/PID/status as a number of the given base. */
static unsigned long long status_field(pid_t pid, const char *key, int base)
{
	char path[64], line[256];
	unsigned long long value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtoull(line + strlen(key), NULL, base);
	if (f)
		fclose(f);
	return value;
}

/* The process has no handler of its own for it. */
static bool ends_process(pid_t tid, int sig)
{
	return !(status_field(tid, "SigCgt:", 16) >> (sig - 1) & 1);
}

/* Other threads of the process, stopped; signals that came instead are sent again. */
static size_t stop_others(pid_t pid, pid_t failed, pid_t *tids)
{
	char path[64];
	struct dirent *e;
	size_t count = 1;
	DIR *dir;

	tids[0] = failed;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir)) && count < THREADS) {
		pid_t tid = (pid_t)atoi(e->d_name);
		int status;

		if (tid <= 0 || tid == failed || ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0)
			continue;
		if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
			continue;
		if (status >> 16 != PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP)
			kill(pid, WSTOPSIG(status));
		tids[count++] = tid;
	}
	if (dir)
		closedir(dir);
	return count;
}

static FILE *create(const char *dir, const char *kind, long epoch)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s_%ld", dir, kind, epoch);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

static void put_info(FILE *out, pid_t pid, int sig, long epoch, uint64_t address)
{
	char path[64], name[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	if (f) {
		if (fgets(name, sizeof(name), f))
			name[strcspn(name, "\n")] = '\0';
		fclose(f);
	}
	fprintf(out, "Scope Version: 2.0.0\nUnix Time: %ld sec\nPID: %d\nProcess name: %s\nSignal: %s (%d)\nAddress: 0x%llx\n",
		epoch, (int)pid, name, sigabbrev_np(sig) ? sigabbrev_np(sig) : "?", sig, (unsigned long long)address);
}

static void copy(const char *from, FILE *to)
{
	char buf[4096];
	size_t n;
	FILE *f = fopen(from, "re");

	while (f && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		fwrite(buf, 1, n, to);
	if (f)
		fclose(f);
}

/* /tmp/appscope/PID, ours alone. 0, or -errno. */
static int make_dir(char *dir, size_t size, pid_t pid)
{
	struct stat st;

	if (mkdir("/tmp/appscope", 01777) == 0)
		chmod("/tmp/appscope", 01777);
	snprintf(dir, size, "/tmp/appscope/%d", (int)pid);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() ? 0 : -EPERM;
}

static void capture(const struct sc_crash_options *o, pid_t tid, int sig)
{
	static pid_t tids[THREADS];
	struct user_regs_struct regs;
	pid_t pid = (pid_t)status_field(tid, "Tgid:", 10);
	long epoch = (long)time(NULL);
	size_t count = stop_others(pid, tid, tids);
	struct sc_maps maps;
	siginfo_t si;
	char dir[64];
	FILE *f;

	if (make_dir(dir, sizeof(dir), pid) == 0 && sc_maps_open(&maps, pid) == 0) {
		memset(&si, 0, sizeof(si));
		ptrace(PTRACE_GETSIGINFO, tid, 0, &si);
		if ((f = create(dir, "info", epoch))) {
			put_info(f, pid, sig, epoch, (uint64_t)(uintptr_t)si.si_addr);
			fclose(f);
		}
		if (o->config && (f = create(dir, "cfg", epoch))) {
			copy(o->config, f);
			fclose(f);
		}
		if (o->backtrace && ptrace(PTRACE_GETREGS, tid, 0, &regs) == 0 && (f = create(dir, "backtrace", epoch))) {
			sc_crash_backtrace(f, &maps, &regs);
			fclose(f);
		}
		if (o->core && (f = create(dir, "core", epoch))) {
			sc_crash_core(f, &maps, tids, count, sig);
			fclose(f);
		}
		sc_maps_close(&maps);
	}
	for (size_t i = 1; i < count; i++)
		ptrace(PTRACE_CONT, tids[i], 0, 0);
}

void sc_crash_watch(const struct sc_crash_options *options)
{
	int status;

	for (;;) {
		pid_t tid = waitpid(-1, &status, __WALL);
		int sig, event;

		if (tid < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		if (!WIFSTOPPED(status))
			continue;
		sig = WSTOPSIG(status);
		event = status >> 16;
		if (event == PTRACE_EVENT_STOP && (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)) {
			/* A stop of the whole group: it stays stopped until SIGCONT, as without us. */
			ptrace(PTRACE_LISTEN, tid, 0, 0);
			continue;
		}
		if (!event && is_fatal(sig) && ends_process(tid, sig))
			capture(options, tid, sig);
		ptrace(PTRACE_CONT, tid, 0, event ? 0 : (long)sig);
	}
}

/* Seizes threads until no new one is found. 0, or -errno when the first could not be. */
static int seize_all(pid_t pid)
{
	long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
	char path[64];
	int fresh, any = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	do {
		DIR *dir = opendir(path);
		struct dirent *e;

		fresh = 0;
		while (dir && (e = readdir(dir))) {
			pid_t tid = (pid_t)atoi(e->d_name);

			/* A thread that is ours already answers EPERM. */
			if (tid > 0 && ptrace(PTRACE_SEIZE, tid, 0, options) == 0)
				fresh = any = 1;
		}
		if (dir)
			closedir(dir);
	} while (fresh);
	return any ? 0 : -EPERM;
}

struct watched {
	pid_t pid;
	const struct sc_crash_options *options;
};

static void watch(void *arg, int ready)
{
	const struct watched *w = arg;
	int err = seize_all(w->pid);

	if (sc_helper_ready(ready, err) && err == 0)
		sc_crash_watch(w->options);
}

int sc_crash_watch_process(pid_t pid, const struct sc_crash_options *options)
{
	return sc_helper_start(watch, &(struct watched){pid, options});
}
