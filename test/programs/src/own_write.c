// SPDX-License-Identifier: Apache-2.0
// Description: a program with a write() of its own, and text in bursts on stdout and stderr.
#define _GNU_SOURCE
#include "check.h"
#include <sys/syscall.h>

static int calls;

ssize_t write(int fd, const void *buf, size_t n)
{
	calls++;
	return syscall(SYS_write, fd, buf, n);
}

int main(void)
{
	char line[5000];

	memset(line, 'a', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 100; i++)
		if (write(1, line, sizeof(line)) != sizeof(line))
			return 1;
	fprintf(stderr, "done %d\n", calls > 99);
	return 0;
}
