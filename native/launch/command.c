// SPDX-License-Identifier: Apache-2.0
// Finds a command as a shell does. Layer 5.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch/launch.h"

static int problem(const char *name, int err)
{
	if (err == ENOENT && !strchr(name, '/'))
		fprintf(stderr, "scope: %s: command not found\n", name);
	else
		fprintf(stderr, "scope: %s: %s\n", name, strerror(err));
	return err == ENOENT || err == ENOTDIR ? 127 : 126;
}

/* 0 when path can be executed, else the errno a shell would report. */
static int runnable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	return access(path, X_OK) < 0 ? errno : 0;
}

int sc_command_find(const char *name, char *path, size_t size)
{
	const char *dirs = getenv("PATH");
	int err = ENOENT;

	if (strchr(name, '/')) {
		if ((size_t)snprintf(path, size, "%s", name) >= size)
			return problem(name, ENAMETOOLONG);
		err = runnable(path);
		return err ? problem(name, err) : 0;
	}
	if (*name == '\0')
		return problem(name, ENOENT);
	if (!dirs)
		dirs = "/usr/local/bin:/usr/bin:/bin";
	for (const char *p = dirs;; p++) {
		size_t n = strcspn(p, ":");
		int got;

		if (n == 0)
			got = snprintf(path, size, "./%s", name);
		else
			got = snprintf(path, size, "%.*s/%s", (int)n, p, name);
		if (got > 0 && (size_t)got < size) {
			int e = runnable(path);

			if (e == 0)
				return 0;
			if (e == EACCES)
				err = EACCES;
		}
		p += n;
		if (*p == '\0')
			return problem(name, err);
	}
}
