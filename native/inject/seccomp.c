// SPDX-License-Identifier: Apache-2.0
// Seccomp filters of a target: suspended while calls are made in it for us, and asked what the library may do later. Layer 4.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inject/target.h"

#ifndef PTRACE_O_SUSPEND_SECCOMP
#define PTRACE_O_SUSPEND_SECCOMP (1 << 21)
#endif
#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif
#define FILTERS_MAX 64

/* Calls that the library makes in a running program, in its hooks and in a child of a fork. */
static const struct {
	int nr;
	uint64_t arg[6];
} library_calls[] = {
	{SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0}},
	{SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, ~0ull, 0}},
	{SYS_mprotect, {0, 4096, PROT_READ, 0, 0, 0}},
	{SYS_munmap, {0, 4096, 0, 0, 0, 0}},
	{SYS_madvise, {0, 4096, 23, 0, 0, 0}},
	{SYS_openat, {(uint64_t)-100, 0, 02000000, 0, 0, 0}},
	{SYS_openat, {(uint64_t)-100, 0, 02000302, 0600, 0, 0}},
	{SYS_read, {3, 0, 64, 0, 0, 0}},
	{SYS_pread64, {3, 0, 64, 0, 0, 0}},
	{SYS_pwrite64, {3, 0, 64, 0, 0, 0}},
	{SYS_close, {3, 0, 0, 0, 0, 0}},
	{SYS_fstat, {3, 0, 0, 0, 0, 0}},
	{SYS_stat, {0, 0, 0, 0, 0, 0}},
	{SYS_fstatfs, {3, 0, 0, 0, 0, 0}},
	{SYS_ftruncate, {3, 4096, 0, 0, 0, 0}},
	{SYS_fallocate, {3, 0, 0, 4096, 0, 0}},
	{SYS_unlink, {0, 0, 0, 0, 0, 0}},
	{SYS_access, {0, 4, 0, 0, 0, 0}},
	{SYS_readlink, {0, 0, 64, 0, 0, 0}},
	{SYS_futex, {0, 1, 1, 0, 0, 0}},
	{SYS_clock_gettime, {1, 0, 0, 0, 0, 0}},
	{SYS_clock_gettime, {2, 0, 0, 0, 0, 0}},
	{SYS_getpid, {0, 0, 0, 0, 0, 0}},
	{SYS_getppid, {0, 0, 0, 0, 0, 0}},
	{SYS_gettid, {0, 0, 0, 0, 0, 0}},
	{SYS_geteuid, {0, 0, 0, 0, 0, 0}},
	{SYS_prlimit64, {0, 1, 0, 0, 0, 0}},
	{SYS_getrusage, {0, 0, 0, 0, 0, 0}},
	{SYS_getsockname, {3, 0, 0, 0, 0, 0}},
	{SYS_getpeername, {3, 0, 0, 0, 0, 0}},
	{SYS_getsockopt, {3, 1, 3, 0, 0, 0}},
};

/* One instruction's source word. */
static uint32_t load(const struct seccomp_data *d, uint32_t at)
{
	uint32_t v = 0;

	if (at <= sizeof(*d) - 4)
		memcpy(&v, (const char *)d + at, 4);
	return v;
}

static uint32_t alu(uint16_t code, uint32_t a, uint32_t b)
{
	switch (BPF_OP(code)) {
	case BPF_ADD: return a + b;
	case BPF_SUB: return a - b;
	case BPF_MUL: return a * b;
	case BPF_DIV: return b ? a / b : 0;
	case BPF_OR: return a | b;
	case BPF_AND: return a & b;
	case BPF_XOR: return a ^ b;
	case BPF_LSH: return b < 32 ? a << b : 0;
	case BPF_RSH: return b < 32 ? a >> b : 0;
	default: return 0u - a; /* BPF_NEG */
	}
}

static int holds(uint16_t code, uint32_t a, uint32_t b)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ: return a == b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	default: return (a & b) != 0; /* BPF_JSET */
	}
}

/* What a filter answers to a call; of what the kernel has checked nothing else can come. */
static uint32_t run(const struct sock_filter *code, int n, const struct seccomp_data *d)
{
	uint32_t a = 0, x = 0, mem[BPF_MEMWORDS] = {0};

	for (int i = 0; i < n; i++) {
		const struct sock_filter *f = &code[i];
		uint32_t operand = BPF_SRC(f->code) == BPF_X ? x : f->k;

		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
			a = BPF_MODE(f->code) == BPF_ABS   ? load(d, f->k)
			    : BPF_MODE(f->code) == BPF_MEM ? mem[f->k % BPF_MEMWORDS]
			    : BPF_MODE(f->code) == BPF_LEN ? sizeof(*d)
							   : f->k;
			break;
		case BPF_LDX:
			x = BPF_MODE(f->code) == BPF_MEM   ? mem[f->k % BPF_MEMWORDS]
			    : BPF_MODE(f->code) == BPF_LEN ? sizeof(*d)
							   : f->k;
			break;
		case BPF_ST: mem[f->k % BPF_MEMWORDS] = a; break;
		case BPF_STX: mem[f->k % BPF_MEMWORDS] = x; break;
		case BPF_ALU: a = alu(f->code, a, operand); break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA)
				i += (int)f->k;
			else
				i += holds(f->code, a, operand) ? f->jt : f->jf;
			break;
		case BPF_RET: return BPF_RVAL(f->code) == BPF_A ? a : f->k;
		default:
			if (BPF_MISCOP(f->code) == BPF_TAX)
				x = a;
			else
				a = x;
		}
	}
	return SECCOMP_RET_KILL_PROCESS;
}

/* A call that is refused with an errno does no harm; one that ends, traps or waits for a supervisor does. */
static int is_harmless(uint32_t answer)
{
	uint32_t action = answer & SECCOMP_RET_ACTION_FULL;

	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG || action == SECCOMP_RET_ERRNO;
}

static int allows(const struct sock_filter *code, int n)
{
	for (size_t i = 0; i < sizeof(library_calls) / sizeof(*library_calls); i++) {
		struct seccomp_data d = {.nr = library_calls[i].nr, .arch = AUDIT_ARCH_X86_64};

		memcpy(d.args, library_calls[i].arg, sizeof(d.args));
		if (!is_harmless(run(code, n, &d)))
			return 0;
	}
	return 1;
}

/* All filters of a thread. 1: the library may make its calls, 0: not. */
static int thread_allows(pid_t tid)
{
	struct sock_filter code[BPF_MAXINSNS];

	for (unsigned long i = 0; i < FILTERS_MAX; i++) {
		long n = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, i, code);

		if (n < 0)
			return errno == ENOENT;
		if (!allows(code, (int)n))
			return 0;
	}
	return 0;
}

static long number_of(pid_t pid, pid_t tid, const char *key)
{
	char path[64], line[256];
	long value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, (int)tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtol(line + strlen(key), NULL, 10);
	if (f)
		fclose(f);
	return value;
}

int sc_target_seccomp(struct sc_target *t, int *quiet)
{
	int filtered = 0;

	*quiet = 0;
	for (unsigned i = 0; i < t->count; i++) {
		long mode = number_of(t->pid, t->thread[i].tid, "Seccomp:");

		if (mode == SECCOMP_MODE_STRICT)
			return sc_target_fail(t, EPERM,
					      "process %d has strict seccomp: a call or an rdtsc of ours would end it",
					      (int)t->pid);
		filtered |= mode != 0;
	}
	if (!filtered)
		return 0;
	/* Suspended as long as we trace it; the kernel lets CAP_SYS_ADMIN do so. */
	if (ptrace(PTRACE_SETOPTIONS, t->lead->tid, 0, (long)PTRACE_O_SUSPEND_SECCOMP) == 0) {
		for (unsigned i = 0; i < t->count && !*quiet; i++)
			*quiet = number_of(t->pid, t->thread[i].tid, "Seccomp:") && !thread_allows(t->thread[i].tid);
		return 0;
	}
	/* In the same container: its filter is the one that lets us make these calls, too. */
	if (number_of(getpid(), getpid(), "Seccomp_filters:") == number_of(t->pid, t->lead->tid, "Seccomp_filters:"))
		return 0;
	return sc_target_fail(t, EPERM,
			      "process %d has a seccomp filter that we may not suspend, and a call that it forbids would "
			      "end it: run scope as root of the host (CAP_SYS_ADMIN), or start the program with scope",
			      (int)t->pid);
}
