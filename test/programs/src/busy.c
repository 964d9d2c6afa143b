// SPDX-License-Identifier: Apache-2.0
// Description: threads that read, write, open and sleep until stdin ends; each call must give what it always gives.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

static atomic_int over;

static void *work(void *arg)
{
	char buf[32];
	int zero = open("/dev/zero", O_RDONLY), pair[2];

	(void)arg;
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	while (!over) {
		NEED(read(zero, buf, 32) == 32);
		NEED(send(pair[0], buf, 32, 0) == 32 && recv(pair[1], buf, 32, MSG_WAITALL) == 32);
		int fd = open("/etc/passwd", O_RDONLY);
		NEED(fd > 2 && close(fd) == 0);
		NEED(close(-1) == -1 && errno == EBADF);
		nanosleep(&(struct timespec){0, 100000}, NULL);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t[64];
	int n = argc > 1 ? atoi(argv[1]) : 4;
	char c;

	for (int i = 0; i < n; i++)
		NEED(pthread_create(&t[i], NULL, work, NULL) == 0);
	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) == 1)
		;
	over = 1;
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	return 0;
}
