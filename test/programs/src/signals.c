// SPDX-License-Identifier: Apache-2.0
// Description: a storm of signals during system calls, on an alternate stack; jumps out of handlers; restarted reads.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

static volatile sig_atomic_t ticks, jump_now;
static sigjmp_buf out;

static void on_alarm(int sig)
{
	char c;
	int e = errno, fd = open("/dev/null", O_RDWR);

	(void)sig;
	if (write(fd, "x", 1) != 1 || read(fd, &c, 1) != 0)
		_exit(9);
	close(fd);
	ticks++;
	errno = e;
	if (jump_now) {
		jump_now = 0;
		siglongjmp(out, 1);
	}
}

int main(void)
{
	static char alt[32768];
	stack_t ss = {.ss_sp = alt, .ss_size = sizeof(alt)};
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART | SA_ONSTACK};
	struct itimerval every = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
	char buf[256];
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY), p[2], n = 0;

	NEED(sigaltstack(&ss, NULL) == 0 && sigaction(SIGALRM, &sa, NULL) == 0);
	setitimer(ITIMER_REAL, &every, NULL);
	while (ticks < 500) {
		NEED(read(zero, buf, sizeof(buf)) == sizeof(buf));
		NEED(write(null, buf, sizeof(buf)) == sizeof(buf));
		int fd = open("/etc/passwd", O_RDONLY);
		NEED(fd >= 0);
		close(fd);
	}
	for (int i = 0; i < 200; i++) {
		if (sigsetjmp(out, 1) == 0) {
			jump_now = 1;
			for (;;)
				if (read(zero, buf, 64) != 64)
					return 2;
		}
		n++;
	}
	printf("jumps %d\n", n);
	NEED(pipe(p) == 0);
	pid_t c = fork();
	if (c == 0) {
		setitimer(ITIMER_REAL, &never, NULL);
		usleep(50000);
		NEED(write(p[1], "late", 4) == 4);
		_exit(0);
	}
	printf("restarted read %d\n", (int)read(p[0], buf, 4));
	waitpid(c, NULL, 0);
	setitimer(ITIMER_REAL, &never, NULL);
	fflush(stdout);
	raise(SIGTERM);
	return 0;
}
