// SPDX-License-Identifier: Apache-2.0
// The hub of a session's channel folder, with what is recorded by default. Layer 5.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <scope/channel.h>

#include "launch/launch.h"
#include <scope/watch_default.h>

#define WANT_DEFAULT                                                                               \
	(SC_WANT_OPEN | SC_WANT_OPEN_MODE | SC_WANT_NET | SC_WANT_CONSOLE | SC_WANT_FILE |         \
	 SC_WANT_HTTP | SC_WANT_DNS | SC_WANT_STATSD | SC_WANT_PROCESS)

/* A path the hub has no room for is left out: children that need it stay unscoped. */
static void put_path(char *to, size_t size, const char *path)
{
	size_t n = strlen(path) + 1;

	if (n <= size)
		memcpy(to, path, n);
}

static void fill(struct sc_hub *hub, const struct sc_session *s, const struct sc_install *in)
{
	hub->major = SC_VERSION_MAJOR;
	hub->minor = SC_VERSION_MINOR;
	hub->size = sizeof(*hub);
	atomic_store_explicit(&hub->control.want, WANT_DEFAULT, memory_order_relaxed);
	atomic_store_explicit(&hub->control.generation, 1, memory_order_relaxed);
	put_path(hub->libscope, sizeof(hub->libscope), in->libscope);
	put_path(hub->launcher, sizeof(hub->launcher), in->launcher);
	put_path(hub->plans, sizeof(hub->plans), s->plans);
	memcpy(&hub->file_watch, sc_watch_default, sizeof(sc_watch_default));
	/* Last: whoever sees the magic sees everything above. Read with acquire by the library. */
	atomic_store_explicit(&hub->magic, SC_HUB_MAGIC, memory_order_release);
}

int sc_hub_default(const struct sc_session *s, const struct sc_install *in)
{
	char path[PATH_MAX + 8];
	struct sc_hub *hub;
	int fd, err;

	snprintf(path, sizeof(path), "%s/hub", s->channels);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	/* `prepare` made it, as us. */
	if (fd < 0 && errno == EEXIST)
		return s->owner != getuid() && lchown(path, s->owner, (gid_t)-1) < 0 ? -errno : 0;
	if (fd < 0)
		return -errno;
	err = -posix_fallocate(fd, 0, sizeof(*hub));
	if (err == 0 && s->owner != getuid() && fchown(fd, s->owner, (gid_t)-1) < 0)
		err = -errno;
	if (err == 0) {
		hub = mmap(NULL, sizeof(*hub), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (hub == MAP_FAILED) {
			err = -errno;
		} else {
			fill(hub, s, in);
			munmap(hub, sizeof(*hub));
		}
	}
	close(fd);
	if (err < 0)
		unlink(path);
	return err;
}

void sc_hub_launching(const char *channels)
{
	char path[PATH_MAX + 8];
	struct timespec used;
	uint64_t word;
	int fd;

	snprintf(path, sizeof(path), "%s/hub", channels);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	word = (uint64_t)getpid() << 32 | ((uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000);
	/* Where it fails the launcher's time counts as the program's. */
	if (pwrite(fd, &word, sizeof(word), offsetof(struct sc_hub, launched)) < 0)
		errno = 0;
	close(fd);
}
