/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Description: drives native/inject for the tests.
 *   inject_tool exec LIB DIR NOTES PROGRAM [ARG…]   becomes PROGRAM with LIB in it
 *   inject_tool attach|detach LIB DIR PID           prints the time the target stood, in microseconds
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "inject/inject.h"
#include "scope/inject.h"

int main(int argc, char **argv)
{
	struct sc_inject_error error = { "" };
	long us = 0;
	int ret;

	if (argc > 5 && !strcmp(argv[1], "exec")) {
		const struct sc_exec_help help = {
			.libscope = argv[2],
			.dir = argv[3],
			.notes = argv[4],
		};

		ret = sc_inject_next_exec(&help);
		if (!ret)
			execv(argv[5], argv + 5);
		fprintf(stderr, "inject_tool: %d\n", ret);
		return 1;
	}
	if (argc != 5)
		return 2;
	const struct sc_inject_what what = {
		.op = !strcmp(argv[1], "attach") ? SC_INJECT_ATTACH : SC_INJECT_DETACH,
		.libscope = argv[2],
		.dir = argv[3],
	};

	ret = sc_inject_process(atoi(argv[4]), &what, &us, &error);
	if (ret)
		fprintf(stderr, "inject_tool: %d %s\n", ret, error.text);
	printf("%ld\n", us);
	return ret != 0;
}
