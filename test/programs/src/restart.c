// SPDX-License-Identifier: Apache-2.0
// Description: a read that signals stop thirty times; the kernel makes it anew (SA_RESTART), or, with an argument, the
// program does. The handler makes a call, too.
#include "check.h"
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void handler(int sig)
{
	(void)sig;
	getppid();
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = argc > 1 ? 0 : SA_RESTART};
	struct timespec nap = {0, 5000000};
	pid_t child, self = getpid();
	int p[2];
	char byte;

	(void)argv;
	NEED(sigaction(SIGUSR1, &action, NULL) == 0);
	NEED(pipe(p) == 0);
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 30; i++) {
			nanosleep(&nap, NULL);
			kill(self, SIGUSR1);
		}
		nanosleep(&nap, NULL);
		_exit(write(p[1], "x", 1) != 1);
	}
	while (read(p[0], &byte, 1) < 0)
		NEED(errno == EINTR && argc > 1);
	NEED(waitpid(child, NULL, 0) == child);
	return 0;
}
