/* SPDX-License-Identifier: Apache-2.0 */
/* Reads, computes and writes plan files. See store.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "base/mem.h"
#include "sys/sys.h"
#include "elf/overlay.h"
#include "patch/store.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define PATH_ROOM 640u
#define FILE_MAX  (64l << 20)

static void *anon(size_t n)
{
	return sc_sys_mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int plan_path(char *path, const char *plans, const struct sc_elf *elf)
{
	uint8_t id[SC_ID_MAX];
	int exact;
	size_t n = sc_strlen(plans);

	if (n + 2 * SC_ID_MAX + 32 > PATH_ROOM)
		return -ENAMETOOLONG;
	memcpy(path, plans, n);
	path[n] = '/';
	sc_plan_name(path + n + 1, id, sc_elf_id(elf, id, &exact));
	return 0;
}

static int is_trusted(const struct stat *st)
{
	uint32_t me = (uint32_t)sc_sys0(__NR_geteuid);

	return S_ISREG(st->st_mode) && (st->st_uid == me || st->st_uid == 0) &&
	       !(st->st_mode & (S_IWGRP | S_IWOTH)) && st->st_size <= FILE_MAX &&
	       st->st_size >= (long)sizeof(struct sc_plan);
}

/*
 * Plan and stubs in one piece at the address the jumps of the overlay go to. What is written, the plan and the
 * cells page behind it, is never executable, and code never writable. NULL: no overlay, or the place is taken.
 */
static void *map_near(int fd, uint64_t size, const struct sc_elf *elf, struct sc_plan_source *out)
{
	struct sc_plan head;
	uint64_t at, n;
	void *p;

	if (sc_sys_pread(fd, &head, sizeof(head), 0) != (long)sizeof(head) || !head.runs ||
	    head.stub_off % SC_PAGE || head.stub_len % SC_PAGE || head.stub_va % SC_PAGE)
		return NULL;
	n = (uint64_t)head.stub_off + head.stub_len;
	if (head.stub_len < 2 * SC_PAGE || n > size)
		return NULL;
	at = elf->bias + head.stub_va - head.stub_off;
	p = sc_sys_mmap((void *)at, n, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0);
	if (sc_map_failed(p))
		return NULL;
	if (p != (void *)at || sc_failed(sc_sys_mprotect(p, head.stub_off + SC_PAGE, PROT_READ | PROT_WRITE))) {
		sc_sys_munmap(p, n);
		return NULL;
	}
	out->map_size = n;
	out->stubs = at + head.stub_off;
	return p;
}

static void *map_anywhere(int fd, uint64_t size, struct sc_plan_source *out)
{
	size_t max = (sc_plan_bytes(SC_SITES_MAX) + SC_PAGE - 1) & ~(SC_PAGE - 1);

	out->map_size = size < max ? size : max;
	return sc_sys_mmap(NULL, out->map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
}

static int load(const char *path, const struct sc_elf *elf, int near, struct sc_plan_source *out)
{
	struct stat st;
	int fd = sc_sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0), ret;

	if (fd < 0)
		return fd;
	ret = (int)sc_sys_fstat(fd, &st);
	if (!ret && !is_trusted(&st))
		ret = -EPERM;
	if (ret) {
		sc_sys_close(fd);
		return ret;
	}
	out->plan = near ? map_near(fd, (uint64_t)st.st_size, elf, out) : NULL;
	if (!out->plan)
		out->plan = map_anywhere(fd, (uint64_t)st.st_size, out);
	if (sc_map_failed(out->plan)) {
		sc_sys_close(fd);
		return (int)(long)out->plan;
	}
	ret = sc_plan_check(out->plan, out->map_size, elf);
	if (!ret && (out->plan->size != (uint64_t)st.st_size ||
		     (out->stubs && out->stubs != elf->bias + out->plan->stub_va)))
		ret = -EINVAL;
	if (ret) {
		sc_sys_munmap(out->plan, out->map_size);
		sc_sys_close(fd);
		return ret;
	}
	out->fd = fd;
	return 0;
}

/* Maps the object's file when its content is what is loaded. 0, or -errno. */
static int open_file(const struct sc_object *o, struct sc_elf *file)
{
	const char *path = o->path[0] ? o->path : "/proc/self/exe";
	uint8_t a[SC_ID_MAX], b[SC_ID_MAX];
	struct stat st;
	void *map;
	int exact, n, fd = sc_sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	map = sc_sys_fstat(fd, &st) || st.st_size <= 0 ?
		      (void *)-EIO :
		      sc_sys_mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	sc_sys_close(fd);
	if (sc_map_failed(map))
		return (int)(long)map;
	if (!sc_elf_file(file, map, (size_t)st.st_size)) {
		n = (int)sc_elf_id(file, a, &exact);
		if (n == (int)sc_elf_id(&o->elf, b, &exact) && !memcmp(a, b, (size_t)n))
			return 0;
	}
	sc_sys_munmap(map, (size_t)st.st_size);
	return -ENOENT;
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		long k = sc_sys_write(fd, p, n);

		if (k == -EINTR)
			continue;
		if (k <= 0)
			return k ? (int)k : -EIO;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

/* Under a temporary name, then renamed: a reader sees all of it or nothing. */
static int store(const char *plans, const char *path, const struct sc_plan *plan)
{
	char temp[PATH_ROOM + 32];
	size_t n = sc_strlen(path);
	int fd, ret;

	memcpy(temp, path, n);
	temp[n] = '.';
	sc_put_dec(temp + n + 1, (uint64_t)sc_sys_getpid());
	sc_sys_unlink(temp);
	fd = sc_sys_openat(AT_FDCWD, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -ENOENT && !sc_sys_mkdir(plans, 0700))
		fd = sc_sys_openat(AT_FDCWD, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fd;
	ret = write_all(fd, (const uint8_t *)plan, plan->size);
	sc_sys_close(fd);
	if (!ret)
		ret = (int)sc_sys_rename(temp, path);
	if (ret)
		sc_sys_unlink(temp);
	return ret;
}

static int scan(const struct sc_elf *elf, struct sc_plan *plan, size_t cap)
{
	size_t n = sc_scan_scratch(elf);
	void *scratch = n ? anon(n) : NULL;
	int ret;

	if (!n || sc_map_failed(scratch))
		return n ? (int)(long)scratch : -ENOENT;
	ret = sc_scan(elf, plan, cap, scratch);
	sc_sys_munmap(scratch, n);
	return ret;
}

/* From the file when it is there: memory may hold a debugger's breakpoints. */
static int compute(const struct sc_object *o, const char *plans, const char *path,
		   struct sc_plan_source *out)
{
	size_t first = sc_plan_bytes(SC_SITES_MAX), room;
	struct sc_elf file;
	int ret, from_file = open_file(o, &file) == 0;
	const struct sc_elf *elf = from_file ? &file : &o->elf;
	struct sc_plan *plan = anon(first), *whole;

	if (sc_map_failed(plan))
		return (int)(long)plan;
	ret = scan(elf, plan, first);
	room = sc_overlay_room(elf, plan);
	whole = ret ? NULL : anon(room);
	if (!ret && sc_map_failed(whole))
		ret = (int)(long)whole;
	if (!ret) {
		memcpy(whole, plan, plan->size);
		if (from_file && sc_overlay_build(elf, whole, room) > 0 && path)
			store(plans, path, whole);
		out->plan = whole;
		out->map_size = room;
		out->computed = 1;
	}
	sc_sys_munmap(plan, first);
	if (from_file)
		sc_sys_munmap((void *)file.map, file.size);
	return ret;
}

int sc_plan_get(const char *plans, const struct sc_object *object, int near, struct sc_plan_source *out)
{
	char path[PATH_ROOM];
	int named = plans && plans[0] && plan_path(path, plans, &object->elf) == 0, ret;
	struct sc_plan_source stored = { .fd = -1 };

	*out = (struct sc_plan_source){ .fd = -1 };
	if (named && load(path, &object->elf, near, out) == 0)
		return 0;
	*out = (struct sc_plan_source){ .fd = -1 };
	ret = compute(object, plans, named ? path : NULL, out);
	if (ret)
		return ret;
	if (named && load(path, &object->elf, near, &stored) == 0) {
		sc_sys_munmap(out->plan, out->map_size);
		*out = stored;
		out->computed = 1;
	}
	return 0;
}
