// SPDX-License-Identifier: Apache-2.0
// Description: does what lines of stdin say, and answers each: what a process in a container does, one thing at a time.
//	open PATH      open, read, close                  -> open N
//	fork PATH      the same in a child                -> fork STATUS
//	run CMD ARG…   fork, exec, wait                   -> run STATUS
//	exec CMD ARG…  becomes it
//	leave CMD ARG… starts it and ends                 -> leave 0
#include "check.h"
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static long read_file(const char *path)
{
	char buf[64];
	int fd = open(path, O_RDONLY);
	long n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	if (fd >= 0)
		close(fd);
	return n;
}

static int ended(pid_t child)
{
	int status = 0;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t start(char **argv)
{
	pid_t child = fork();

	if (child == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	return child;
}

int main(void)
{
	char line[4096], *argv[64];

	setvbuf(stdin, NULL, _IONBF, 0);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		int argc = 0;

		for (char *word = strtok(line, " \n"); word && argc < 63; word = strtok(NULL, " \n"))
			argv[argc++] = word;
		argv[argc] = NULL;
		if (argc < 2)
			continue;
		if (!strcmp(argv[0], "open")) {
			printf("open %ld\n", read_file(argv[1]));
		} else if (!strcmp(argv[0], "fork")) {
			pid_t child = fork();

			if (child == 0)
				_exit(read_file(argv[1]) < 0);
			printf("fork %d\n", ended(child));
		} else if (!strcmp(argv[0], "run")) {
			printf("run %d\n", ended(start(argv + 1)));
		} else if (!strcmp(argv[0], "leave")) {
			printf("leave 0\n");
			fflush(stdout);
			start(argv + 1);
			return 0;
		} else if (!strcmp(argv[0], "exec")) {
			execv(argv[1], argv + 1);
			printf("exec -1\n");
		}
		fflush(stdout);
	}
	return 0;
}
