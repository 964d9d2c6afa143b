/* SPDX-License-Identifier: Apache-2.0 */
/* The launcher's parts. A small static program: libc is allowed here, Node is started only when it must be. */
#ifndef SCOPE_LAUNCH_LAUNCH_H
#define SCOPE_LAUNCH_LAUNCH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where this installation lies. */
struct sc_install {
	char root[PATH_MAX];     /* folder with package.json */
	char libscope[PATH_MAX]; /* build/lib/libscope.so */
	char launcher[PATH_MAX]; /* this program */
	char cli[PATH_MAX];      /* dist/main.js */
};

/* A session that was begun. */
struct sc_session {
	uid_t owner;             /* of the process observed */
	pid_t target;            /* its pid; 0: our own, it becomes the command */
	unsigned long id;
	char dir[PATH_MAX];      /* its folder below $SCOPE_HOME/history */
	char channels[PATH_MAX]; /* the channel folder: SCOPE_DIR of the application */
	char plans[PATH_MAX];    /* $SCOPE_HOME/plans */
};

/* Fills all paths from /proc/self/exe. 0 or -errno. */
int sc_install_look(struct sc_install *in);
/* The same. 0, or -1 with a message on stderr. */
int sc_install_find(struct sc_install *in);

/* $SCOPE_HOME, else $HOME/.scope, else $TMPDIR/.scope, else /tmp/.scope; absolute. */
void sc_home(char *out, size_t size);

/*
 * Makes the session folder, args.json and the channel folder. Pre: owner and target are set, the rest is
 * zero. 0, or -1 with a message on stderr.
 */
int sc_session_begin(struct sc_session *s, int argc, char **argv);
/* Takes back what sc_session_begin made (the command could not be run). */
void sc_session_drop(const struct sc_session *s);

/* Makes SCOPE_DIR/hub with the default control block when it is absent. 0 or -errno. */
int sc_hub_default(const struct sc_session *s, const struct sc_install *in);
/* Before the exec of a program: what we have used of the processor is not the program's. */
void sc_hub_launching(const char *channels);

/* Starts the session relay in the background, in a session of its own. hub_dir: an open folder, -1: s->channels. 0 or -errno. */
int sc_relay_start(const struct sc_session *s, const struct sc_install *in, int hub_dir);

/*
 * Resolves a command as a shell does. Returns 0 and fills path, or the exit status the shell gives:
 * 127 not found, 126 not executable; the message is printed.
 */
int sc_command_find(const char *name, char *path, size_t size);

/*
 * Runs the CLI's `prepare` when flags, SCOPE_* variables or a scope.yml ask for more than the defaults: it checks
 * them and writes scope.yml and the hub. 0, or the exit status of what was wrong (its message is printed).
 */
int sc_prepare(const struct sc_install *in, const struct sc_session *s, int flagc, char **flags);

struct sc_crash_options;

/* Whether `prepare` asks for crash files (it leaves a file `crash`), and which. */
bool sc_crash_wish(const struct sc_session *s, struct sc_crash_options *watch);

/* Whether the value of a flag of `run` is the next word. */
bool sc_flag_takes_value(const char *flag);

/* Sets LD_PRELOAD (ours first, the user's kept) and SCOPE_DIR. */
void sc_env_set(const struct sc_session *s, const struct sc_install *in);

/*
 * Session, checks and relay for a command, whose path it resolves. 0, or the exit status after a message: then
 * nothing is left behind.
 */
int sc_run_begin(const struct sc_install *in, struct sc_session *s, int flagc, char **flags, int argc, char **argv,
		 char path[PATH_MAX]);
/* Becomes the command, scoped into the session. Returns an exit status only when it could not be executed. */
int sc_run_exec(const struct sc_install *in, const struct sc_session *s, const char *path, char **argv);

/* `scope watch -i INTERVAL [flags] -- CMD…`. Returns an exit status only when nothing was run. */
int sc_watch(const struct sc_install *in, int flagc, char **flags, int argc, char **argv);
/* A Go duration (`5s`, `1h500ms`) in nanoseconds. 0 or -EINVAL. */
int sc_duration_parse(const char *text, uint64_t *ns);

struct sc_far;

/*
 * Computes the patch plans that are missing for what a program will map, or what a process has mapped, into the
 * folder plans; far: copied to there, too. Whatever goes wrong is left to the library, which can do the same.
 */
void sc_plans_prepare(const char *program, const char *plans);
void sc_plans_prepare_process(pid_t pid, const char *plans, const struct sc_far *far);

/* `scope CMD…` and `scope run [flags] -- CMD…`. Returns an exit status only when nothing was run. */
int sc_run(const struct sc_install *in, int flagc, char **flags, int argc, char **argv);

/* Becomes the static program path with the library in it; SCOPE_DIR says where its channel goes. */
int sc_inject_exec(const char *path, char **argv);

/* `scope attach …`, `scope detach …`: exit status. */
int sc_attach(const struct sc_install *in, int argc, char **argv);
int sc_detach(const struct sc_install *in, int argc, char **argv);

/* `facts-of [FILE]`: exit status. */
int sc_facts(const char *file);

/* Replaces this process by Node with the CLI and these arguments. Returns an exit status on failure. */
int sc_exec_cli(const struct sc_install *in, int argc, char **argv);

#endif
