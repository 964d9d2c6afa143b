// SPDX-License-Identifier: Apache-2.0
// Description: waits for two lines, then does what programs do: files, sockets, threads, children. Says "done", ends with 3.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void *files(void *arg)
{
	char buf[64];
	struct stat st;

	for (int i = 0; i < (int)(long)arg; i++) {
		int fd = open("/etc/hostname", O_RDONLY);

		while (read(fd, buf, sizeof(buf)) > 0)
			;
		pread(fd, buf, 4, 0);
		lseek(fd, 0, SEEK_SET);
		fstat(fd, &st);
		close(fd);
		access("/no such file", R_OK);
	}
	return NULL;
}

static int child(const char *program, char **argv, char **env)
{
	pid_t pid;
	int status = -1;

	if (posix_spawn(&pid, program, NULL, NULL, argv, env) == 0)
		waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

int main(void)
{
	char line[64], *hello[] = {"sh", "-c", "echo of a child; exit 7", NULL}, *empty[] = {NULL};
	int pair[2], status = 0;
	pthread_t thread[4];
	pid_t pid;

	dprintf(1, "ready\n");
	if (read(0, line, 1) <= 0)
		return 1;
	dprintf(1, "again\n");
	if (read(0, line, 1) <= 0)
		return 1;
	files((void *)20);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	for (int i = 0; i < 100; i++) {
		send(pair[0], "hello", 5, 0);
		recv(pair[1], line, 5, 0);
		write(pair[1], "world", 5);
		read(pair[0], line, 5);
	}
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, files, (void *)50);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	pid = fork();
	if (pid == 0) {
		files((void *)10);
		_exit(5);
	}
	waitpid(pid, &status, 0);
	dprintf(1, "%d %d", WEXITSTATUS(status), child("/bin/sh", hello, environ));
	dprintf(1, " %d\n", child("/bin/sh", hello, empty));
	dprintf(1, "done\n");
	return 3;
}
