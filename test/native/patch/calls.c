/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Description: makes known numbers of system calls in the ways libc offers, checks every result, and
 * prints what it made: "name count" per line, one line per call that is counted exactly.
 *   calls            everything once
 *   calls storm      threads, a timer signal every 200 us, longjmp out of handlers
 *   calls cancel     200 threads cancelled in a blocking read
 *   calls loop       reads and writes until stdin ends (for attach), prints "ready" first
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #cond, errno); \
			_exit(1); \
		} \
	} while (0)

#define N 300

static void files(void)
{
	char buf[64];
	int fd = open("/dev/zero", O_RDWR);
	struct iovec v[2] = { { buf, 8 }, { buf + 8, 8 } };

	CHECK(fd >= 0);
	for (int i = 0; i < N; i++) {
		memset(buf, 1, sizeof(buf));
		CHECK(read(fd, buf, 8) == 8 && !buf[7] && buf[8] == 1);
		CHECK(write(fd, buf, 5) == 5);
		CHECK(pread(fd, buf, 16, 100) == 16);
		CHECK(pwrite(fd, buf, 3, 100) == 3);
		CHECK(readv(fd, v, 2) == 16);
		CHECK(writev(fd, v, 2) == 16);
		CHECK(syscall(SYS_read, fd, buf, 4) == 4);
		errno = 0;
		CHECK(read(-1, buf, 1) == -1 && errno == EBADF);
	}
	CHECK(close(fd) == 0);
	CHECK(close(fd) == -1 && errno == EBADF);
}

static void sockets(void)
{
	int pair[2];
	char buf[32];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	for (int i = 0; i < N; i++) {
		struct iovec v = { buf, sizeof(buf) };
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

		CHECK(send(pair[0], "hello", 5, 0) == 5);
		CHECK(recv(pair[1], buf, sizeof(buf), 0) == 5 && !memcmp(buf, "hello", 5));
		v.iov_len = 7;
		CHECK(sendmsg(pair[0], &m, 0) == 7);
		v.iov_len = sizeof(buf);
		CHECK(recvmsg(pair[1], &m, 0) == 7);
	}
	CHECK(shutdown(pair[0], SHUT_WR) == 0);
	CHECK(recv(pair[1], buf, 1, 0) == 0);
}

static void processes(void)
{
	char *argv[] = { (char *)"/bin/true", NULL }, *envp[] = { NULL };
	int status;
	pid_t pid;

	for (int i = 0; i < 5; i++) {
		pid = fork();
		CHECK(pid >= 0);
		if (!pid)
			_exit(40 + i);
		CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 40 + i);
		pid = vfork();
		CHECK(pid >= 0);
		if (!pid) {
			execve(argv[0], argv, envp);
			_exit(127);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
}

static void *thread(void *arg)
{
	int fd = open("/dev/zero", O_RDONLY);
	char c;

	(void)arg;
	for (int i = 0; i < N; i++)
		CHECK(read(fd, &c, 1) == 1);
	close(fd);
	return NULL;
}

static void threads(void)
{
	pthread_t t[8];

	for (int i = 0; i < 8; i++)
		CHECK(pthread_create(&t[i], NULL, thread, NULL) == 0);
	for (int i = 0; i < 8; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
}

static int everything(void)
{
	files();
	sockets();
	processes();
	threads();
	printf("read %d\nwrite %d\npread64 %d\npwrite64 %d\nreadv %d\nwritev %d\n", N * 3 + 8 * N, N, N, N, N, N);
	printf("sendto %d\nrecvfrom %d\nsendmsg %d\nrecvmsg %d\nsocketpair 1\nshutdown 1\n", N, N + 1, N, N);
	return 0;
}

static sigjmp_buf back;
static volatile sig_atomic_t jumping;
static int wakeup[2];

static void on_alarm(int sig)
{
	int saved = errno;

	(void)sig;
	CHECK(write(wakeup[1], "x", 1) == 1 || errno == EAGAIN);
	errno = saved;
	if (jumping)
		siglongjmp(back, 1);
}

static int storm(void)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = on_alarm };
	volatile int jumps = 0;
	pthread_t t[4];
	sigset_t set;
	char c;

	CHECK(pipe(wakeup) == 0 && fcntl(wakeup[1], F_SETFL, O_NONBLOCK) == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&t[i], NULL, thread, NULL) == 0);
	CHECK(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 400; i++) { /* interrupted by the handler, then given a byte by it */
		ssize_t n = read(wakeup[0], &c, 1);

		CHECK(n == 1 || (n == -1 && errno == EINTR));
	}
	jumping = 1;
	while (jumps < 300) {
		if (sigsetjmp(back, 1)) {
			jumps++;
			continue;
		}
		for (;;) {
			char buf[4096];

			if (read(wakeup[0], buf, sizeof(buf)) < 0)
				CHECK(errno == EINTR);
		}
	}
	jumping = 0;
	setitimer(ITIMER_REAL, &never, NULL);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
	puts("storm over");
	return 0;
}

static int blocked[2];
static atomic_int cleaned;

static void clean(void *arg)
{
	(void)arg;
	cleaned++;
}

static void *blocks(void *arg)
{
	char c;

	pthread_cleanup_push(clean, NULL);
	*(atomic_int *)arg = 1;
	CHECK(read(blocked[0], &c, 1) != 1);
	pthread_cleanup_pop(0);
	return NULL;
}

static int cancel(void)
{
	CHECK(pipe(blocked) == 0);
	for (int i = 0; i < 200; i++) {
		atomic_int started = 0;
		pthread_t t;
		void *result = NULL;

		CHECK(pthread_create(&t, NULL, blocks, &started) == 0);
		while (i % 2 && !started)
			sched_yield();
		for (int k = 0; k < i % 23; k++)
			sched_yield();
		CHECK(pthread_cancel(t) == 0);
		CHECK(pthread_join(t, &result) == 0);
		CHECK(result == PTHREAD_CANCELED);
	}
	CHECK(cleaned <= 200);
	puts("all cancelled");
	return 0;
}

static int loop(void)
{
	int fd = open("/dev/zero", O_RDWR);
	long rounds = 0;
	char c, buf[16];

	CHECK(fcntl(0, F_SETFL, O_NONBLOCK) == 0);
	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) != 0) {
		memset(buf, 1, sizeof(buf));
		CHECK(read(fd, buf, 8) == 8 && !buf[7] && buf[8] == 1);
		CHECK(write(fd, buf, 5) == 5);
		rounds++;
	}
	printf("rounds %ld\n", rounds);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	alarm(120);
	if (!strcmp(what, "storm"))
		return storm();
	if (!strcmp(what, "cancel"))
		return cancel();
	if (!strcmp(what, "loop"))
		return loop();
	return everything();
}
