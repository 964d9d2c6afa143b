// SPDX-License-Identifier: Apache-2.0
// Begins a session: its number, its folder, args.json and the channel folder on tmpfs. Layer 5.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "launch/launch.h"

static int make_dirs(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t n = strlen(path);

	if (n >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, n + 1);
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return mkdir(part, mode) < 0 && errno != EEXIST ? -errno : 0;
}

/* The next session number; the lock keeps concurrent commands apart. */
static int next_id(const char *home, unsigned long *id)
{
	char path[PATH_MAX], text[32] = "";
	int fd, err = 0;

	if (snprintf(path, sizeof(path), "%s/count", home) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR) {
			err = -errno;
			goto out;
		}
	if (pread(fd, text, sizeof(text) - 1, 0) < 0) {
		err = -errno;
		goto out;
	}
	*id = strtoul(text, NULL, 10) + 1;
	int n = snprintf(text, sizeof(text), "%lu", *id);
	if (pwrite(fd, text, (size_t)n, 0) != n || ftruncate(fd, n) < 0)
		err = errno ? -errno : -ENOSPC;
out:
	close(fd);
	return err;
}

/* JSON text of s; bytes ≥ 0x80 are kept as they are. */
static void put_json(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c < 32)
			fprintf(f, "\\u%04x", c);
		else
			fputc(c, f);
	}
	fputc('"', f);
}

static int write_args(const struct sc_session *s, int argc, char **argv, const struct timespec *now)
{
	char path[PATH_MAX + 16], cwd[PATH_MAX];
	const char *user = getenv("USER");
	FILE *f;

	snprintf(path, sizeof(path), "%s/args.json", s->dir);
	f = fopen(path, "we");
	if (!f)
		return -errno;
	fprintf(f, "{\"id\":%lu,\"argv\":[", s->id);
	for (int i = 0; i < argc; i++) {
		if (i)
			fputc(',', f);
		put_json(f, argv[i]);
	}
	fputs("],\"cwd\":", f);
	put_json(f, getcwd(cwd, sizeof(cwd)) ? cwd : "");
	fprintf(f, ",\"pid\":%d,\"start\":%lld.%06ld,\"uid\":%u,\"user\":", (int)(s->target ? s->target : getpid()),
		(long long)now->tv_sec, now->tv_nsec / 1000, (unsigned)getuid());
	put_json(f, user ? user : "");
	fputs("}\n", f);
	return fclose(f) == 0 ? 0 : -errno;
}

/* A private folder of the observed process' user; it may exist. */
static int own_dir(const char *path, uid_t owner)
{
	if (mkdir(path, 0700) < 0)
		return errno == EEXIST ? 0 : -errno;
	return owner != getuid() && chown(path, owner, (gid_t)-1) < 0 ? -errno : 0;
}

/*
 * For who finds the folder and wants to know whether anybody still waits for it (src/relay/left-folders.ts): a link
 * `session` to "NAMESPACE NAMESPACE PATH", because paths and pids mean something only in the namespaces they are of.
 */
static void leave_owner(const struct sc_session *s)
{
	static const char *const of[] = {"/proc/self/ns/mnt", "/proc/self/ns/pid"};
	char name[2][64], link[PATH_MAX + 16], text[PATH_MAX + 160];

	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++) {
		ssize_t n = readlink(of[i], name[i], sizeof(name[i]) - 1);

		if (n < 0)
			return;
		name[i][n] = '\0';
	}
	snprintf(link, sizeof(link), "%s/session", s->channels);
	snprintf(text, sizeof(text), "%s %s %s", name[0], name[1], s->dir);
	(void)!symlink(text, link);
}

/* On tmpfs when there is one to write to; else below the session itself. */
static int make_channels(struct sc_session *s, const char *name)
{
	char base[64], link[PATH_MAX + 16];
	struct stat st;

	snprintf(link, sizeof(link), "%s/channels", s->dir);
	snprintf(base, sizeof(base), "/dev/shm/scope-%u", (unsigned)s->owner);
	if (own_dir(base, s->owner) == 0 && lstat(base, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == s->owner &&
	    snprintf(s->channels, sizeof(s->channels), "%s/%s", base, name) < (int)sizeof(s->channels) &&
	    own_dir(s->channels, s->owner) == 0) {
		if (symlink(s->channels, link) == 0) {
			leave_owner(s);
			return 0;
		}
		rmdir(s->channels);
	}
	if (mkdir(link, 0700) < 0)
		return -errno;
	memcpy(s->channels, link, strlen(link) + 1);
	return 0;
}

static int begin(struct sc_session *s, int argc, char **argv)
{
	char home[PATH_MAX - 512], name[256], history[PATH_MAX];
	const char *base = strrchr(argv[0], '/');
	struct timespec now;
	int err;

	sc_home(home, sizeof(home));
	snprintf(history, sizeof(history), "%s/history", home);
	snprintf(s->plans, sizeof(s->plans), "%s/plans", home);
	err = make_dirs(history, 0755);
	if (err == 0)
		err = make_dirs(s->plans, 0755);
	if (err == 0)
		err = next_id(home, &s->id);
	if (err < 0)
		return err;
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(name, sizeof(name), "%.128s_%lu_%d_%lld%09ld", base ? base + 1 : argv[0], s->id,
		 (int)(s->target ? s->target : getpid()), (long long)now.tv_sec, now.tv_nsec);
	snprintf(s->dir, sizeof(s->dir), "%s/%s", history, name);
	if (mkdir(s->dir, 0755) < 0)
		return -errno;
	err = write_args(s, argc, argv, &now);
	if (err == 0)
		err = make_channels(s, name);
	return err;
}

int sc_session_begin(struct sc_session *s, int argc, char **argv)
{
	int err;

	err = begin(s, argc, argv);
	if (err == 0)
		return 0;
	/* Before it has a folder it was the home that could not be made. */
	if (!s->dir[0])
		sc_home(s->dir, sizeof(s->dir));
	fprintf(stderr, "scope: cannot make a session in %s (SCOPE_HOME): %s\n", s->dir, strerror(-err));
	return -1;
}

void sc_session_drop(const struct sc_session *s)
{
	static const char *const shared[] = {"hub", "session"};
	static const char *const files[] = {"args.json", "scope.yml", "crash", "relay.log", "channels", "far"};
	char path[PATH_MAX + 16];

	for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++) {
		snprintf(path, sizeof(path), "%s/%s", s->channels, shared[i]);
		unlink(path);
	}
	rmdir(s->channels);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "%s/%s", s->dir, files[i]);
		unlink(path);
	}
	rmdir(s->dir);
}
