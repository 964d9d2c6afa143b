// SPDX-License-Identifier: Apache-2.0
// Description: a signal handler forks; the child returns from the handler into whatever the signal interrupted.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

static volatile sig_atomic_t made, is_child;
static int limit;

static void on_alarm(int sig)
{
	(void)sig;
	if (is_child || made >= limit)
		return;
	made++;
	pid_t p = fork();
	if (p == 0)
		is_child = 1;
}

int main(int argc, char **argv)
{
	struct itimerval every = {{0, 1000}, {0, 1000}};
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	int fd, bad = 0, status;
	char line[900];

	limit = argc > 1 ? atoi(argv[1]) : 150;
	memset(line, 'l', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	NEED((fd = open("app.log", O_WRONLY | O_CREAT | O_TRUNC, 0600)) >= 0);
	NEED(sigaction(SIGALRM, &sa, NULL) == 0);
	setitimer(ITIMER_REAL, &every, NULL);
	while (made < limit && !is_child)
		if (pwrite(fd, line, sizeof(line), 0) != sizeof(line))
			return 1;
	if (is_child) {
		for (int i = 0; i < 5; i++)
			bad += pwrite(fd, line, sizeof(line), 0) != sizeof(line);
		_exit(bad != 0);
	}
	setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
	for (int i = 0; i < made; i++)
		if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
			bad++;
	printf("%d children, bad %d\n", (int)made, bad);
	return 0;
}
