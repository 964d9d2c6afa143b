// SPDX-License-Identifier: Apache-2.0
// A target with another root or other mounts (a container): channels, library and launcher where it reaches them. Layer 5.
//
//	ours                                  the target's root, by /proc/PID/root
//	session/far  (which folder, where)
//	channels/spool, notes                 BASE/scope-UID/SESSION/hub, *.chan, plans/   SCOPE_DIR
//	build/lib, build/bin     -- copy -->  BASE/scope-UID/BUILD-ID/build/{lib,bin}/
//
// BASE is a place where the target's user may write: tmpfs before disk for channels, never `noexec` for code. All
// is made with that user's rights, relative to open folders, through no symbolic link: what lies in the target's
// root is the target's.
//
// Longer than other files: each step is small, and all of them keep the one rule above.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <scope/channel.h>

#include "elf/plan.h"
#include "launch/far.h"

/* Free bytes that a place must have. */
#define DATA_LEAST (4ull << 20)
#define CODE_LEAST (4ull << 20)

static const char *const places[] = {"/dev/shm", "/run/shm", "/run", "/tmp", "/var/tmp", "/var/run"};

enum need { NEED_TMPFS, NEED_DISK, NEED_CODE };

/* Files are made as the target would make them. Undone by passing our own ids. */
static void become(uid_t uid, gid_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
}

static bool is_same(pid_t pid, const char *path)
{
	char there[PATH_MAX + 32];
	struct stat a, b;

	snprintf(there, sizeof(there), "/proc/%d/root%s", (int)pid, path);
	return stat(path, &a) == 0 && stat(there, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* A folder below root, through no link. */
static int walk(int root, const char *path)
{
	char part[PATH_MAX], *save = NULL;
	int at = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	snprintf(part, sizeof(part), "%s", path);
	for (char *name = strtok_r(part, "/", &save); name && at >= 0; name = strtok_r(NULL, "/", &save)) {
		int next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		close(at);
		at = next;
	}
	return at;
}

static bool suits(int at, enum need need)
{
	struct statfs fs;

	if (fstatfs(at, &fs) < 0 || fs.f_flags & ST_RDONLY)
		return false;
	if (need == NEED_CODE)
		return !(fs.f_flags & ST_NOEXEC) && (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= CODE_LEAST;
	return (need == NEED_DISK || fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC) &&
	       (fs.f_type == RAMFS_MAGIC || (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= DATA_LEAST);
}

/* A folder of its user that nobody else writes to; it may exist. Its descriptor, or -errno. */
static int own_dir(int at, const char *name, uid_t uid)
{
	struct stat st;
	int fd;

	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && st.st_uid == uid && !(st.st_mode & 022))
		return fd;
	close(fd);
	return -EPERM;
}

/* BASE/scope-UID/NAME in one base; path: its name there. */
static int make_in(const struct sc_far *far, const char *base, enum need need, const char *name, char *path)
{
	char user[32];
	int at = walk(far->root, base), mid, fd = -EACCES;

	if (at < 0)
		return -errno;
	snprintf(user, sizeof(user), "scope-%u", (unsigned)far->uid);
	if (suits(at, need)) {
		become(far->uid, far->gid);
		mid = own_dir(at, user, far->uid);
		fd = mid < 0 ? mid : own_dir(mid, name, far->uid);
		if (mid >= 0)
			close(mid);
		become(geteuid(), getegid());
	}
	close(at);
	if (fd >= 0 && snprintf(path, PATH_MAX, "%s/%s/%s", base, user, name) >= PATH_MAX) {
		close(fd);
		return -ENAMETOOLONG;
	}
	return fd;
}

/* The usual places, then every tmpfs the target has mounted. A descriptor, or -errno. */
static int make(const struct sc_far *far, pid_t pid, enum need need, const char *name, char *path)
{
	char file[64], line[8192], mount[PATH_MAX], type[32], *dash;
	int fd = -EROFS;
	FILE *f;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		fd = make_in(far, places[i], need, name, path);
		if (fd >= 0)
			return fd;
	}
	snprintf(file, sizeof(file), "/proc/%d/mountinfo", (int)pid);
	f = fopen(file, "re");
	while (f && fd < 0 && fgets(line, sizeof(line), f)) {
		dash = strstr(line, " - ");
		if (dash && sscanf(dash + 3, "%31s", type) == 1 && strcmp(type, "tmpfs") == 0 &&
		    sscanf(line, "%*s %*s %*s %*s %4095s", mount) == 1 && !strchr(mount, '\\'))
			fd = make_in(far, mount, need, name, path);
	}
	if (f)
		fclose(f);
	return fd < 0 ? -EROFS : fd;
}

static int copy(int from, int to)
{
	char buf[65536];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, buf, sizeof(buf), at)) > 0) {
		for (ssize_t done = 0, k; done < n; done += k) {
			k = write(to, buf + done, (size_t)(n - done));
			if (k <= 0)
				return k < 0 ? -errno : -EIO;
		}
		at += n;
	}
	return n < 0 ? -errno : 0;
}

/* One file, whole or not at all; one that is there with the same length stays. Pre: the target's rights. */
static int put_file(int dir, const char *name, int from, mode_t mode)
{
	char temp[96];
	struct stat a, b;
	int to, err;

	if (fstat(from, &a) == 0 && fstatat(dir, name, &b, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(b.st_mode) &&
	    a.st_size == b.st_size)
		return 0;
	snprintf(temp, sizeof(temp), ".%.64s.%d", name, (int)getpid());
	to = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (to < 0)
		return -errno;
	err = copy(from, to);
	close(to);
	if (err == 0 && renameat(dir, temp, dir, name) < 0)
		err = -errno;
	if (err < 0)
		unlinkat(dir, temp, 0);
	return err;
}

/* Copies file to BUILD/build/SUB/NAME, as install.c expects it beside the others. */
static int put_code(const struct sc_far *far, int build, const char *sub, const char *name, const char *file)
{
	int from = open(file, O_RDONLY | O_CLOEXEC), mid, dir, err;

	if (from < 0)
		return -errno;
	become(far->uid, far->gid);
	mid = own_dir(build, "build", far->uid);
	dir = mid < 0 ? mid : own_dir(mid, sub, far->uid);
	err = dir < 0 ? dir : put_file(dir, name, from, 0700);
	become(geteuid(), getegid());
	if (dir >= 0)
		close(dir);
	if (mid >= 0)
		close(mid);
	close(from);
	return err;
}

/* Library and launcher for the target's children; without a place for code they stay unscoped, which is no error. */
static void bring_code(struct sc_far *far, pid_t pid, const struct sc_install *in)
{
	char path[PATH_MAX];
	int fd;

	if (is_same(pid, in->libscope) && is_same(pid, in->launcher)) {
		snprintf(far->libscope, sizeof(far->libscope), "%s", in->libscope);
		snprintf(far->launcher, sizeof(far->launcher), "%s", in->launcher);
		return;
	}
	fd = make(far, pid, NEED_CODE, far->build, path);
	if (fd < 0)
		return;
	if (put_code(far, fd, "lib", "libscope.so", in->libscope) == 0)
		snprintf(far->libscope, sizeof(far->libscope), "%s/build/lib/libscope.so", path);
	if (far->libscope[0] && put_code(far, fd, "bin", "scope", in->launcher) == 0)
		snprintf(far->launcher, sizeof(far->launcher), "%s/build/bin/scope", path);
	close(fd);
}

static void put_path(char *to, size_t size, const char *path)
{
	size_t n = strlen(path) + 1;

	memset(to, 0, size);
	if (n <= size)
		memcpy(to, path, n);
}

static uint32_t read_boot_id(uint8_t id[16])
{
	char text[40] = "", *p = text;
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	int n = 0;

	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	for (; n < 16 && sscanf(p, "%2hhx", &id[n]) == 1; n++)
		p += 2 + (p[2] == '-');
	return n == 16;
}

/* The session's hub, with the paths of over there. */
static int bring_hub(const struct sc_far *far, const struct sc_session *s, int dir)
{
	char path[PATH_MAX + 8];
	struct sc_hub *hub = malloc(sizeof(*hub));
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/hub", s->channels);
	fd = open(path, (dir < 0 ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
	if (!hub || fd < 0 || pread(fd, hub, sizeof(*hub), 0) != (ssize_t)sizeof(*hub)) {
		err = hub && fd < 0 ? -errno : -EIO;
		goto out;
	}
	put_path(hub->libscope, sizeof(hub->libscope), far->libscope);
	put_path(hub->launcher, sizeof(hub->launcher), far->launcher);
	if (dir >= 0) {
		/* It may have no /proc to read this from. */
		hub->boot_id_known = read_boot_id(hub->boot_id);
		snprintf(path, sizeof(path), "%s/plans", far->inside);
		put_path(hub->plans, sizeof(hub->plans), path);
		close(fd);
		become(far->uid, far->gid);
		fd = openat(dir, "hub", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		become(geteuid(), getegid());
	}
	if (fd < 0 || pwrite(fd, hub, sizeof(*hub), 0) != (ssize_t)sizeof(*hub))
		err = errno ? -errno : -ENOSPC;
out:
	if (fd >= 0)
		close(fd);
	free(hub);
	return err;
}

/* Tells the relay which folder it is: by its numbers, for what a path leads to is the target's to change. */
static int note_place(const struct sc_far *far, const struct sc_session *s, pid_t pid)
{
	char path[PATH_MAX + 64];
	struct stat ns, dir;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	if (stat(path, &ns) < 0 || fstat(far->dir, &dir) < 0)
		return -errno;
	snprintf(path, sizeof(path), "%s/far", s->dir);
	f = fopen(path, "wxe");
	if (!f)
		return -errno;
	fprintf(f, "%d %lu %lu %lu %s\n", (int)pid, (unsigned long)ns.st_ino, (unsigned long)dir.st_dev,
		(unsigned long)dir.st_ino, far->inside);
	return fclose(f) == 0 ? 0 : -errno;
}

static int bring_folder(struct sc_far *far, const struct sc_session *s, pid_t pid)
{
	const char *name = strrchr(s->channels, '/') + 1;
	char path[PATH_MAX + 8];
	int err;

	if (strcmp(name, "channels") == 0) /* there is no tmpfs on our side either */
		name = strrchr(s->dir, '/') + 1;
	far->dir = make(far, pid, NEED_TMPFS, name, far->inside);
	if (far->dir < 0)
		far->dir = make(far, pid, NEED_DISK, name, far->inside);
	if (far->dir < 0)
		return far->dir;
	become(far->uid, far->gid);
	far->plans = own_dir(far->dir, "plans", far->uid);
	become(geteuid(), getegid());
	err = bring_hub(far, s, far->dir);
	if (err == 0)
		err = note_place(far, s, pid);
	if (err < 0)
		return err;
	/* Ours alone from now on: spool and notes. */
	snprintf(path, sizeof(path), "%s/hub", s->channels);
	unlink(path);
	return chown(s->channels, geteuid(), (gid_t)-1) < 0 ? -errno : 0;
}

/* Sixteen digits of the library's build-id. */
static void name_build(const char *path, char *out)
{
	uint8_t id[SC_ID_MAX] = {0};
	struct sc_elf elf;
	struct stat st;
	void *map = MAP_FAILED;
	int exact, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && fstat(fd, &st) == 0)
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd >= 0)
		close(fd);
	if (map != MAP_FAILED) {
		if (sc_elf_file(&elf, map, (size_t)st.st_size) == 0)
			sc_elf_id(&elf, id, &exact);
		munmap(map, (size_t)st.st_size);
	}
	for (int i = 0; i < 8; i++)
		snprintf(out + 2 * i, 3, "%02x", id[i]);
}

int sc_far_bring(struct sc_far *far, const struct sc_session *s, const struct sc_install *in, pid_t pid)
{
	char path[64];
	bool near = is_same(pid, s->channels);
	int err = 0;

	far->dir = far->plans = far->root = -1;
	snprintf(far->inside, sizeof(far->inside), "%s", s->channels);
	if (near && is_same(pid, in->libscope) && is_same(pid, in->launcher)) {
		snprintf(far->libscope, sizeof(far->libscope), "%s", in->libscope);
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	far->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (far->root < 0)
		return -errno;
	name_build(in->libscope, far->build);
	bring_code(far, pid, in);
	err = near ? bring_hub(far, s, -1) : bring_folder(far, s, pid);
	if (err < 0)
		sc_far_drop(far);
	return err;
}

int sc_far_put_plan(const struct sc_far *far, const struct sc_plan *plan, int fd)
{
	char name[2 * SC_ID_MAX + 8];
	int err;

	if (far->plans < 0 || fd < 0)
		return 0;
	sc_plan_name(name, plan->id, plan->id_len);
	become(far->uid, far->gid);
	err = put_file(far->plans, name, fd, 0600);
	become(geteuid(), getegid());
	return err;
}

void sc_far_drop(struct sc_far *far)
{
	const char *name = strrchr(far->inside, '/');
	DIR *list = far->plans < 0 ? NULL : fdopendir(far->plans);
	struct dirent *e;
	int up;

	while (list && (e = readdir(list)))
		unlinkat(far->plans, e->d_name, 0);
	if (far->dir >= 0 && name) {
		unlinkat(far->dir, "hub", 0);
		unlinkat(far->dir, "plans", AT_REMOVEDIR);
		up = openat(far->dir, "..", O_PATH | O_CLOEXEC);
		unlinkat(up, name + 1, AT_REMOVEDIR);
		close(up);
	}
	far->dir = far->plans = -1;
}
