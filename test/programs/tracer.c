// SPDX-License-Identifier: Apache-2.0
// Description: ground truth for the completeness tests. Runs a command under ptrace, follows every child and thread,
// and counts system calls by number as the kernel sees them.
//
//	tracer OUT LIBRARY COMMAND…
//	tracer OUT LIBRARY -p PID      says "traced" when it holds the process, which the library is in already
//
// Calls issued from the text of LIBRARY (libscope.so's own) are not counted, nor what a process image does
// before that library's constructor has returned: an image counts from the first call behind the library's
// first own calls; a forked child counts from its birth when its parent did. An image in which the library
// never makes a call is not counted. LIBRARY "-": everything counts from the first instruction. OUT gets lines "NR CALLS BYTES", BYTES the sum of positive results.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#define TASKS (1 << 16)
#define NRS 512

enum phase { LOADING, CONSTRUCTING, COUNTING };

/* A process image; threads share the one of their process. */
struct image {
	enum phase phase;
	unsigned long lo, hi; /* text of the library */
	int refs;
};

struct task {
	pid_t pid;
	int seen, in_call, counted;
	int born, held; /* its parent told of it; stopped until then */
	unsigned nr;
	/* A signal stopped a call that the kernel may make anew: behind which instruction, and whether nothing came since. */
	unsigned long stopped_ip;
	int just_stopped, again;
	struct image *image;
};

static struct task tasks[TASKS];
static unsigned long calls[NRS];
static long long bytes[NRS];
static const char *library;
static pid_t main_pid;
static int seized; /* children stop by an event of their own, not by a signal */

static struct task *task_of(pid_t pid)
{
	struct task *t = &tasks[(unsigned)pid % TASKS];

	if (t->pid != pid) {
		memset(t, 0, sizeof(*t));
		t->pid = pid;
	}
	return t;
}

static void drop_image(struct task *t)
{
	if (t->image && --t->image->refs == 0)
		free(t->image);
	t->image = NULL;
}

static struct image *new_image(struct task *t, enum phase phase)
{
	drop_image(t);
	t->image = calloc(1, sizeof(*t->image));
	t->image->refs = 1;
	t->image->phase = phase;
	return t->image;
}

/* Where the library's text lies in this image; looked up until it is there. */
static void find_library(struct task *t)
{
	char path[64], line[4096];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", t->pid);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		unsigned long lo, hi;
		char perms[8];

		if (sscanf(line, "%lx-%lx %7s", &lo, &hi, perms) == 3 && perms[2] == 'x' &&
		    strstr(line, library)) {
			t->image->lo = lo;
			t->image->hi = hi;
		}
	}
	fclose(f);
}

/*
 * The program makes one call of it, and so sees the library. Without a handler the call is the very next; with one it is
 * when the handler has returned to the instruction. (What ends with EINTR goes on behind it.)
 */
static int is_made_anew(struct task *t, unsigned nr, unsigned long ip)
{
	int anew = ip == t->stopped_ip && nr == t->nr && t->just_stopped;

	if (t->again && ip == t->stopped_ip)
		anew = 1;
	t->again = t->just_stopped = 0;
	return anew;
}

static void enter(struct task *t, const struct __ptrace_syscall_info *si)
{
	struct image *im = t->image;
	unsigned long ip = si->instruction_pointer;
	int own, anew = is_made_anew(t, (unsigned)si->entry.nr, ip);

	t->counted = 0;
	t->nr = (unsigned)si->entry.nr;
	if (!im)
		im = new_image(t, strcmp(library, "-") == 0 ? COUNTING : LOADING);
	if (!im->hi && im->phase == LOADING)
		find_library(t);
	own = ip > im->lo && ip <= im->hi;
	if (own && im->phase == LOADING)
		im->phase = CONSTRUCTING;
	if (own)
		return;
	if (im->phase == CONSTRUCTING)
		im->phase = COUNTING;
	if (im->phase != COUNTING || t->nr >= NRS)
		return;
	t->counted = 1;
	calls[t->nr] += !anew;
}

/* Inside the kernel only: a call that a signal stopped. */
static int is_restart(long long ret)
{
	return ret == -512 /* ERESTARTSYS */ || ret == -513 /* ERESTARTNOINTR */ || ret == -514 /* ERESTARTNOHAND */;
}

static void leave(struct task *t, const struct __ptrace_syscall_info *si)
{
	struct user_regs_struct r;

	if (t->nr == SYS_rt_sigreturn) {
		t->again = ptrace(PTRACE_GETREGS, t->pid, 0, &r) == 0 && r.rip + 2 == t->stopped_ip;
	} else if (is_restart(si->exit.rval)) {
		t->stopped_ip = si->instruction_pointer;
		t->just_stopped = 1;
	}
	if (t->counted && si->exit.rval > 0 && !si->exit.is_error)
		bytes[t->nr] += si->exit.rval;
	t->counted = 0;
}

static void on_syscall(struct task *t)
{
	struct __ptrace_syscall_info si;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof(si), &si) <= 0)
		return;
	if (si.op == PTRACE_SYSCALL_INFO_ENTRY)
		enter(t, &si);
	else if (si.op == PTRACE_SYSCALL_INFO_EXIT)
		leave(t, &si);
}

/* A new thread shares its creator's image; a forked child gets a copy that counts from now. */
static void inherit(struct task *parent, struct task *child, int event)
{
	unsigned long group = 0;

	if (event == PTRACE_EVENT_CLONE) {
		char path[64], line[256];
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/status", child->pid);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "Tgid: %lu", &group) == 1)
				break;
		if (f)
			fclose(f);
	}
	drop_image(child);
	if (group && group != (unsigned long)child->pid) {
		child->image = parent->image;
		child->image->refs++;
		return;
	}
	struct image *im = new_image(child, parent->image->phase);
	im->lo = parent->image->lo;
	im->hi = parent->image->hi;
}

/* The child may have stopped before its parent told of it: it goes on from here. */
static void on_birth(struct task *parent, int event)
{
	unsigned long pid = 0;
	struct task *child;

	ptrace(PTRACE_GETEVENTMSG, parent->pid, 0, &pid);
	child = task_of((pid_t)pid);
	child->born = 1;
	if (parent->image)
		inherit(parent, child, event);
	if (child->held)
		ptrace(PTRACE_SYSCALL, child->pid, 0, 0);
	child->held = 0;
}

static void forward(int sig)
{
	if (main_pid > 0)
		kill(main_pid, sig);
}

static int stopped(struct task *t, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16, first = !t->seen;

	t->seen = 1;
	if (first && !t->born) {
		t->held = 1;
		return 0;
	}
	if (sig == (SIGTRAP | 0x80)) {
		on_syscall(t);
		return 0;
	}
	if (event == PTRACE_EVENT_EXEC) {
		new_image(t, strcmp(library, "-") == 0 ? COUNTING : LOADING);
		return 0;
	}
	if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
		on_birth(t, event);
		return 0;
	}
	if (event || (sig == SIGSTOP && first && !seized))
		return 0;
	return sig;
}

static int trace(void)
{
	int status, rc = 0;

	for (;;) {
		pid_t pid = waitpid(-1, &status, __WALL);
		struct task *t;
		int sig;

		if (pid < 0) {
			if (errno == EINTR)
				continue;
			return rc;
		}
		t = task_of(pid);
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (pid == main_pid)
				rc = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			drop_image(t);
			t->pid = 0;
			continue;
		}
		sig = stopped(t, status);
		if (!t->held)
			ptrace(PTRACE_SYSCALL, pid, 0, sig);
	}
}

#define OPTIONS \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)

/*
 * A thread that was asleep in a call: the kernel makes most calls anew, which is an entry to be seen, but some have
 * ended with EINTR, which the library sees and we would not.
 */
static void count_interrupted(pid_t tid)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, tid, 0, &r) == 0 && (long)r.orig_rax >= 0 && (long)r.orig_rax < NRS &&
	    (long)r.rax == -EINTR)
		calls[r.orig_rax]++;
}

static int hold_thread(pid_t tid)
{
	struct task *t = task_of(tid), *leader = task_of(main_pid);
	int status;

	if (t->seen || ptrace(PTRACE_SEIZE, tid, 0, OPTIONS) < 0)
		return 0;
	ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	waitpid(tid, &status, __WALL);
	t->seen = t->born = 1;
	if (!leader->image) {
		new_image(leader, COUNTING);
		find_library(leader);
	}
	if (t != leader) {
		t->image = leader->image;
		t->image->refs++;
	}
	count_interrupted(tid);
	return 1;
}

/* All threads of a process, until a look finds none that is new; then they go on. */
static int hold_process(void)
{
	char path[64];
	struct dirent *e;
	DIR *dir;
	int n, all = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", main_pid);
	seized = 1;
	hold_thread(main_pid);
	do {
		dir = opendir(path);
		for (n = 0; dir && (e = readdir(dir));)
			n += atoi(e->d_name) > 0 && hold_thread(atoi(e->d_name));
		if (dir)
			closedir(dir);
		all += n;
	} while (n);
	for (int i = 0; i < TASKS; i++)
		if (tasks[i].pid)
			ptrace(PTRACE_SYSCALL, tasks[i].pid, 0, 0);
	puts("traced");
	fflush(stdout);
	return task_of(main_pid)->seen ? 0 : -1;
}

static int start(char **argv)
{
	int status;

	main_pid = fork();
	if (main_pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	signal(SIGTERM, forward);
	signal(SIGINT, forward);
	waitpid(main_pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, main_pid, 0, OPTIONS | PTRACE_O_EXITKILL);
	task_of(main_pid)->seen = 1;
	task_of(main_pid)->born = 1;
	ptrace(PTRACE_SYSCALL, main_pid, 0, 0);
	return 0;
}

int main(int argc, char **argv)
{
	FILE *out;
	int rc;

	if (argc < 4) {
		fprintf(stderr, "usage: tracer OUT LIBRARY COMMAND… | -p PID\n");
		return 2;
	}
	library = argv[2];
	if (strcmp(argv[3], "-p") == 0 && argc == 5) {
		main_pid = atoi(argv[4]);
		if (hold_process() < 0) {
			fprintf(stderr, "tracer: cannot hold process %d\n", main_pid);
			return 1;
		}
	} else {
		start(argv + 3);
	}
	rc = trace();
	out = fopen(argv[1], "we");
	if (!out)
		return 1;
	for (int nr = 0; nr < NRS; nr++)
		if (calls[nr])
			fprintf(out, "%d %lu %lld\n", nr, calls[nr], bytes[nr]);
	fclose(out);
	return rc;
}
