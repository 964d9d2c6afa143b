// SPDX-License-Identifier: Apache-2.0
// Description: 1,000 short threads that each open, read, write and close; then a fork from a thread.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

static void *work(void *arg)
{
	char buf[16];
	int fd = open("/dev/zero", O_RDONLY), out = open("/dev/null", O_WRONLY);

	(void)arg;
	for (int i = 0; i < 20; i++)
		if (read(fd, buf, 16) != 16 || write(out, buf, 16) != 16)
			exit(3);
	close(fd);
	close(out);
	return NULL;
}

static void *forker(void *arg)
{
	int status;
	pid_t p = fork();

	(void)arg;
	if (p == 0) {
		work(NULL);
		_exit(5);
	}
	NEED(waitpid(p, &status, 0) == p);
	printf("child of a thread: %d\n", WEXITSTATUS(status));
	return NULL;
}

int main(void)
{
	for (int round = 0; round < 125; round++) {
		pthread_t t[8];

		for (int i = 0; i < 8; i++)
			NEED(pthread_create(&t[i], NULL, work, NULL) == 0);
		for (int i = 0; i < 8; i++)
			pthread_join(t[i], NULL);
	}
	pthread_t t;
	NEED(pthread_create(&t, NULL, forker, NULL) == 0);
	pthread_join(t, NULL);
	puts("done");
	return 0;
}
