/* SPDX-License-Identifier: Apache-2.0 */
/* Description: 30 threads that read files: 4 all the time, 26 once a millisecond. Says "ready", until killed. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *reads(void *pause)
{
	char buf[64];

	for (;;) {
		int fd = open("/etc/hostname", O_RDONLY);

		while (read(fd, buf, sizeof(buf)) > 0)
			;
		close(fd);
		if (pause)
			usleep(1000);
	}
	return NULL;
}

int main(void)
{
	pthread_t t;

	for (long i = 0; i < 29; i++)
		pthread_create(&t, NULL, reads, (void *)(i < 26 ? 1l : 0l));
	puts("ready");
	fflush(stdout);
	reads(NULL);
}
