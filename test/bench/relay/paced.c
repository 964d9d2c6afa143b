/* SPDX-License-Identifier: Apache-2.0 */
/* Opens and closes a file RATE times a second, evenly in steps of a millisecond, for SECONDS. */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long rate = argc > 1 ? atol(argv[1]) : 50000;
	long steps = (argc > 2 ? atol(argv[2]) : 10) * 1000;
	struct timespec next;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (long step = 0; step < steps; step++) {
		for (long i = 0; i < rate / 1000; i++)
			close(open("/etc/hosts", O_RDONLY));
		next.tv_nsec += 1000000;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	return 0;
}
