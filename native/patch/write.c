/* SPDX-License-Identifier: Apache-2.0 */
/* Writing code, see write.h: /proc/self/mem first, page replacement by mremap second. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include "base/mem.h"
#include "sys/sys.h"
#include "patch/write.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

void sc_writer_open(struct sc_writer *w)
{
	w->mem_fd = sc_sys_openat(AT_FDCWD, "/proc/self/mem", O_RDWR | O_CLOEXEC, 0);
	w->error = 0;
	w->len = 0;
}

/*
 * The copy gets its bytes while it is only writable, then becomes executable, then replaces the old
 * page in one step: another thread runs the old or the new page, never a missing one.
 */
static int replace_pages(uint64_t at, const void *bytes, uint32_t n)
{
	uint64_t from = at & ~(SC_PAGE - 1), to = (at + n + SC_PAGE - 1) & ~(SC_PAGE - 1);
	uint8_t *copy = sc_sys_mmap(NULL, to - from, PROT_READ | PROT_WRITE, ANON, -1, 0);
	long ret;

	if (sc_map_failed(copy))
		return (int)(long)copy;
	memcpy(copy, (const void *)from, to - from);
	memcpy(copy + (at - from), bytes, n);
	ret = sc_sys_mprotect(copy, to - from, PROT_READ | PROT_EXEC);
	if (!sc_failed(ret))
		ret = sc_sys6(__NR_mremap, (long)copy, (long)(to - from), (long)(to - from),
			      MREMAP_MAYMOVE | MREMAP_FIXED, (long)from, 0);
	if (!sc_failed(ret))
		return 0;
	sc_sys_munmap(copy, to - from);
	return (int)ret;
}

static int write_code(int mem_fd, uint64_t at, const void *bytes, uint32_t n)
{
	if (mem_fd >= 0 && sc_sys_pwrite(mem_fd, bytes, n, (int64_t)at) == (long)n)
		return 0;
	return replace_pages(at, bytes, n);
}

static void flush(struct sc_writer *w)
{
	int ret;

	if (!w->len)
		return;
	ret = write_code(w->mem_fd, w->at, w->buf, w->len);
	if (ret && !w->error)
		w->error = ret;
	w->len = 0;
}

void sc_writer_put(struct sc_writer *w, uint64_t va, const void *bytes, uint32_t n)
{
	if (w->len && va + n - w->at > SC_WRITE_CHUNK)
		flush(w);
	if (!w->len)
		w->at = va;
	if (va + n > w->at + w->len) { /* the bytes between stay as they are */
		memcpy(w->buf + w->len, (const void *)(w->at + w->len), va + n - w->at - w->len);
		w->len = (uint32_t)(va + n - w->at);
	}
	memcpy(w->buf + (va - w->at), bytes, n);
}

int sc_writer_close(struct sc_writer *w)
{
	flush(w);
	if (w->mem_fd >= 0)
		sc_sys_close(w->mem_fd);
	w->mem_fd = -1;
	return w->error;
}

static int map_by_mem(uint64_t at, const void *code, size_t n)
{
	int fd = sc_sys_openat(AT_FDCWD, "/proc/self/mem", O_RDWR | O_CLOEXEC, 0);
	void *p;
	long ret;

	if (fd < 0)
		return fd;
	p = sc_sys_mmap((void *)at, n, PROT_READ | PROT_EXEC, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	ret = (long)p;
	if (!sc_map_failed(p))
		ret = p == (void *)at ? sc_sys_pwrite(fd, code, n, (int64_t)at) : -EEXIST;
	sc_sys_close(fd);
	if (ret == (long)n)
		return 0;
	if (!sc_map_failed(p))
		sc_sys_munmap(p, n);
	return sc_failed(ret) ? (int)ret : -EIO;
}

int sc_code_map(uint64_t at, const void *code, size_t n)
{
	void *p = sc_sys_mmap((void *)at, n, PROT_READ | PROT_WRITE, ANON | MAP_FIXED_NOREPLACE, -1, 0);

	if (sc_map_failed(p))
		return (int)(long)p;
	if (p != (void *)at) { /* a kernel before 4.17 takes the address for a wish */
		sc_sys_munmap(p, n);
		return -EEXIST;
	}
	memcpy(p, code, n);
	if (!sc_failed(sc_sys_mprotect(p, n, PROT_READ | PROT_EXEC)))
		return 0;
	/* Refused (PR_SET_MDWE, seccomp): executable from the start, written from behind. */
	sc_sys_munmap(p, n);
	return map_by_mem(at, code, n);
}
