// SPDX-License-Identifier: Apache-2.0
// `scope attach [flags] PID|NAME` and `scope detach [--all] [--wait] PID|NAME`. Layer 5.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <scope/inject.h>

#include "inject/crash.h"
#include "inject/inject.h"
#include "launch/far.h"
#include "launch/launch.h"
#include "launch/pick.h"

#define USAGE "Usage: scope attach [flags] PID|NAME\n"

/* argv of a process, from /proc; at most max words. The text stays in buf. */
static int cmdline_of(pid_t pid, char *buf, size_t size, char **argv, int max)
{
	char path[64];
	ssize_t n;
	int fd, argc = 0;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, buf, size - 1);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		n = 0;
	buf[n] = '\0';
	for (ssize_t i = 0; i < n && argc < max; i += (ssize_t)strlen(buf + i) + 1)
		argv[argc++] = buf + i;
	if (argc == 0) {
		sc_comm_of(pid, buf, size);
		argv[argc++] = buf;
	}
	return argc;
}

/* Effective ids of a process, in our numbers. */
static void ids_of(pid_t pid, uid_t *uid, gid_t *gid)
{
	char path[64], line[256];
	FILE *f;

	*uid = getuid();
	*gid = getgid();
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "Uid: %*u %u", uid);
		sscanf(line, "Gid: %*u %u", gid);
	}
	if (f)
		fclose(f);
}

/* What the words of the command line ask for. */
struct request {
	const char *word;    /* PID or NAME */
	const char *rootdir;
	bool all, inspect, json;
	int flagc;           /* the rest, for `prepare` */
	char **flags;
};

static int fail(const struct sc_inject_error *error, pid_t pid, int err)
{
	if (err == -EROFS)
		fprintf(stderr,
			"scope attach: process %d has a root of its own with no place where it may write (read-only, no "
			"tmpfs with 4 MiB free): give it one, for example a tmpfs on /dev/shm\n",
			(int)pid);
	else
		fprintf(stderr, "scope attach: %s\n", error->text[0] ? error->text : strerror(-err));
	return 1;
}

/* Makes what the target needs where it reaches it, then stops it and calls the library there. */
static int inject(const struct sc_install *in, const struct sc_session *s, struct sc_far *far, long *stopped)
{
	struct sc_inject_error error = {""};
	struct sc_inject_what what = {.op = SC_INJECT_ATTACH, .libscope = in->libscope, .dir = far->inside};
	int err = sc_far_bring(far, s, in, s->target);

	if (err < 0)
		return fail(&error, s->target, err);
	what.inside = far->libscope;
	sc_plans_prepare_process(s->target, s->plans, far);
	err = sc_inject_process(s->target, &what, stopped, &error);
	if (err < 0) {
		fail(&error, s->target, err);
		sc_far_drop(far);
	}
	return err < 0;
}

/* Before anything is made: who may not see a process' root may not trace it either. 0, or 1 with a message. */
static int check_access(pid_t pid)
{
	struct sc_inject_error error = {""};
	char path[64];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	fd = open(path, O_PATH | O_CLOEXEC);
	err = fd < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	if (err != EACCES && err != EPERM)
		return 0;
	return fail(&error, pid, sc_inject_refused(pid, EPERM, &error));
}

static int attach_pid(const struct sc_install *in, pid_t pid, const struct request *r)
{
	struct sc_session s = {.target = pid};
	struct sc_far far = {.dir = -1};
	char buf[8192], *argv[512], config[PATH_MAX + 16];
	struct sc_crash_options watch = {.config = config};
	long stopped = 0;
	int argc = cmdline_of(pid, buf, sizeof(buf), argv, 512), err, status;

	if (check_access(pid))
		return 1;
	ids_of(pid, &far.uid, &far.gid);
	s.owner = far.uid;
	if (sc_session_begin(&s, argc, argv) < 0)
		return 1;
	status = sc_prepare(in, &s, r->flagc, r->flags);
	if (status == 0) {
		err = sc_hub_default(&s, in);
		if (err < 0)
			fprintf(stderr, "scope attach: %s: %s\n", s.channels, strerror(-err));
		status = err < 0 ? 1 : inject(in, &s, &far, &stopped);
	}
	if (status != 0) {
		sc_session_drop(&s);
		return status;
	}
	err = sc_relay_start(&s, in, far.dir);
	if (err < 0)
		fprintf(stderr, "scope attach: cannot start the relay: %s\n", strerror(-err));
	snprintf(config, sizeof(config), "%s/scope.yml", s.dir);
	if (sc_crash_wish(&s, &watch) && (err = sc_crash_watch_process(pid, &watch)) < 0)
		fprintf(stderr, "scope attach: no crash files: cannot watch the process: %s\n", strerror(-err));
	printf("Attached to pid %d (%s), session %lu; it stood for %ld.%ld ms\n", (int)pid, argv[0], s.id, stopped / 1000,
	       stopped % 1000 / 100);
	if (far.dir >= 0 && !far.libscope[0])
		printf("Programs that it starts are not seen: it has no place for code (every writable mount is noexec)\n");
	return 0;
}

/*
 * With the host's root at rootdir we are in a container: its pids must be those of our own /proc, or ptrace does not
 * reach them. 0, or 1 with a message.
 */
static int check_rootdir(const char *verb, const char *rootdir)
{
	char path[PATH_MAX], self[32];
	ssize_t n;

	if (!rootdir)
		return 0;
	snprintf(path, sizeof(path), "%s/proc/self", rootdir);
	n = readlink(path, self, sizeof(self) - 1);
	self[n < 0 ? 0 : n] = '\0';
	if (n > 0 && atoi(self) == (int)getpid())
		return 0;
	if (n < 0 && access(path, F_OK) < 0 && errno == ENOENT) {
		snprintf(path, sizeof(path), "%s/proc/1", rootdir);
		if (access(path, F_OK) < 0) {
			fprintf(stderr, "scope %s: %s: no root of a host with its /proc\n", verb, rootdir);
			return 1;
		}
	}
	fprintf(stderr,
		"scope %s: the processes of %s are in another pid namespace, which ptrace does not reach from here: run "
		"this container with the host's pid namespace (--pid=host, hostPID: true)\n",
		verb, rootdir);
	return 1;
}

/* The value of a flag that has one: of its own word, or of the next. NULL: it is another flag. */
static const char *value_of(const char *name, const char *letter, char **argv, int argc, int *i)
{
	size_t n = strlen(name);

	if (strncmp(argv[*i], name, n) == 0 && argv[*i][n] == '=')
		return argv[*i] + n + 1;
	if (strcmp(argv[*i], name) == 0 || strcmp(argv[*i], letter) == 0)
		return *i + 1 < argc ? argv[++*i] : "";
	return NULL;
}

static bool is_flag(const char *word, const char *name, const char *letter)
{
	return strcmp(word, name) == 0 || (letter && strcmp(word, letter) == 0);
}

/* Words for `attach`; what is not ours stays for `prepare`, which checks it. 0, or 1 with a message. */
static int parse(struct request *r, int argc, char **argv)
{
	int kept = 0;

	r->flags = argv;
	for (int i = 0; i < argc; i++) {
		const char *value;

		if (is_flag(argv[i], "--all", NULL))
			r->all = true;
		else if (is_flag(argv[i], "--inspect", "-i"))
			r->inspect = true;
		else if (is_flag(argv[i], "--json", "-j"))
			r->json = true;
		else if ((value = value_of("--rootdir", "-R", argv, argc, &i)))
			r->rootdir = value;
		else if (argv[i][0] == '-') {
			bool pair = sc_flag_takes_value(argv[i]) && i + 1 < argc;

			argv[kept++] = argv[i];
			if (pair)
				argv[kept++] = argv[++i];
		} else if (r->word) {
			fprintf(stderr, "scope attach: one PID or name at a time\n" USAGE);
			return 1;
		} else {
			r->word = argv[i];
		}
	}
	r->flagc = kept;
	if (!r->word)
		fprintf(stderr, "scope attach: a PID or name is missing\n" USAGE);
	else if (r->json && !r->inspect)
		fprintf(stderr, "scope attach: --json needs --inspect\n");
	else
		return 0;
	return 1;
}

/* Becomes `scope inspect` of what was attached to. */
static int inspect(const struct sc_install *in, const struct request *r, pid_t pid)
{
	char number[16], *words[8];
	int n = 0;

	snprintf(number, sizeof(number), "%d", (int)pid);
	words[n++] = "inspect";
	words[n++] = number;
	if (r->json)
		words[n++] = "--json";
	if (r->rootdir) {
		words[n++] = "--rootdir";
		words[n++] = (char *)r->rootdir;
	}
	fflush(stdout);
	return sc_exec_cli(in, n, words);
}

int sc_attach(const struct sc_install *in, int argc, char **argv)
{
	struct request r = {.word = NULL};
	pid_t found[SC_PICK_MAX];
	int n, bad = 0;

	if (parse(&r, argc, argv) || check_rootdir("attach", r.rootdir))
		return 1;
	n = sc_pick(&(struct sc_pick){"attach", r.word, r.rootdir, false, r.all}, found);
	for (int i = 0; i < n; i++) {
		int status = attach_pid(in, found[i], &r);

		bad = bad ? bad : status;
	}
	if (n == 1 && !bad && r.inspect)
		return inspect(in, &r, found[0]);
	return n ? bad : 1;
}

/* 0: detached (or was already), 1: not. */
static int detach_pid(const struct sc_install *in, pid_t pid)
{
	struct sc_inject_error error = {""};
	const struct sc_inject_what what = {.op = SC_INJECT_DETACH, .libscope = in->libscope, .dir = ""};
	int err;

	if (!sc_has_library(pid)) {
		fprintf(stderr, "scope detach: process %d is not being scoped\n", (int)pid);
		return 1;
	}
	err = sc_inject_process(pid, &what, NULL, &error);
	if (err == -EALREADY) {
		printf("Already detached from pid %d\n", (int)pid);
		return 0;
	}
	if (err < 0) {
		fprintf(stderr, "scope detach: %s\n", error.text[0] ? error.text : strerror(-err));
		return 1;
	}
	printf("Detached from pid %d\n", (int)pid);
	return 0;
}

int sc_detach(const struct sc_install *in, int argc, char **argv)
{
	struct sc_pick how = {.verb = "detach", .scoped = true};
	pid_t found[SC_PICK_MAX];
	int n, bad = 0;

	for (int i = 0; i < argc; i++) {
		const char *value;

		if (is_flag(argv[i], "--all", "-a"))
			how.all = true;
		else if (is_flag(argv[i], "--wait", "-w"))
			; /* detaching is done when the command returns */
		else if ((value = value_of("--rootdir", "-R", argv, argc, &i)))
			how.rootdir = value;
		else if (argv[i][0] == '-' || how.word) {
			fprintf(stderr, "scope detach: unexpected %s\nUsage: scope detach [--all] [--wait] [PID|NAME]\n",
				argv[i]);
			return 1;
		} else {
			how.word = argv[i];
		}
	}
	if (how.all && how.word) {
		fprintf(stderr, "scope detach: --all flag is mutually exclusive with PID or <process_name>\n");
		return 1;
	}
	if (check_rootdir("detach", how.rootdir))
		return 1;
	n = sc_pick(&how, found);
	for (int i = 0; i < n; i++)
		bad |= detach_pid(in, found[i]);
	return n ? bad : 1;
}
