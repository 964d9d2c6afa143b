// SPDX-License-Identifier: Apache-2.0
// `scope attach [flags] PID|NAME` and `scope detach [--all] [--wait] PID|NAME`. Layer 5.
#include <ctype.h>
#include <dirent.h>
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
#include "launch/launch.h"

#define MATCHES 256

/* The command name of a process, "" when it is gone. */
static void comm_of(pid_t pid, char *out, size_t size)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	out[0] = '\0';
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(out, (int)size, f))
		out[strcspn(out, "\n")] = '\0';
	fclose(f);
}

static bool has_library(pid_t pid)
{
	char path[64], line[4352];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "/libscope.so") != NULL;
	if (f)
		fclose(f);
	return found;
}

/* Processes whose name contains the text (all when NULL) and that carry the library when scoped is set. */
static int matches(const char *text, bool scoped, pid_t *out)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	int n = 0;

	while (proc && (e = readdir(proc)) && n < MATCHES) {
		pid_t pid = (pid_t)atoi(e->d_name);
		char name[64];

		if (pid <= 0 || pid == getpid())
			continue;
		comm_of(pid, name, sizeof(name));
		if (*name && (!text || strstr(name, text)) && (!scoped || has_library(pid)))
			out[n++] = pid;
	}
	if (proc)
		closedir(proc);
	return n;
}

static bool all_digits(const char *s)
{
	for (; *s; s++)
		if (!isdigit((unsigned char)*s))
			return false;
	return true;
}

/* PID or NAME to one pid; 0 with a message when there is none or more than one. */
static pid_t resolve(const char *verb, const char *word, bool scoped)
{
	pid_t found[MATCHES];
	int n;

	if (all_digits(word)) {
		long pid = strtol(word, NULL, 10);
		char name[64];

		comm_of((pid_t)pid, name, sizeof(name));
		if (pid > 0 && pid <= 0x7fffffff && *name)
			return (pid_t)pid;
		fprintf(stderr, "scope %s: no process %s\n", verb, word);
		return 0;
	}
	n = matches(word, scoped, found);
	if (n == 1)
		return found[0];
	if (n == 0) {
		fprintf(stderr, "scope %s: no %sprocess with a name like \"%s\"\n", verb, scoped ? "scoped " : "", word);
		return 0;
	}
	fprintf(stderr, "scope %s: \"%s\" fits %d processes; give a PID:\n", verb, word, n);
	for (int i = 0; i < n; i++) {
		char name[64];

		comm_of(found[i], name, sizeof(name));
		fprintf(stderr, "  %7d  %s\n", (int)found[i], name);
	}
	return 0;
}

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
		comm_of(pid, buf, size);
		argv[argc++] = buf;
	}
	return argc;
}

static bool same_mounts(pid_t pid)
{
	char path[64];
	struct stat a, b;

	snprintf(path, sizeof(path), "/proc/%d/root/dev/shm", (int)pid);
	return stat("/dev/shm", &a) < 0 || stat(path, &b) < 0 || (a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

static uid_t owner_of(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return stat(path, &st) < 0 ? getuid() : st.st_uid;
}

static int attach_pid(const struct sc_install *in, pid_t pid, int flagc, char **flags)
{
	struct sc_inject_error error = {""};
	struct sc_session s = {.owner = owner_of(pid), .target = pid};
	char buf[8192], *argv[512], config[PATH_MAX + 16];
	struct sc_crash_options watch = {.config = config};
	long stopped = 0;
	int argc = cmdline_of(pid, buf, sizeof(buf), argv, 512), err, status;

	if (!same_mounts(pid)) {
		fprintf(stderr, "scope attach: process %d has another /dev/shm (a container?): start the relay there, or "
				"share a folder and set SCOPE_DIR\n",
			(int)pid);
		return 1;
	}
	if (sc_session_begin(&s, argc, argv) < 0)
		return 1;
	status = sc_prepare(in, &s, flagc, flags);
	if (status != 0) {
		sc_session_drop(&s);
		return status;
	}
	err = sc_hub_default(&s, in);
	sc_plans_prepare_process(pid, s.plans);
	if (err == 0)
		err = sc_inject_process(pid, SC_INJECT_ATTACH, in->libscope, s.channels, &stopped, &error);
	if (err < 0) {
		fprintf(stderr, "scope attach: %s\n", error.text[0] ? error.text : strerror(-err));
		sc_session_drop(&s);
		return 1;
	}
	err = sc_relay_start(&s, in);
	if (err < 0)
		fprintf(stderr, "scope attach: cannot start the relay: %s\n", strerror(-err));
	snprintf(config, sizeof(config), "%s/scope.yml", s.dir);
	if (sc_crash_wish(&s, &watch) && (err = sc_crash_watch_process(pid, &watch)) < 0)
		fprintf(stderr, "scope attach: no crash files: cannot watch the process: %s\n", strerror(-err));
	printf("Attached to pid %d (%s), session %lu; it stood for %ld.%ld ms\n", (int)pid, argv[0], s.id, stopped / 1000,
	       stopped % 1000 / 100);
	return 0;
}

int sc_attach(const struct sc_install *in, int argc, char **argv)
{
	int flags = 0;
	pid_t pid;

	while (flags < argc && argv[flags][0] == '-')
		flags += sc_flag_takes_value(argv[flags]) ? 2 : 1;
	if (flags != argc - 1) {
		fprintf(stderr, "scope attach: %s\nUsage: scope attach [flags] PID|NAME\n",
			flags >= argc ? "a PID or name is missing" : "one PID or name at a time");
		return 1;
	}
	pid = resolve("attach", argv[flags], false);
	return pid ? attach_pid(in, pid, flags, argv) : 1;
}

/* 0: detached (or was already), 1: not. */
static int detach_pid(const struct sc_install *in, pid_t pid)
{
	struct sc_inject_error error = {""};
	int err;

	if (!has_library(pid)) {
		fprintf(stderr, "scope detach: process %d is not being scoped\n", (int)pid);
		return 1;
	}
	err = sc_inject_process(pid, SC_INJECT_DETACH, in->libscope, "", NULL, &error);
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
	const char *word = NULL;
	bool all = false;
	pid_t found[MATCHES];
	int n, bad = 0;

	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "-a") || !strcmp(argv[i], "--all"))
			all = true;
		else if (!strcmp(argv[i], "-w") || !strcmp(argv[i], "--wait"))
			; /* detaching is done when the command returns */
		else if (argv[i][0] == '-' || word) {
			fprintf(stderr, "scope detach: unexpected %s\nUsage: scope detach [--all] [--wait] [PID|NAME]\n",
				argv[i]);
			return 1;
		} else {
			word = argv[i];
		}
	}
	if (all && word) {
		fprintf(stderr, "scope detach: --all flag is mutually exclusive with PID or <process_name>\n");
		return 1;
	}
	if (!all && !word) {
		fprintf(stderr, "scope detach: a PID, a name or --all is missing\n");
		return 1;
	}
	if (word) {
		pid_t pid = resolve("detach", word, true);

		return pid ? detach_pid(in, pid) : 1;
	}
	n = matches(NULL, true, found);
	if (n == 0) {
		fprintf(stderr, "scope detach: no scoped processes found\n");
		return 1;
	}
	for (int i = 0; i < n; i++)
		bad |= detach_pid(in, found[i]);
	return bad;
}
