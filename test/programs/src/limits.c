// SPDX-License-Identifier: Apache-2.0
// Description: one restriction, named by the argument, and then ordinary work under it.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void work(const char *what)
{
	char buf[32];
	int fd = open("file", O_RDWR | O_CREAT | O_APPEND, 0644);

	printf("%s: open %s\n", what, fd < 0 ? "fails" : "works");
	if (fd >= 0) {
		SHOW(write(fd, "some text\n", 10));
		SHOW(lseek(fd, 0, SEEK_SET));
		SHOW(read(fd, buf, 10));
		SHOW(close(fd));
	}
	fflush(stdout);
	pid_t p = fork();
	if (p == 0) {
		SHOW(access("file", R_OK));
		fflush(stdout);
		_exit(3);
	}
	int status = 0;
	waitpid(p, &status, 0);
	printf("child %d\n", WEXITSTATUS(status));
}

static void close_all(void)
{
	for (int fd = 3; fd < 4096; fd++)
		close(fd);
	syscall(SYS_close_range, 3u, ~0u, 0u);
	work("all closed");
	close(0);
	close(1);
	close(2);
	int fd = open("after", O_WRONLY | O_CREAT, 0600);
	NEED(write(fd, "x", 1) == 1);
	_exit(fd);
}

/* Only what is listed may be called; anything else ends the process. */
static void filter(void)
{
	static const int allowed[] = {SYS_read, SYS_write, SYS_exit, SYS_exit_group, SYS_fstat,
				      SYS_newfstatat, SYS_lseek, SYS_rt_sigreturn, SYS_close};
	struct sock_filter f[64];
	int n = 0, count = (int)(sizeof(allowed) / sizeof(*allowed));

	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					      offsetof(struct seccomp_data, nr));
	for (int i = 0; i < count; i++)
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						      (unsigned)allowed[i], (unsigned char)(count - i), 0);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = {(unsigned short)n, f};
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	char buf[2000];

	memset(buf, 'y', sizeof(buf));
	puts("filtering");
	NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
	for (int i = 0; i < 3000; i++)
		NEED(write(fd, buf, sizeof(buf)) == sizeof(buf));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(read(fd, buf, 100));
	SHOW(close(fd));
	puts("filtered");
	fflush(stdout);
	_exit(0);
}

static void strict(void)
{
	NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
	if (write(1, "strict\n", 7) == 7)
		syscall(SYS_exit, 0);
	syscall(SYS_exit, 1);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct rlimit none = {0, 0}, some = {20, 20}, space = {64 << 20, 64 << 20}, small = {15, 15};

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "close"))
		close_all();
	else if (!strcmp(what, "filter"))
		filter();
	else if (!strcmp(what, "strict"))
		strict();
	else if (!strcmp(what, "nofile"))
		NEED(setrlimit(RLIMIT_NOFILE, &some) == 0);
	else if (!strcmp(what, "as"))
		NEED(setrlimit(RLIMIT_AS, &space) == 0);
	else if (!strcmp(what, "core"))
		NEED(setrlimit(RLIMIT_CORE, &none) == 0);
	else if (!strcmp(what, "fsize")) {
		signal(SIGXFSZ, SIG_IGN);
		NEED(setrlimit(RLIMIT_FSIZE, &small) == 0);
	} else if (!strcmp(what, "chroot")) {
		NEED(mkdir("jail", 0755) == 0 && chroot("jail") == 0 && chdir("/") == 0);
	} else if (!strcmp(what, "setuid")) {
		NEED(mkdir("open", 0777) == 0 && chmod("open", 0777) == 0 && chdir("open") == 0);
		NEED(setgid(65534) == 0 && setuid(65534) == 0);
	} else if (!strcmp(what, "highfd")) {
		struct rlimit many;
		NEED(getrlimit(RLIMIT_NOFILE, &many) == 0);
		many.rlim_cur = many.rlim_max;
		NEED(setrlimit(RLIMIT_NOFILE, &many) == 0);
		int fd = open("high", O_RDWR | O_CREAT, 0600);
		for (int to = 1000; to < 4000; to += 499) {
			NEED(dup2(fd, to) == to && write(to, "h", 1) == 1 && close(to) == 0);
		}
	} else if (!strcmp(what, "dumpable")) {
		NEED(prctl(PR_SET_DUMPABLE, 0) == 0);
	}
	work(what);
	if (!strcmp(what, "exec")) {
		char *again[] = {argv[0], "again", NULL};
		NEED(prctl(65, 1, 0, 0, 0) == 0 || errno == EINVAL); /* PR_SET_MDWE, REFUSE_EXEC_GAIN */
		execv("/proc/self/exe", again);
	}
	return 0;
}
