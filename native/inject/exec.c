// SPDX-License-Identifier: Apache-2.0
// Injection into the image that our own process is about to become. Layer 4.
//
//	this process                      helper (child of init)
//	  fork, fork, wait ------------->   seize the process, say "ready"
//	  read "ready"
//	  execve ----------------------->   stop at the new image's first instruction
//	                                    map the library, call it
//	  program runs <----------------    detach, end
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inject/crash.h"
#include "inject/helper.h"
#include "inject/target.h"

static void note(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	dprintf(fd, "%s\n", text);
	close(fd);
}

/*
 * Waits until the new image is about to run its first instruction; other signals are handed on. The exec
 * event itself is inside execve, whose result would overwrite a register of ours: one stop further.
 * 0 or -errno.
 */
static int wait_exec(pid_t pid)
{
	int status, loaded = 0;

	for (;;) {
		while (waitpid(pid, &status, __WALL) < 0)
			if (errno != EINTR)
				return -errno;
		if (!WIFSTOPPED(status))
			return -ESRCH;
		if (loaded && status >> 16 == PTRACE_EVENT_STOP)
			return 0;
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
			loaded = 1;
			ptrace(PTRACE_INTERRUPT, pid, 0, 0);
		}
		ptrace(PTRACE_CONT, pid, 0, status >> 16 ? 0 : WSTOPSIG(status));
	}
}

static int inject(struct sc_target *t, pid_t pid, pid_t proc, const struct sc_exec_help *h)
{
	int err = sc_target_take(t, pid, proc);

	if (err == 0)
		err = sc_target_open_calls(t);
	return err == 0 ? sc_target_inject(t, &(struct sc_inject_what){.op = SC_INJECT_EXEC,
								       .libscope = h->libscope,
								       .dir = h->dir},
				       0)
			: err;
}

struct becoming {
	pid_t pid; /* as fork() told it */
	pid_t proc; /* its number in the /proc that we see */
	const struct sc_exec_help *help;
};

static void help(void *arg, int ready)
{
	const struct becoming *b = arg;
	const struct sc_exec_help *h = b->help;
	long children = PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
	long options = PTRACE_O_TRACEEXEC | (h->crash ? children : 0);
	struct sc_inject_error error = {""};
	struct sc_target t = {.mem = -1, .err = &error};
	char text[700];
	int err = ptrace(PTRACE_SEIZE, b->pid, 0, options) < 0 ? -errno : 0;

	if (!sc_helper_ready(ready, err) || err < 0)
		return;
	err = wait_exec(b->pid);
	if (err == -ESRCH)
		return;
	if (h->libscope) {
		if (err == 0)
			err = inject(&t, b->pid, b->proc, h);
		if (err < 0) {
			snprintf(text, sizeof(text), "process %d runs unscoped: %s", (int)b->pid,
				 error.text[0] ? error.text : strerror(-err));
			note(h->notes, text);
		}
	} else {
		sc_target_take(&t, b->pid, b->proc);
	}
	/* The watch finds its processes by their numbers in /proc. */
	if (h->crash && b->proc != b->pid)
		note(h->notes, "no crash files: the /proc here is not that of the program's pid namespace");
	if (!h->crash || b->proc != b->pid) {
		sc_target_release(&t);
		return;
	}
	sc_target_resume(&t);
	sc_crash_watch(h->crash);
}

int sc_inject_next_exec(const struct sc_exec_help *h)
{
	struct becoming self = {getpid(), sc_proc_self(), h};
	int err;

	if (!self.proc)
		return -ENOENT;
	/* Where yama restricts ptrace to descendants, our consent is what makes it allowed. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	err = sc_helper_start(help, &self);
	/* The helper is there: nobody else needs our consent, and the program we become shall not inherit it. */
	prctl(PR_SET_PTRACER, 0, 0, 0, 0);
	return err;
}

int sc_inject_is_static(const char *path)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	int fd = open(path, O_RDONLY | O_CLOEXEC), result = 1;

	if (fd < 0)
		return -errno;
	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != EM_X86_64)
		result = -ENOEXEC;
	for (int i = 0; result == 1 && i < eh.e_phnum; i++) {
		if (pread(fd, &ph, sizeof(ph), (off_t)(eh.e_phoff + (uint64_t)i * eh.e_phentsize)) != sizeof(ph))
			result = -ENOEXEC;
		else if (ph.p_type == PT_INTERP)
			result = 0;
	}
	close(fd);
	return result;
}
