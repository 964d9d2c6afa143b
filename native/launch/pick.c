// SPDX-License-Identifier: Apache-2.0
// PID or NAME of the command line to processes. Layer 5.
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch/pick.h"

void sc_comm_of(pid_t pid, char *out, size_t size)
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

/* As a file, or as the copy in memory that a process without a place for files gets. */
bool sc_has_library(pid_t pid)
{
	char path[64], line[4352];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "/libscope.so") || strstr(line, "/memfd:libscope.so");
	if (f)
		fclose(f);
	return found;
}

static int matches(const struct sc_pick *how, pid_t *out)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	int n = 0;

	while (proc && (e = readdir(proc)) && n < SC_PICK_MAX) {
		pid_t pid = (pid_t)atoi(e->d_name);
		char name[64];

		if (pid <= 0 || pid == getpid())
			continue;
		sc_comm_of(pid, name, sizeof(name));
		if (*name && (!how->word || strstr(name, how->word)) && (!how->scoped || sc_has_library(pid)))
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

/* The owner of a process as the host's /etc/passwd names him, else his number. */
static void user_of(const char *rootdir, pid_t pid, char *out, size_t size)
{
	char path[PATH_MAX], line[1024], name[64];
	unsigned uid, id;
	struct stat st;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	uid = stat(path, &st) == 0 ? st.st_uid : 0;
	snprintf(out, size, "%u", uid);
	snprintf(path, sizeof(path), "%s/etc/passwd", rootdir ? rootdir : "");
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63[^:]:%*[^:]:%u:", name, &id) == 2 && id == uid) {
			snprintf(out, size, "%s", name);
			break;
		}
	if (f)
		fclose(f);
}

static void print_command(FILE *to, pid_t pid)
{
	char path[64], text[256];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	f = fopen(path, "re");
	if (f) {
		n = fread(text, 1, sizeof(text), f);
		fclose(f);
	}
	if (n == 0) {
		sc_comm_of(pid, text, sizeof(text));
		n = strlen(text);
	}
	/* What a program wrote over its arguments must not reach a terminal as control characters. */
	for (size_t i = 0; i < n && !(text[i] == '\0' && i + 1 == n); i++)
		fputc((unsigned char)text[i] < 32 || text[i] == 127 ? ' ' : text[i], to);
	fputc('\n', to);
}

static void list(FILE *to, const struct sc_pick *how, const pid_t *found, int n)
{
	char user[64];

	fprintf(to, "%-4s  %-7s  %-12s  %-6s  %s\n", "ID", "PID", "USER", "SCOPED", "COMMAND");
	for (int i = 0; i < n; i++) {
		user_of(how->rootdir, found[i], user, sizeof(user));
		fprintf(to, "%-4d  %-7d  %-12s  %-6s  ", i + 1, (int)found[i], user, sc_has_library(found[i]) ? "true" : "false");
		print_command(to, found[i]);
	}
}

/* One of several: asked of a terminal. */
static int choose(const struct sc_pick *how, pid_t *found, int n)
{
	char line[32], *end = line;
	long id = 0;

	if (!isatty(STDIN_FILENO)) {
		if (how->word)
			fprintf(stderr, "scope %s: \"%s\" fits %d processes; give a PID, or --all:\n", how->verb, how->word, n);
		else
			fprintf(stderr, "scope %s: a PID, a name or --all is missing\n", how->verb);
		list(stderr, how, found, n);
		return 0;
	}
	list(stdout, how, found, n);
	printf("Select an ID from the list: ");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin))
		id = strtol(line, &end, 10);
	if (end == line || *end != '\n' || id < 1 || id > n) {
		fprintf(stderr, "scope %s: invalid selection\n", how->verb);
		return 0;
	}
	found[0] = found[id - 1];
	return 1;
}

static int by_pid(const struct sc_pick *how, pid_t *found)
{
	long pid = strtol(how->word, NULL, 10);
	char name[64] = "";

	if (pid > 0 && pid <= INT_MAX)
		sc_comm_of((pid_t)pid, name, sizeof(name));
	if (*name) {
		found[0] = (pid_t)pid;
		return 1;
	}
	fprintf(stderr, "scope %s: no process %s\n", how->verb, how->word);
	return 0;
}

int sc_pick(const struct sc_pick *how, pid_t found[SC_PICK_MAX])
{
	int n;

	if (how->word && all_digits(how->word))
		return by_pid(how, found);
	n = matches(how, found);
	if (n == 0) {
		if (how->word)
			fprintf(stderr, "scope %s: no %sprocess with a name like \"%s\"\n", how->verb,
				how->scoped ? "scoped " : "", how->word);
		else
			fprintf(stderr, "scope %s: no scoped processes found\n", how->verb);
		if (geteuid() != 0)
			fprintf(stderr, "INFO: Run as root (or via sudo) to find all matching processes\n");
		return 0;
	}
	return n == 1 || how->all ? n : choose(how, found, n);
}
