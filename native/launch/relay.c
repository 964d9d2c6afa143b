// SPDX-License-Identifier: Apache-2.0
// Starts the session relay beside the command: not our child, not in our terminal's session. Layer 5.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <scope/channel.h>

#include "launch/launch.h"

/* In the grandchild: becomes Node. Nothing of the caller may be held open or reach it as a signal. */
static void become_relay(const struct sc_session *s, const struct sc_install *in)
{
	char log[PATH_MAX + 16];
	char *argv[] = {"session", (char *)s->dir};
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);
	int out;

	snprintf(log, sizeof(log), "%s/relay.log", s->dir);
	out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (null < 0 || out < 0)
		_exit(1);
	dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	if (syscall(SYS_close_range, 3u, ~0u, 0u) < 0)
		for (int fd = 3; fd < 1024; fd++)
			close(fd);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	unsetenv("LD_PRELOAD");
	unsetenv("SCOPE_DIR");
	if (chdir("/") < 0)
		_exit(1);
	_exit(sc_exec_cli(in, 2, argv));
}

/* Tells the library that a relay is on its way: a burst in the meantime waits instead of being lost. */
static void announce(const struct sc_session *s, int hub_dir)
{
	char path[PATH_MAX + 8];
	struct timespec now;
	struct sc_hub *hub;
	int fd;

	snprintf(path, sizeof(path), "%s/hub", s->channels);
	fd = openat(hub_dir, hub_dir < 0 ? path : "hub", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	hub = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (hub == MAP_FAILED)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	atomic_store_explicit(&hub->relay_beat_ns,
			      (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
			      memory_order_release);
	munmap(hub, 4096);
}

int sc_relay_start(const struct sc_session *s, const struct sc_install *in, int hub_dir)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (child == 0) {
		setsid();
		child = fork();
		if (child == 0)
			become_relay(s, in);
		_exit(child < 0 ? 1 : 0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (status == 0)
		announce(s, hub_dir);
	return status == 0 ? 0 : -EAGAIN;
}
