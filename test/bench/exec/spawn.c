// SPDX-License-Identifier: Apache-2.0
// spawn N COMMAND…: microseconds per posix_spawn and wait, printed.
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

int main(int argc, char **argv)
{
	int n = atoi(argv[1]);
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < n; i++) {
		pid_t p;
		int status;

		if (posix_spawn(&p, argv[2], NULL, NULL, argv + 2, environ) != 0)
			return 1;
		waitpid(p, &status, 0);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.1f\n", ((b.tv_sec - a.tv_sec) * 1e6 + (b.tv_nsec - a.tv_nsec) / 1e3) / n);
	return argc < 3;
}
