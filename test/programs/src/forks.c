// SPDX-License-Identifier: Apache-2.0
// Description: a storm of forks, vforks and spawns, some with a clean environment; each child leaves a mark in a file.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

static void mark(char c)
{
	int fd = open("marks", O_WRONLY | O_CREAT | O_APPEND, 0600);

	NEED(fd >= 0 && write(fd, &c, 1) == 1);
	close(fd);
}

static int child_main(void *arg)
{
	(void)arg;
	mark('c');
	return 4;
}

int main(int argc, char **argv)
{
	char *empty[] = {NULL}, *args[] = {argv[0], "mark", NULL};
	static char stack[65536];
	int status, sum = 0;
	pid_t p;

	if (argc > 1) {
		mark('m');
		return 9;
	}
	for (int i = 0; i < 100; i++) {
		p = fork();
		if (p == 0) {
			mark('f');
			if (fork() == 0) {
				mark('g');
				_exit(0);
			}
			wait(NULL);
			_exit(i & 7);
		}
		NEED(waitpid(p, &status, 0) == p);
		sum += WEXITSTATUS(status);
	}
	printf("forks %d\n", sum);
	p = vfork();
	if (p == 0) {
		execve("/proc/self/exe", args, empty);
		_exit(1);
	}
	NEED(waitpid(p, &status, 0) == p);
	printf("vfork exec %d\n", WEXITSTATUS(status));
	p = vfork();
	if (p == 0)
		_exit(6);
	NEED(waitpid(p, &status, 0) == p);
	printf("vfork exit %d\n", WEXITSTATUS(status));
	NEED(posix_spawn(&p, "/proc/self/exe", NULL, NULL, args, empty) == 0);
	NEED(waitpid(p, &status, 0) == p);
	printf("spawn %d\n", WEXITSTATUS(status));
	printf("spawn of nothing %d\n", posix_spawn(&p, "/none", NULL, NULL, args, empty));
	p = clone(child_main, stack + sizeof(stack), SIGCHLD, NULL);
	NEED(waitpid(p, &status, 0) == p);
	printf("clone %d\n", WEXITSTATUS(status));
	printf("system %d\n", system("echo from a shell; exit 3"));
	SHOW(execve("/none", args, empty));
	return 0;
}
