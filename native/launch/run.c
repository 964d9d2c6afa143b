// SPDX-License-Identifier: Apache-2.0
// `scope run`: session, checks, relay, then the command in our place (same pid, terminal, descriptors). Layer 5.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "elf/preload.h"
#include "inject/crash.h"
#include "inject/inject.h"
#include "launch/launch.h"

extern char **environ;

/* Whether a configuration outside the defaults has to be read: flags, SCOPE_* variables or a scope.yml. */
static bool needs_prepare(int flagc)
{
	static const char *const own[] = {"SCOPE_HOME=", "SCOPE_DIR=", "SCOPE_NODE="};
	char home[PATH_MAX], path[PATH_MAX + 32];
	const char *user_home = getenv("HOME");

	if (flagc > 0)
		return true;
	for (char **e = environ; *e; e++) {
		bool ours = false;

		if (strncmp(*e, "SCOPE_", 6) != 0)
			continue;
		for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
			ours |= strncmp(*e, own[i], strlen(own[i])) == 0;
		if (!ours)
			return true;
	}
	sc_home(home, sizeof(home));
	for (int i = 0; i < 2; i++) {
		static const char *const name[] = {"conf/scope.yml", "scope.yml"};
		const char *const dir[] = {home, "/etc/scope", user_home ? user_home : "", "."};

		for (int k = 0; k < 4; k++) {
			snprintf(path, sizeof(path), "%s/%s", dir[k], name[i]);
			if (*dir[k] && access(path, R_OK) == 0)
				return true;
		}
	}
	return false;
}

int sc_prepare(const struct sc_install *in, const struct sc_session *s, int flagc, char **flags)
{
	pid_t child;
	int status;

	if (!needs_prepare(flagc))
		return 0;
	fflush(NULL);
	child = fork();
	if (child < 0) {
		fprintf(stderr, "scope: fork: %s\n", strerror(errno));
		return 1;
	}
	if (child == 0) {
		char **argv = calloc((size_t)flagc + 4, sizeof(*argv));

		if (!argv)
			_exit(1);
		argv[0] = "prepare";
		argv[1] = (char *)s->dir;
		argv[2] = "--";
		if (flagc)
			memcpy(argv + 3, flags, (size_t)flagc * sizeof(*argv));
		_exit(sc_exec_cli(in, flagc + 3, argv));
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void sc_env_set(const struct sc_session *s, const struct sc_install *in)
{
	const char *old = getenv("LD_PRELOAD");
	char *text;

	if (old && *old) {
		if (asprintf(&text, "%s:%s", old, in->libscope) > 0)
			setenv("LD_PRELOAD", text, 1);
	} else {
		setenv("LD_PRELOAD", in->libscope, 1);
	}
	setenv("SCOPE_DIR", s->channels, 1);
}

int sc_run_begin(const struct sc_install *in, struct sc_session *s, int flagc, char **flags, int argc, char **argv,
		 char path[PATH_MAX])
{
	int status = sc_command_find(argv[0], path, PATH_MAX);
	int err;

	*s = (struct sc_session){.owner = getuid()};
	if (status != 0)
		return status;
	if (sc_session_begin(s, argc, argv) < 0)
		return 1;
	status = sc_prepare(in, s, flagc, flags);
	if (status != 0) {
		sc_session_drop(s);
		return status;
	}
	err = sc_hub_default(s, in);
	if (err < 0)
		fprintf(stderr, "scope: %s: %s; the command runs unscoped\n", s->channels,
			strerror(-err));
	err = sc_relay_start(s, in, -1);
	if (err < 0)
		fprintf(stderr, "scope: cannot start the relay: %s; read the session later\n",
			strerror(-err));
	return 0;
}

bool sc_crash_wish(const struct sc_session *s, struct sc_crash_options *watch)
{
	char path[PATH_MAX + 32], words[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/crash", s->dir);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(words, sizeof(words), f))
		words[0] = '\0';
	fclose(f);
	watch->backtrace = strstr(words, "backtrace") != NULL;
	watch->core = strstr(words, "coredump") != NULL;
	return watch->backtrace || watch->core;
}

/* One line for the session. */
static void note(const char *notes, const char *path, const char *why)
{
	FILE *f = fopen(notes, "ae");

	if (!f)
		return;
	fprintf(f, "%s runs unscoped: %s\n", path, why);
	fclose(f);
}

/* Without a helper the image runs all the same, and the session says that it does. */
static void ask_for_help(const struct sc_exec_help *help, const char *path)
{
	if (sc_inject_next_exec(help) < 0)
		note(help->notes, path, help->libscope ? "it is static, and ptrace is not allowed or has another user (a debugger, "
							 "the watch for crashes)"
						       : "no crash files: ptrace is not allowed");
}

/* A static image gets the library from outside; one that is watched for crashes has a tracer. */
static void help_next_exec(const struct sc_session *s, const struct sc_install *in, const char *path)
{
	char notes[PATH_MAX + 16], config[PATH_MAX + 16];
	struct sc_crash_options watch = {.config = config};
	struct sc_exec_help help = {.dir = s->channels, .notes = notes};

	snprintf(notes, sizeof(notes), "%s/notes", s->channels);
	snprintf(config, sizeof(config), "%s/scope.yml", s->dir);
	if (sc_inject_is_static(path) == 1)
		help.libscope = in->libscope;
	if (sc_crash_wish(s, &watch))
		help.crash = &watch;
	if (help.libscope || help.crash)
		ask_for_help(&help, path);
}

/* The session says why there is nothing in it. */
static void note_unscoped(const struct sc_session *s, const char *path)
{
	char notes[PATH_MAX + 16];

	snprintf(notes, sizeof(notes), "%s/notes", s->channels);
	note(notes, path, "it is no 64-bit x86 program, or needs its sanitizer's library to be the first");
}

int sc_run_exec(const struct sc_install *in, const struct sc_session *s, const char *path, char **argv)
{
	if (sc_elf_preloadable(path))
		sc_env_set(s, in);
	else
		note_unscoped(s, path);
	help_next_exec(s, in, path);
	sc_hub_launching(s->channels);
	execv(path, argv);
	if (errno == ENOEXEC) { /* a script without #!: a shell runs it, as it would itself */
		size_t argc = 0;
		char **shell;

		while (argv[argc])
			argc++;
		shell = calloc(argc + 2, sizeof(*shell));
		if (shell) {
			shell[0] = "/bin/sh";
			shell[1] = (char *)path;
			memcpy(shell + 2, argv + 1, argc * sizeof(*shell));
			execv(shell[0], shell);
		}
	}
	fprintf(stderr, "scope: %s: %s\n", argv[0], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}

int sc_run(const struct sc_install *in, int flagc, char **flags, int argc, char **argv)
{
	char path[PATH_MAX];
	struct sc_session s;
	int status = sc_run_begin(in, &s, flagc, flags, argc, argv, path);

	return status != 0 ? status : sc_run_exec(in, &s, path, argv);
}

/* Whatever is missing, a /proc for example, the program runs: it did not ask for us. */
int sc_inject_exec(const char *path, char **argv)
{
	const char *dir = getenv("SCOPE_DIR");
	struct sc_install in;
	char notes[PATH_MAX + 16];

	if (dir && *dir && sc_install_look(&in) == 0) {
		snprintf(notes, sizeof(notes), "%s/notes", dir);
		ask_for_help(&(struct sc_exec_help){.libscope = in.libscope, .dir = dir, .notes = notes}, path);
		sc_hub_launching(dir);
	}
	execv(path, argv);
	return errno == ENOENT ? 127 : 126;
}
