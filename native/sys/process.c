/* SPDX-License-Identifier: Apache-2.0 */
/* auxv, small files, memory map and safe copies, by system calls alone. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include "sys/sys.h"
#include "sys/process.h"

#ifndef PR_GET_AUXV
#define PR_GET_AUXV 0x41555856
#endif

long sc_file_read(const char *path, void *buf, size_t max)
{
	int fd = sc_sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);
	size_t n = 0;
	long ret = 0;

	if (fd < 0)
		return fd;
	while (n < max) {
		ret = sc_sys_read(fd, (char *)buf + n, max - n);
		if (ret == -EINTR)
			continue;
		if (ret <= 0)
			break;
		n += (size_t)ret;
		/* What files of /proc and small ones have comes at once: spare the read that ends it. */
		if (n < max && ret < (long)SC_PAGE / 4)
			break;
	}
	sc_sys_close(fd);
	return ret < 0 && n == 0 ? ret : (long)n;
}

size_t sc_auxv_read(struct sc_auxv *out, size_t max)
{
	long ret = sc_sys_prctl(PR_GET_AUXV, (long)out, (long)(max * sizeof(*out)), 0, 0);
	size_t n;

	if (ret <= 0)
		ret = sc_file_read("/proc/self/auxv", out, max * sizeof(*out));
	if (ret <= 0)
		return 0;
	for (n = 0; n < max && (n + 1) * sizeof(*out) <= (size_t)ret; n++)
		if (out[n].key == AT_NULL)
			break;
	return n;
}

uint64_t sc_auxv_get(const struct sc_auxv *auxv, size_t n, uint64_t key, uint64_t fallback)
{
	for (size_t i = 0; i < n; i++)
		if (auxv[i].key == key)
			return auxv[i].value;
	return fallback;
}

static const char *parse_hex(const char *p, uint64_t *out)
{
	uint64_t v = 0;

	for (;; p++) {
		if (*p >= '0' && *p <= '9')
			v = v << 4 | (uint64_t)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			v = v << 4 | (uint64_t)(*p - 'a' + 10);
		else
			break;
	}
	*out = v;
	return p;
}

/* One line "start-end rwxp offset dev inode   path", NUL-terminated. */
static int parse_map(const char *p, struct sc_map *map)
{
	uint64_t dev;
	size_t n = 0;

	p = parse_hex(p, &map->start);
	if (*p++ != '-')
		return 0;
	p = parse_hex(p, &map->end);
	if (p[0] != ' ' || !p[1] || !p[2] || !p[3] || !p[4])
		return 0;
	map->prot = (p[1] == 'r' ? PROT_READ : 0u) | (p[2] == 'w' ? PROT_WRITE : 0u) |
		    (p[3] == 'x' ? PROT_EXEC : 0u);
	map->shared = p[4] == 's';
	p += 5;
	while (*p == ' ')
		p++;
	p = parse_hex(p, &map->offset);
	while (*p == ' ')
		p++;
	p = parse_hex(p, &dev);
	if (*p == ':')
		p = parse_hex(p + 1, &dev);
	while (*p == ' ')
		p++;
	for (map->inode = 0; *p >= '0' && *p <= '9'; p++)
		map->inode = map->inode * 10 + (uint64_t)(*p - '0');
	while (*p == ' ')
		p++;
	while (p[n] && n < sizeof(map->path) - 1) {
		map->path[n] = p[n];
		n++;
	}
	map->path[n] = 0;
	return 1;
}

static int open_maps(int pid)
{
	char path[40] = "/proc/self/maps";
	char digits[12];
	int n = 0, at = 6;

	if (pid > 0) {
		for (; pid > 0; pid /= 10)
			digits[n++] = (char)('0' + pid % 10);
		while (n > 0)
			path[at++] = digits[--n];
		for (const char *s = "/maps"; *s; s++)
			path[at++] = *s;
		path[at] = 0;
	}
	return sc_sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

int sc_maps_each(int pid, int (*each)(const struct sc_map *map, void *arg), void *arg)
{
	char buf[2048];
	struct sc_map map;
	size_t have = 0;
	int fd = open_maps(pid), ret = 0;

	if (fd < 0)
		return fd;
	for (;;) {
		long n = sc_sys_read(fd, buf + have, sizeof(buf) - have);
		size_t at = 0;

		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
		for (size_t i = 0; i < have && !ret; i++) {
			if (buf[i] != '\n')
				continue;
			buf[i] = 0;
			if (parse_map(buf + at, &map))
				ret = each(&map, arg);
			at = i + 1;
		}
		if (ret || (at == 0 && have == sizeof(buf)))
			break;
		for (size_t i = at; i < have; i++)
			buf[i - at] = buf[i];
		have -= at;
	}
	sc_sys_close(fd);
	return ret;
}

/*
 * rt_sigprocmask copies the new mask before it looks at `how`: EFAULT says the 8 bytes cannot be
 * read, EINVAL that they can. Nothing changes either way.
 */
static int word_readable(uintptr_t p)
{
	return sc_sys4(__NR_rt_sigprocmask, 0x7fff, (long)(p & ~7ul), 0, 8) != -EFAULT;
}

int sc_readable(const void *p, size_t n)
{
	uintptr_t at = (uintptr_t)p, end = at + n;

	if (end < at)
		return 0;
	if (n == 0)
		return 1;
	for (at &= ~(SC_PAGE - 1); at < end; at += SC_PAGE)
		if (!word_readable(at < (uintptr_t)p ? (uintptr_t)p : at))
			return 0;
	return 1;
}

int sc_copy_safely(void *to, const void *p, size_t n)
{
	const volatile char *from = p;

	if (!sc_readable(p, n))
		return 0;
	for (size_t i = 0; i < n; i++)
		((volatile char *)to)[i] = from[i];
	return 1;
}
