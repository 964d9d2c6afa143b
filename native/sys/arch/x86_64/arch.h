/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86-64: the raw system call, the time stamp counter and the thread pointer. Nothing here touches
 * errno, the stack below the caller's frame or a vector register.
 */
#ifndef SCOPE_SYS_ARCH_H
#define SCOPE_SYS_ARCH_H

#ifndef __x86_64__
#error "sys/arch/x86_64 is for x86-64 only"
#endif

#include <stdint.h>
#include <asm/unistd.h>

static inline long sc_sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline long sc_sys4(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline long sc_sys3(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline long sc_sys2(long nr, long a, long b)
{
	return sc_sys3(nr, a, b, 0);
}

static inline long sc_sys1(long nr, long a)
{
	return sc_sys3(nr, a, 0, 0);
}

static inline long sc_sys0(long nr)
{
	return sc_sys3(nr, 0, 0, 0);
}

/* Time stamp counter. Not serialising: good enough for durations of system calls. */
static inline uint64_t sc_rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

/* Adds in one instruction without the lock prefix: whole towards signals, not towards other cpus. */
static inline void sc_add_local(uint64_t *p, uint64_t v)
{
	__asm__ volatile("addq %1, %0" : "+m"(*p) : "er"(v) : "cc");
}

static inline void sc_add_local32(uint32_t *p, uint32_t v)
{
	__asm__ volatile("addl %1, %0" : "+m"(*p) : "er"(v) : "cc");
}

static inline void sc_or_local16(uint16_t *p, uint16_t v)
{
	__asm__ volatile("orw %1, %0" : "+m"(*p) : "er"(v) : "cc");
}

/* The same, and gives what was there before. */
static inline uint64_t sc_fetch_add_local(uint64_t *p, uint64_t v)
{
	__asm__ volatile("xaddq %0, %1" : "+r"(v), "+m"(*p) : : "cc");
	return v;
}

/* The line at p will be written soon: it comes while other work is done. Never faults. */
static inline void sc_prefetch_write(const void *p)
{
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
}

static inline void sc_pause(void)
{
	__asm__ volatile("pause");
}

/*
 * The thread pointer (fs base), read in one of three ways: `rdfsbase` where the kernel lets user
 * space use it (AT_HWCAP2 bit 1); the word at fs:0, which glibc and musl keep equal to it; a system
 * call, for a static program that has no thread pointer yet.
 */
#define SC_HWCAP2_FSGSBASE 2u

enum sc_tp_way { SC_TP_WORD = 0, SC_TP_RDFSBASE = 1, SC_TP_CALL = 2 };

static inline uint64_t sc_thread_pointer(int way)
{
	uint64_t tp;

	if (__builtin_expect(way == SC_TP_RDFSBASE, 1)) {
		__asm__ volatile("rdfsbase %0" : "=r"(tp));
	} else if (way == SC_TP_WORD) {
		__asm__ volatile("mov %%fs:0, %0" : "=r"(tp));
	} else {
		tp = 0;
		sc_sys2(__NR_arch_prctl, 0x1003 /* ARCH_GET_FS */, (long)&tp);
	}
	return tp;
}

/*
 * Whether Valgrind runs us on the processor that it simulates: its client request 0x1001, which to a real one is rotations
 * that end where they began and an exchange of a register with itself.
 */
static inline int sc_simulated(void)
{
	uint64_t request[6] = {0x1001};
	uint64_t answer = 0;

	__asm__ volatile("rolq $3, %%rdi\n\t"
			 "rolq $13, %%rdi\n\t"
			 "rolq $61, %%rdi\n\t"
			 "rolq $51, %%rdi\n\t"
			 "xchgq %%rbx, %%rbx"
			 : "+d"(answer)
			 : "a"(request)
			 : "cc", "memory");
	return answer != 0;
}

#endif
