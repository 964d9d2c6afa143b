// SPDX-License-Identifier: Apache-2.0
// Where the installation and the user's scope home lie. Layer 5.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/launch.h"

static void cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
}

int sc_install_look(struct sc_install *in)
{
	ssize_t n = readlink("/proc/self/exe", in->launcher, sizeof(in->launcher) - 1);

	if (n < 0)
		return -errno;
	in->launcher[n] = '\0';
	/* <root>/build/bin/scope */
	memcpy(in->root, in->launcher, (size_t)n + 1);
	for (int i = 0; i < 3; i++)
		cut_last(in->root);
	if (snprintf(in->libscope, sizeof(in->libscope), "%s/build/lib/libscope.so", in->root) >=
		    (int)sizeof(in->libscope) ||
	    snprintf(in->cli, sizeof(in->cli), "%s/dist/main.js", in->root) >=
		    (int)sizeof(in->cli))
		return -ENAMETOOLONG;
	return 0;
}

int sc_install_find(struct sc_install *in)
{
	int err = sc_install_look(in);

	if (err < 0)
		fprintf(stderr, "scope: cannot find the installation by /proc/self/exe: %s\n", strerror(-err));
	return err < 0 ? -1 : 0;
}

void sc_home(char *out, size_t size)
{
	const char *home = getenv("SCOPE_HOME");

	if (home && *home) {
		char cwd[PATH_MAX];

		if (home[0] == '/' || !getcwd(cwd, sizeof(cwd)))
			snprintf(out, size, "%s", home);
		else
			snprintf(out, size, "%s/%s", cwd, home);
		return;
	}
	home = getenv("HOME");
	if (!home || !*home)
		home = getenv("TMPDIR");
	if (!home || !*home)
		home = "/tmp";
	snprintf(out, size, "%s/.scope", home);
}
