/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small programs whose every call is known, run under the library; what it recorded is checked by
 * probe.test.ts. Usage: cases NAME. Prints nothing but what a case writes on purpose.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEED(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond))                                                                       \
			exit(99);                                                                  \
	} while (0)

static int listener(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	NEED(fd >= 0 && bind(fd, (void *)&a, sizeof(a)) == 0 && listen(fd, 5) == 0);
	NEED(getsockname(fd, (void *)&a, &len) == 0);
	*port = a.sin_port;
	return fd;
}

static void file(void)
{
	char b[10];
	struct iovec v[2] = {{"ab", 2}, {"cde", 3}};
	int fd = open("x.log", O_RDWR | O_CREAT, 0600), other;

	NEED(fd >= 0 && write(fd, "hello\n", 6) == 6 && writev(fd, v, 2) == 5);
	NEED(pread(fd, b, 4, 1) == 4 && lseek(fd, 0, SEEK_SET) == 0);
	other = dup(fd);
	NEED(other >= 0 && close(fd) == 0 && read(other, b, 10) == 10 && close(other) == 0);
	NEED(close(other) == -1 && open("/nonexistent/a", O_RDONLY) == -1);
	NEED(access("/nonexistent/b", R_OK) == -1 && unlink("x.log") == 0);
}

static void console(void)
{
	struct iovec v[2] = {{"to ", 3}, {"stderr", 6}};
	int saved, null = open("/dev/null", O_WRONLY);

	NEED(write(1, "to stdout\n", 10) == 10 && writev(2, v, 2) == 9);
	saved = dup(1);
	NEED(dup2(null, 1) == 1 && write(1, "lost", 4) == 4);
	NEED(dup2(saved, 1) == 1 && write(1, "again\n", 6) == 6);
}

static void big(void)
{
	static char text[100000];

	memset(text, 'x', sizeof(text));
	for (size_t at = 0; at < sizeof(text);) {
		ssize_t n = write(1, text + at, sizeof(text) - at);

		NEED(n > 0);
		at += (size_t)n;
	}
}

static void transfer(void)
{
	char b[64];
	int p[2], in = open("in", O_RDWR | O_CREAT, 0600), out = open("out", O_RDWR | O_CREAT, 0600);
	off_t zero = 0;

	NEED(pipe(p) == 0 && write(in, "0123456789", 10) == 10);
	NEED(sendfile(out, in, &zero, 7) == 7);
	zero = 0;
	NEED(splice(in, &zero, p[1], NULL, 5, 0) == 5 && read(p[0], b, 64) == 5);
	zero = 0;
	NEED(copy_file_range(in, &zero, out, NULL, 10, 0) == 10);
	zero = 2;
	NEED(sendfile(1, in, &zero, 5) == 5 && lseek(in, 4, SEEK_SET) == 4);
	NEED(sendfile(1, in, NULL, 100) == 6);
	close(in);
	close(out);
}

static void tcp(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char b[100];
	int l = listener(&a.sin_port), c = socket(AF_INET, SOCK_STREAM, 0), s;

	NEED(connect(c, (void *)&a, sizeof(a)) == 0);
	s = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	NEED(s >= 0 && send(c, "request", 7, 0) == 7);
	NEED(recv(s, b, 100, MSG_PEEK) == 7 && read(s, b, 100) == 7);
	NEED(write(s, "answer!", 7) == 7 && shutdown(s, SHUT_WR) == 0);
	NEED(recv(c, b, 100, 0) == 7 && recv(c, b, 100, 0) == 0);
	NEED(close(c) == 0 && close(s) == 0 && close(l) == 0);
}

/* Connects without waiting: once to a listener, once to nobody. */
static void nonblocking(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in nobody = a;
	struct pollfd p = {.events = POLLOUT};
	int l = listener(&a.sin_port), dead = listener(&nobody.sin_port), error;
	socklen_t len = sizeof(error);

	close(dead);
	p.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	NEED(connect(p.fd, (void *)&a, sizeof(a)) == -1 && errno == EINPROGRESS);
	NEED(poll(&p, 1, 30000) == 1);
	NEED(getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0);
	NEED(send(p.fd, "x", 1, 0) == 1 && close(p.fd) == 0);
	p.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connect(p.fd, (void *)&nobody, sizeof(nobody)) == -1 && errno == EINPROGRESS) {
		NEED(poll(&p, 1, 30000) == 1);
		NEED(getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0);
		NEED(error == ECONNREFUSED);
	}
	close(p.fd);
	close(l);
}

static void udp(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct mmsghdr m[2] = {0};
	struct iovec v[2];
	char b[2][20];
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);

	NEED(bind(s, (void *)&a, sizeof(a)) == 0 && getsockname(s, (void *)&a, &len) == 0);
	for (int i = 0; i < 2; i++) {
		v[i] = (struct iovec){i ? "second" : "one", i ? 6 : 3};
		m[i].msg_hdr = (struct msghdr){&a, sizeof(a), &v[i], 1, NULL, 0, 0};
	}
	NEED(sendmmsg(c, m, 2, 0) == 2);
	for (int i = 0; i < 2; i++) {
		v[i] = (struct iovec){b[i], 20};
		m[i].msg_hdr = (struct msghdr){NULL, 0, &v[i], 1, NULL, 0, 0};
	}
	NEED(recvmmsg(s, m, 2, MSG_WAITFORONE, NULL) >= 1);
	close(s);
	close(c);
}

static void rights(void)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} u = {.h = {.cmsg_len = CMSG_LEN(sizeof(int)),
		      .cmsg_level = SOL_SOCKET,
		      .cmsg_type = SCM_RIGHTS}};
	char byte = 'r';
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof(u)};
	int pair[2], fd = open("/etc/passwd", O_RDONLY), got;

	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	memcpy(CMSG_DATA(&u.h), &fd, sizeof(fd));
	NEED(sendmsg(pair[0], &m, 0) == 1 && close(fd) == 0);
	m.msg_controllen = sizeof(u);
	NEED(recvmsg(pair[1], &m, 0) == 1);
	memcpy(&got, CMSG_DATA(&u.h), sizeof(got));
	NEED(read(got, &byte, 1) == 1 && close(got) == 0);
}

static void high(void)
{
	struct rlimit limit = {5000, 5000};
	int fd = open("/etc/passwd", O_RDONLY), far;
	char b[4];

	NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	far = fcntl(fd, F_DUPFD_CLOEXEC, 4000);
	NEED(far == 4000 && close(fd) == 0 && read(far, b, 4) == 4);
	NEED(syscall(SYS_close_range, 3, ~0u, 0) == 0 && read(far, b, 4) == -1);
}

static void *thread(void *arg)
{
	struct stat st;

	for (int i = 0; i < 100; i++)
		NEED(stat("/etc/passwd", &st) == 0);
	return arg;
}

static void threads(void)
{
	pthread_t t[20];

	for (int i = 0; i < 20; i++)
		NEED(pthread_create(&t[i], NULL, thread, NULL) == 0);
	for (int i = 0; i < 20; i++)
		pthread_join(t[i], NULL);
}

/* fork; vfork that closes what the parent needs; spawn with a clean environment; failing exec. */
static void children(void)
{
	char *args[] = {"/bin/true", NULL}, *none[] = {NULL};
	char b[2];
	int fd = open("/etc/passwd", O_RDONLY), status;
	pid_t pid;

	if ((pid = fork()) == 0) {
		NEED(read(fd, b, 2) == 2);
		_exit(3);
	}
	NEED(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
	if ((pid = vfork()) == 0) {
		close(fd);
		execve("/nonexistent/program", args, none);
		_exit(4);
	}
	NEED(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 4);
	NEED(read(fd, b, 2) == 2);
	NEED(posix_spawn(&pid, "/bin/true", NULL, NULL, args, none) == 0);
	NEED(waitpid(pid, &status, 0) == pid && status == 0);
	NEED(execve("/nonexistent/program", args, none) == -1);
	NEED(close(fd) == 0);
}

/* A handler that forks while calls are under way; the child goes on where the handler came in. */
static volatile int forked;
static void on_alarm(int sig)
{
	(void)sig;
	if (!forked++ && fork() == 0)
		forked = 1000;
	else
		wait(NULL);
}

static void handler(void)
{
	int null = open("/dev/null", O_WRONLY);

	signal(SIGUSR1, on_alarm);
	for (int i = 0; i < 2000; i++) {
		if (i == 1000)
			raise(SIGUSR1);
		NEED(write(null, "x", 1) == 1);
	}
	if (forked >= 1000)
		_exit(0);
}

static void stdin_file(void)
{
	char b[100];

	while (read(0, b, sizeof(b)) > 0)
		;
}

static void open_close(const char *path)
{
	int fd = open(path, O_RDONLY);

	NEED(fd >= 0 && close(fd) == 0);
}

static void make(const char *path, int mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	NEED(fd >= 0 && close(fd) == 0);
}

/* Every way in which a process may change what an open of the same name finds. */
static void owners(void)
{
	char path[4096];
	int fd;

	umask(0);
	NEED(getcwd(path, sizeof(path) - 20));
	strcat(path, "/some.file");
	make(path, 0601);
	open_close(path);
	open_close(path);
	NEED(chmod(path, 0602) == 0);
	open_close(path);
	fd = open(path, O_RDONLY);
	NEED(fd >= 0 && fchmod(fd, 0603) == 0 && close(fd) == 0);
	open_close(path);
	NEED(fchmodat(AT_FDCWD, path, 0604, 0) == 0);
	open_close(path);
	make("other", 0605);
	open_close(path);
	NEED(rename("other", path) == 0);
	open_close(path);
	make("other", 0606);
	open_close(path);
	NEED(unlink(path) == 0 && symlink("other", path) == 0);
	open_close(path);
	NEED(chown(path, getuid(), getgid()) == 0);
	/* In the end the same name in another root. */
	NEED(mkdir("etc", 0700) == 0);
	make("etc/passwd", 0607);
	open_close("/etc/passwd");
	if (chroot(".") == 0)
		open_close("/etc/passwd");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {{"file", file},   {"console", console},   {"big", big},
		     {"transfer", transfer}, {"tcp", tcp},     {"nonblocking", nonblocking},
		     {"udp", udp},     {"rights", rights},     {"high", high},
		     {"threads", threads},   {"children", children}, {"handler", handler},
		     {"stdin", stdin_file}, {"owners", owners}};

	for (size_t i = 0; argc == 2 && i < sizeof(cases) / sizeof(*cases); i++) {
		if (strcmp(cases[i].name, argv[1]) != 0)
			continue;
		cases[i].run();
		_exit(0);
	}
	return 2;
}
