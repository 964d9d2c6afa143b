/* SPDX-License-Identifier: Apache-2.0 */
/* The hub of a channel folder: opened or made with defaults; doorbell and file-name watch. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include "base/mem.h"
#include "channel/chan.h"
#include "scope/watch_default.h"

#define ALIVE_NS 2000000000ull

/* What an application records that started before its relay (sidecar): no call by call records. */
#define DEFAULT_WANT                                                                               \
	(SC_WANT_OPEN | SC_WANT_NET | SC_WANT_CONSOLE | SC_WANT_FILE | SC_WANT_HTTP |              \
	 SC_WANT_DNS | SC_WANT_STATSD | SC_WANT_PROCESS)
#define DEFAULT_MAX_PER_SEC 10000

#define MODE_OWNER 0600
#define MODE_GROUP 0660
#define MODE_ALL   0644

static size_t put_path(char *to, size_t size, const char *dir, const char *name)
{
	size_t n = sc_strcpy(to, size, dir);

	n += sc_strcpy(to + n, size - n, "/");
	return n + sc_strcpy(to + n, size - n, name);
}

/* Nothing that could end under our reads. */
static int is_whole(int fd, struct stat *st)
{
	return sc_sys_fstat(fd, st) == 0 && st->st_size >= (long)sizeof(struct sc_hub) && S_ISREG(st->st_mode);
}

static struct sc_hub *map_hub(const char *path)
{
	struct sc_hub *hub;
	struct stat st;
	int prot, fd = sc_sys_openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);

	if (fd == -EACCES)
		fd = sc_sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return (struct sc_hub *)(long)fd;
	if (!is_whole(fd, &st)) {
		sc_sys_close(fd);
		return (struct sc_hub *)-EINVAL;
	}
	/* Also by root's processes: one that gives up its rights must not keep a hand on what others believe. */
	sc_chan.hub_readonly = (st.st_mode & S_IROTH) != 0;
	sc_chan.hub_believed = st.st_uid == 0 || st.st_uid == (uint32_t)sc_sys0(__NR_geteuid);
	sc_chan.file_mode = st.st_mode & S_IWGRP ? MODE_GROUP : MODE_OWNER;
	/* What another user says could hold us up, unless we share with its group. */
	if (sc_chan.hub_readonly ? st.st_uid != 0 : !sc_chan.hub_believed && sc_chan.file_mode == MODE_OWNER) {
		sc_sys_close(fd);
		return (struct sc_hub *)-EPERM;
	}
	prot = sc_chan.hub_readonly ? PROT_READ : PROT_READ | PROT_WRITE;
	hub = sc_sys_mmap(NULL, sizeof(*hub), prot, MAP_SHARED, fd, 0);
	sc_sys_close(fd);
	if (sc_map_failed(hub))
		return hub;
	/* Stored last by the maker: with it everything else is there. */
	if (atomic_load_explicit(&hub->magic, memory_order_acquire) != SC_HUB_MAGIC ||
	    hub->major != SC_VERSION_MAJOR || hub->size != sizeof(*hub)) {
		sc_sys_munmap(hub, sizeof(*hub));
		return (struct sc_hub *)-EINVAL;
	}
	return hub;
}

static void fill_hub(struct sc_hub *hub)
{
	hub->major = SC_VERSION_MAJOR;
	hub->minor = SC_VERSION_MINOR;
	hub->size = sizeof(*hub);
	hub->control.want = DEFAULT_WANT;
	hub->control.max_per_sec = DEFAULT_MAX_PER_SEC;
	memcpy(&hub->file_watch, sc_watch_default, sizeof(sc_watch_default));
	atomic_store_explicit(&hub->magic, SC_HUB_MAGIC, memory_order_release);
}

/*
 * Who shares the folder: its group, when it has the setgid bit (as a pod's fsGroup sets it); all users, when all may write,
 * under root; else its owner alone. The same rule as in the reader's hub.cc.
 */
static int mode_of(const char *dir)
{
	struct stat st;

	if (sc_sys_stat(dir, &st) < 0)
		return MODE_OWNER;
	if (st.st_mode & S_ISGID && st.st_mode & S_IWGRP)
		return MODE_GROUP;
	return st.st_mode & S_IWOTH && sc_sys0(__NR_geteuid) == 0 ? MODE_ALL : MODE_OWNER;
}

int sc_hub_make_file(const char *path, int mode)
{
	int fd = sc_sys_openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

	/* The umask is the program's. */
	if (fd >= 0 && mode != MODE_OWNER)
		sc_sys2(__NR_fchmod, fd, mode);
	return fd;
}

/* Makes the hub under a name of its own, then links it: never seen half, first one wins. */
static void make_hub(const char *dir, const char *path)
{
	char temp[600];
	struct sc_hub *hub;
	size_t n = put_path(temp, sizeof(temp) - 40, dir, "hub.");
	int fd;

	n += sc_put_dec(temp + n, (uint64_t)sc_sys_getpid());
	temp[n++] = '.';
	sc_put_hex(temp + n, sc_rdtsc());
	fd = sc_hub_make_file(temp, mode_of(dir));
	if (fd < 0)
		return;
	if (sc_sys_fallocate(fd, 0, 0, sizeof(*hub)) == 0) {
		hub = sc_sys_mmap(NULL, sizeof(*hub), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (!sc_map_failed(hub)) {
			fill_hub(hub);
			sc_sys_munmap(hub, sizeof(*hub));
			sc_sys_link(temp, path);
		}
	}
	sc_sys_close(fd);
	sc_sys_unlink(temp);
}

struct sc_hub *sc_hub_open(const char *dir)
{
	char path[600];
	struct sc_hub *hub;

	put_path(path, sizeof(path), dir, "hub");
	hub = map_hub(path);
	if ((long)hub == -ENOENT) {
		make_hub(dir, path);
		hub = map_hub(path);
	}
	return sc_map_failed(hub) ? NULL : hub;
}

void sc_hub_give_up(void)
{
	struct sc_hub *hub = sc_chan.hub;
	char path[600];
	struct stat st;
	int fd, flags = MAP_SHARED;
	void *at;

	/* In a signal handler that interrupted a ring: the interrupted one writes when we are back. */
	if (!hub || sc_chan.hub_readonly || sc_chan.quiet || sc_sys0(__NR_geteuid) != 0 ||
	    atomic_load_explicit(&sc_chan.threads, memory_order_relaxed) > 1 ||
	    atomic_load_explicit(&sc_chan.ringing, memory_order_relaxed))
		return;
	put_path(path, sizeof(path), sc_chan.dir, "hub");
	fd = sc_sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd >= 0 && (!is_whole(fd, &st) || st.st_uid != 0)) {
		sc_sys_close(fd);
		fd = -ENOENT;
	}
	/* After a chroot it cannot be opened, or is another file: what it says now is what we keep. */
	if (fd < 0)
		flags = MAP_PRIVATE | MAP_ANONYMOUS;
	at = sc_sys_mmap(NULL, sizeof(*hub), fd < 0 ? PROT_READ | PROT_WRITE : PROT_READ, flags, fd, 0);
	if (!sc_map_failed(at)) {
		if (fd < 0)
			memcpy(at, hub, sizeof(*hub));
		/* In its place in one step: a hook in a signal handler of this call still has the address. */
		if (sc_sys6(__NR_mremap, (long)at, sizeof(*hub), sizeof(*hub), MREMAP_MAYMOVE | MREMAP_FIXED,
			    (long)hub, 0) == (long)hub)
			sc_chan.hub_readonly = 1;
		else
			sc_sys_munmap(at, sizeof(*hub));
	}
	if (fd >= 0)
		sc_sys_close(fd);
}

const char *sc_hub_path(const char *path)
{
	return sc_chan.hub && sc_chan.hub_believed ? path : "";
}

/*
 * The first one to see it asleep wakes it; one that looks at the channels now may have passed ours and is
 * kept from its sleep. Pairs with the relay's exchange before its wait. 1: it is to be woken.
 */
static int ring(struct sc_hub *hub)
{
	if (atomic_load_explicit(&hub->sleeping, memory_order_relaxed) == SC_RELAY_RUNG ||
	    atomic_exchange_explicit(&hub->sleeping, SC_RELAY_RUNG, memory_order_seq_cst) != SC_RELAY_ASLEEP)
		return 0;
	atomic_fetch_add_explicit(&hub->doorbell, 1, memory_order_seq_cst);
	return 1;
}

void sc_hub_ring(void)
{
	struct sc_hub *hub = sc_chan.hub;
	int wake;

	if (!hub)
		return;
	/* From the look at hub_readonly to the last write: see sc_hub_give_up. */
	atomic_fetch_add_explicit(&sc_chan.ringing, 1, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	/* Who may not write cannot say that it rang: before the relay is asleep, its next look has to do. */
	wake = sc_chan.hub_readonly ?
		       atomic_load_explicit(&hub->sleeping, memory_order_relaxed) == SC_RELAY_ASLEEP :
		       ring(hub);
	atomic_signal_fence(memory_order_seq_cst);
	atomic_fetch_sub_explicit(&sc_chan.ringing, 1, memory_order_relaxed);
	if (wake && !sc_chan.quiet)
		sc_sys_futex(&hub->doorbell, FUTEX_WAKE, INT_MAX, NULL);
}

int sc_hub_alive(void)
{
	static _Atomic(uint64_t) last; /* beat of a relay found dead: until it beats again the clock is not asked */
	struct timespec now;
	uint64_t ns, beat;

	beat = sc_chan.hub ? atomic_load_explicit(&sc_chan.hub->relay_beat_ns, memory_order_relaxed) : 0;
	if (beat == 0 || beat == atomic_load_explicit(&last, memory_order_relaxed) ||
	    sc_sys_clock(CLOCK_MONOTONIC, &now) < 0)
		return 0;
	ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	if (beat >= ns || ns - beat < ALIVE_NS)
		return 1;
	atomic_store_explicit(&last, beat, memory_order_relaxed);
	return 0;
}

int sc_hub_watches(const char *name, size_t len)
{
	const struct sc_dfa *dfa = &sc_chan.hub->file_watch;
	const char *end = name + len;
	uint32_t states = dfa->states, classes = dfa->classes, state = 0;

	if (states == 0xffff)
		return 1;
	/* The relay may write this at any time: nothing in it is believed. */
	if (states == 0 || states > sizeof(dfa->accept) * 8 || classes == 0 ||
	    states * classes > sizeof(dfa->next) / sizeof(dfa->next[0]))
		return 0;
	for (; !(dfa->accept[state / 8] >> (state % 8) & 1); name++) {
		/* The NUL at the end takes part, as a byte no name has: `$`. */
		uint32_t cls = dfa->class_of[name < end ? (uint8_t)*name : 0];

		if (name > end || cls >= classes)
			return 0;
		state = dfa->next[state * classes + cls];
		if (state >= states)
			return 0;
	}
	return 1;
}
