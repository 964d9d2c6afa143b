// SPDX-License-Identifier: Apache-2.0
// The `scope` command: tells a subcommand from a command to run. Layer 5, one thread.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/launch.h"
#include "launch/subcommands.h"

static bool is_subcommand(const char *word)
{
#define X(name)                                                                                    \
	if (strcmp(word, name) == 0)                                                               \
		return true;
	SC_SUBCOMMAND_LIST(X)
	SC_HIDDEN_LIST(X)
#undef X
	return false;
}

int sc_exec_cli(const struct sc_install *in, int argc, char **argv)
{
	char **args = calloc((size_t)argc + 3, sizeof(*args));
	const char *node = getenv("SCOPE_NODE");

	if (!args)
		return 1;
	args[0] = (char *)(node && *node ? node : "node");
	args[1] = (char *)in->cli;
	memcpy(args + 2, argv, (size_t)argc * sizeof(*args));
	execvp(args[0], args);
	fprintf(stderr, "scope: cannot start %s (Node.js 20 or newer is needed): %s\n", args[0],
		strerror(errno));
	return errno == ENOENT ? 127 : 126;
}

/* Flags of `run` that take a value in the next word; the CLI checks them all. */
bool sc_flag_takes_value(const char *flag)
{
	static const char *const with_value[] = {
		"-c", "--cribldest", "--metricformat", "--metricprefix", "-m",          "--metricdest",
		"-e", "--eventdest", "-a",             "--authtoken",    "-v",          "--verbosity",
		"-l", "--librarypath", "--loglevel",   "-u",             "--userconfig"};

	for (size_t i = 0; i < sizeof(with_value) / sizeof(*with_value); i++)
		if (strcmp(flag, with_value[i]) == 0)
			return true;
	return false;
}

/* Flags that the CLI only checks: `--librarypath DIR` names our library, `--nobreaker` is a variable of the command. */
static int apply_flags(struct sc_install *in, int flagc, char **flags)
{
	static const char long_path[] = "--librarypath";

	for (int i = 0; i < flagc; i++) {
		const char *word = flags[i], *value = NULL;
		size_t n = sizeof(long_path) - 1;

		if (strcmp(word, "-l") == 0 || strcmp(word, long_path) == 0)
			value = i + 1 < flagc ? flags[i + 1] : NULL;
		else if (strncmp(word, long_path, n) == 0 && word[n] == '=')
			value = word + n + 1;
		else if (strcmp(word, "-n") == 0 || strcmp(word, "--nobreaker") == 0)
			setenv("SCOPE_CRIBL_NO_BREAKER", "true", 1);
		if (sc_flag_takes_value(word))
			i++;
		if (!value)
			continue;
		char dir[PATH_MAX];

		if (!realpath(value, dir) ||
		    snprintf(in->libscope, sizeof(in->libscope), "%s/libscope.so", dir) >= (int)sizeof(in->libscope) ||
		    access(in->libscope, R_OK) < 0) {
			fprintf(stderr, "scope: Library Path does not exist: \"%s\"; expected a folder with libscope.so\n",
				value);
			return 1;
		}
	}
	return 0;
}

/* `run|watch [flags] [--] CMD…`: where the command begins; argc when there is none. */
static int command_index(bool watch, int argc, char **argv)
{
	int i = 0;

	while (i < argc) {
		if (strcmp(argv[i], "--") == 0)
			return i + 1;
		if (argv[i][0] != '-' || argv[i][1] == '\0')
			return i;
		if (watch && (strcmp(argv[i], "-i") == 0 || strcmp(argv[i], "--interval") == 0))
			i += 2;
		else
			i += sc_flag_takes_value(argv[i]) ? 2 : 1;
	}
	return argc;
}

/* `run` and `watch`. */
static int run_command(struct sc_install *in, const char *word, int argc, char **argv)
{
	bool watch = strcmp(word, "watch") == 0;
	int at = command_index(watch, argc, argv);
	int flagc = at;

	if (flagc > 0 && strcmp(argv[flagc - 1], "--") == 0)
		flagc--;
	for (int i = 0; i < flagc; i++)
		if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
			char *help[] = {(char *)word, "--help"};

			return sc_exec_cli(in, 2, help);
		}
	if (at >= argc) {
		fprintf(stderr, "scope %s: a command is missing\n"
				"Usage: scope %s [flags] [--] COMMAND [ARGUMENT…]\n", word, word);
		return 1;
	}
	if (apply_flags(in, flagc, argv) != 0)
		return 1;
	if (watch)
		return sc_watch(in, flagc, argv, argc - at, argv + at);
	return sc_run(in, flagc, argv, argc - at, argv + at);
}

int main(int argc, char **argv)
{
	struct sc_install in;

	if (argc > 2 && strcmp(argv[1], SC_INJECT_EXEC_WORD) == 0)
		return sc_inject_exec(argv[2], argv + 3);
	if (argc > 1 && strcmp(argv[1], SC_FACTS_WORD) == 0)
		return sc_facts(argc > 2 ? argv[2] : NULL);
	if (sc_install_find(&in) < 0)
		return 1;
	if (argc < 2 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
		char *help[] = {"help"};

		return sc_exec_cli(&in, 1, help);
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		char *version[] = {"version"};

		return sc_exec_cli(&in, 1, version);
	}
	if (strcmp(argv[1], "--") == 0) {
		if (argc < 3) {
			fprintf(stderr, "scope: a command is missing after --\n");
			return 1;
		}
		return sc_run(&in, 0, NULL, argc - 2, argv + 2);
	}
	if (strcmp(argv[1], "-z") == 0 || strcmp(argv[1], "--passthrough") == 0) {
		fprintf(stderr, "scope: %s is not supported: use `scope COMMAND`, or set LD_PRELOAD and SCOPE_DIR\n",
			argv[1]);
		return 2;
	}
	if (argv[1][0] == '-') {
		fprintf(stderr, "scope: unknown flag %s\nTry: scope --help\n", argv[1]);
		return 2;
	}
	if (strcmp(argv[1], "run") == 0 || strcmp(argv[1], "watch") == 0)
		return run_command(&in, argv[1], argc - 2, argv + 2);
	if (strcmp(argv[1], "attach") == 0 || strcmp(argv[1], "detach") == 0) {
		for (int i = 2; i < argc; i++)
			if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0)
				return sc_exec_cli(&in, argc - 1, argv + 1);
		return argv[1][0] == 'a' ? sc_attach(&in, argc - 2, argv + 2) : sc_detach(&in, argc - 2, argv + 2);
	}
	if (is_subcommand(argv[1]))
		return sc_exec_cli(&in, argc - 1, argv + 1);
	return sc_run(&in, 0, NULL, argc - 1, argv + 1);
}
