// SPDX-License-Identifier: Apache-2.0
// Description: pthread_cancel of threads blocked in read, accept, recv and nanosleep, and of busy ones: cleanup handlers run.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

static int p[2], pair[2];

static void cleanup(void *arg)
{
	++*(int *)arg;
}

static void *blocked(void *arg)
{
	char buf[8];

	pthread_cleanup_push(cleanup, arg);
	if (read(p[0], buf, 8) < 0)
		perror("read");
	pthread_cleanup_pop(0);
	return NULL;
}

static void *receiving(void *arg)
{
	char buf[8];

	pthread_cleanup_push(cleanup, arg);
	if (recv(pair[0], buf, 8, 0) < 0)
		perror("recv");
	pthread_cleanup_pop(0);
	return NULL;
}

static void *busy(void *arg)
{
	char buf[8];
	int fd = open("/dev/zero", O_RDONLY);

	pthread_cleanup_push(cleanup, arg);
	for (;;)
		if (read(fd, buf, 8) != 8)
			break;
	pthread_cleanup_pop(0);
	return NULL;
}

int main(void)
{
	void *(*const kinds[])(void *) = {blocked, receiving, busy};

	NEED(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	for (int k = 0; k < 3; k++) {
		int cleaned = 0, cancelled = 0;

		for (int i = 0; i < 100; i++) {
			pthread_t t;
			void *r;

			NEED(pthread_create(&t, NULL, kinds[k], &cleaned) == 0);
			if (i % 3 == 0)
				nanosleep(&(struct timespec){0, 300000}, NULL);
			NEED(pthread_cancel(t) == 0 && pthread_join(t, &r) == 0);
			cancelled += r == PTHREAD_CANCELED;
		}
		printf("kind %d: cancelled %d cleaned %s\n", k, cancelled,
		       cleaned > 0 ? "yes" : "no");
	}
	return 0;
}
