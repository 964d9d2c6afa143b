// SPDX-License-Identifier: Apache-2.0
// Helpers of the odd programs: what they print depends on nothing but what they do.
#ifndef CHECK_H
#define CHECK_H
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Prints the outcome of a call by name: the result's sign and errno, not numbers that differ between runs. */
#define SHOW(call)                                                                                 \
	do {                                                                                       \
		errno = 0;                                                                         \
		long show_r = (long)(call);                                                        \
		printf("%s = %s errno %d\n", #call, show_r < 0 ? "-" : show_r ? "+" : "0", errno);  \
	} while (0)

#define NEED(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			printf("%s:%d: %s: errno %d\n", __FILE__, __LINE__, #cond, errno);         \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)
#endif
