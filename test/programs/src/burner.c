// SPDX-License-Identifier: Apache-2.0
// Description: uses the processor as lines of stdin say, and answers with the microseconds it has used since it was
// forked, as the kernel counts them.
//	burn MS       -> used N
//	exec PROGRAM  -> used N, and becomes it
#include "check.h"
#include <time.h>
#include <unistd.h>

static long used(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int main(void)
{
	char line[4096], word[8], rest[4000];

	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	while (fgets(line, sizeof(line), stdin) && sscanf(line, "%7s %3999s", word, rest) == 2) {
		if (!strcmp(word, "burn")) {
			long until = used() + atol(rest) * 1000;

			while (used() < until)
				;
			printf("used %ld\n", used());
		} else {
			printf("used %ld\n", used());
			execl(rest, rest, NULL);
			return 127;
		}
	}
	return 0;
}
