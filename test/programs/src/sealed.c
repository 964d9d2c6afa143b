// SPDX-License-Identifier: Apache-2.0
// Description: answers each byte of stdin under a seccomp filter or without being dumpable; or becomes a command that may not ptrace.
//	sealed strict | open | mmap      the call (openat, mmap) ends the process
//	sealed undumpable
//	sealed noptrace CMD [ARG…]       ptrace gives EPERM
#include "check.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static void filter(int nr, unsigned action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {4, code};

	NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	char c;

	if (!strcmp(how, "noptrace")) {
		filter(SYS_ptrace, SECCOMP_RET_ERRNO | EPERM);
		execv(argv[2], argv + 2);
		return 127;
	}
	printf("ready\n");
	fflush(stdout);
	if (!strcmp(how, "strict"))
		NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
	else if (!strcmp(how, "open"))
		filter(SYS_openat, SECCOMP_RET_KILL_PROCESS);
	else if (!strcmp(how, "mmap"))
		filter(SYS_mmap, SECCOMP_RET_KILL_PROCESS);
	else
		NEED(prctl(PR_SET_DUMPABLE, 0) == 0);
	while (read(0, &c, 1) == 1)
		write(1, "x\n", 2);
	syscall(SYS_exit, 0);
	return 1;
}
