/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw system calls. Each returns the kernel's value: -errno on failure. Usable freestanding and in
 * a libc program (no name of libc's is taken). Helpers for auxv, environ and maps: sys/process.h.
 */
#ifndef SCOPE_SYS_H
#define SCOPE_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <asm/unistd.h>
#include "sys/arch/x86_64/arch.h"

#define SC_PAGE 4096ul

struct stat;
struct timespec;

static inline int sc_failed(long ret)
{
	return (unsigned long)ret >= -4095ul;
}

static inline int sc_sys_openat(int dir, const char *path, int flags, int mode)
{
	return (int)sc_sys4(__NR_openat, dir, (long)path, flags, mode);
}

static inline long sc_sys_close(int fd)
{
	return sc_sys1(__NR_close, fd);
}

static inline long sc_sys_read(int fd, void *buf, size_t n)
{
	return sc_sys3(__NR_read, fd, (long)buf, (long)n);
}

static inline long sc_sys_write(int fd, const void *buf, size_t n)
{
	return sc_sys3(__NR_write, fd, (long)buf, (long)n);
}

static inline long sc_sys_pread(int fd, void *buf, size_t n, int64_t at)
{
	return sc_sys4(__NR_pread64, fd, (long)buf, (long)n, at);
}

static inline long sc_sys_pwrite(int fd, const void *buf, size_t n, int64_t at)
{
	return sc_sys4(__NR_pwrite64, fd, (long)buf, (long)n, at);
}

static inline long sc_sys_fstat(int fd, struct stat *st)
{
	return sc_sys2(__NR_fstat, fd, (long)st);
}

static inline long sc_sys_stat(const char *path, struct stat *st)
{
	return sc_sys2(__NR_stat, (long)path, (long)st);
}

static inline long sc_sys_ftruncate(int fd, int64_t n)
{
	return sc_sys2(__NR_ftruncate, fd, n);
}

static inline long sc_sys_fallocate(int fd, int mode, int64_t at, int64_t n)
{
	return sc_sys4(__NR_fallocate, fd, mode, at, n);
}

static inline void *sc_sys_mmap(void *at, size_t n, int prot, int flags, int fd, int64_t off)
{
	return (void *)sc_sys6(__NR_mmap, (long)at, (long)n, prot, flags, fd, off);
}

/* A result of sc_sys_mmap that is no address. */
static inline int sc_map_failed(const void *p)
{
	return sc_failed((long)p);
}

static inline long sc_sys_munmap(void *at, size_t n)
{
	return sc_sys2(__NR_munmap, (long)at, (long)n);
}

static inline long sc_sys_mprotect(void *at, size_t n, int prot)
{
	return sc_sys3(__NR_mprotect, (long)at, (long)n, prot);
}

static inline long sc_sys_madvise(void *at, size_t n, int advice)
{
	return sc_sys3(__NR_madvise, (long)at, (long)n, advice);
}

static inline long sc_sys_unlink(const char *path)
{
	return sc_sys1(__NR_unlink, (long)path);
}

static inline long sc_sys_rename(const char *from, const char *to)
{
	return sc_sys2(__NR_rename, (long)from, (long)to);
}

static inline long sc_sys_link(const char *from, const char *to)
{
	return sc_sys2(__NR_link, (long)from, (long)to);
}

static inline long sc_sys_mkdir(const char *path, int mode)
{
	return sc_sys2(__NR_mkdir, (long)path, mode);
}

static inline long sc_sys_readlink(const char *path, char *buf, size_t n)
{
	return sc_sys3(__NR_readlink, (long)path, (long)buf, (long)n);
}

static inline long sc_sys_getdents(int fd, void *buf, size_t n)
{
	return sc_sys3(__NR_getdents64, fd, (long)buf, (long)n);
}

static inline int sc_sys_getpid(void)
{
	return (int)sc_sys0(__NR_getpid);
}

static inline int sc_sys_getppid(void)
{
	return (int)sc_sys0(__NR_getppid);
}

static inline int sc_sys_gettid(void)
{
	return (int)sc_sys0(__NR_gettid);
}

static inline long sc_sys_clock(int clock, struct timespec *ts)
{
	return sc_sys2(__NR_clock_gettime, clock, (long)ts);
}

static inline long sc_sys_futex(volatile void *word, int op, uint32_t val,
				const struct timespec *timeout)
{
	return sc_sys6(__NR_futex, (long)word, op, val, (long)timeout, 0, 0);
}

static inline long sc_sys_prctl(int op, long a, long b, long c, long d)
{
	return sc_sys6(__NR_prctl, op, a, b, c, d, 0);
}

#endif
