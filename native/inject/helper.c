// SPDX-License-Identifier: Apache-2.0
// A process beside the traced one, that is not its parent's to wait for. Layer 4.
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inject/helper.h"

#define READY_FD 3

int sc_helper_ready(int ready, int err)
{
	int heard = write(ready, &err, sizeof(err)) == sizeof(err);

	close(ready);
	return heard;
}

static void help(void (*body)(void *arg, int ready), void *arg, int ready)
{
	int null;

	/* First, for where the standard streams are closed the pipe may have one of their numbers. */
	if (ready != READY_FD && dup3(ready, READY_FD, O_CLOEXEC) != READY_FD)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd < READY_FD; fd++)
		dup2(null, fd);
	syscall(SYS_close_range, READY_FD + 1u, ~0u, 0u);
	body(arg, READY_FD);
}

int sc_helper_start(void (*body)(void *arg, int ready), void *arg)
{
	int p[2], err = -EAGAIN, status;
	pid_t child;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0) {
		setsid();
		if (fork() == 0)
			help(body, arg, p[1]);
		_exit(0);
	}
	close(p[1]);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (child > 0 && read(p[0], &err, sizeof(err)) != sizeof(err))
		err = -EAGAIN;
	close(p[0]);
	return err;
}
