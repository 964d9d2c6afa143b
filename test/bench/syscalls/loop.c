// SPDX-License-Identifier: Apache-2.0
// loop CALL N: nanoseconds per call, printed.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long n = argc > 2 ? atol(argv[2]) : 1000000;
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
	struct timespec a, b;
	struct stat st;
	char c;

	/* The relay has started by then: what it costs at start is the question `launch`. */
	sleep(1);
	for (int round = 0; round < 2; round++) {
		clock_gettime(CLOCK_MONOTONIC, &a);
		for (long i = 0; i < (round ? n : n / 10); i++) {
			if (!strcmp(argv[1], "read"))
				n += read(zero, &c, 1) != 1;
			else if (!strcmp(argv[1], "write"))
				n += write(null, &c, 1) != 1;
			else if (!strcmp(argv[1], "stat"))
				n += stat("/etc/passwd", &st) != 0;
			else
				close(open("/etc/passwd", O_RDONLY));
		}
		clock_gettime(CLOCK_MONOTONIC, &b);
	}
	printf("%.1f\n", ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / n);
	return 0;
}
