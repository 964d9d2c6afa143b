/* SPDX-License-Identifier: Apache-2.0 */
/* What the process has used: measured at its exit, and by itself where no relay can look. Layer 4. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include "base/mem.h"
#include "probe/probe.h"
#include "sys/process.h"

static int64_t microseconds(const struct timeval *t)
{
	return (int64_t)t->tv_sec * 1000000 + t->tv_usec;
}

static uint64_t number(const char *p)
{
	uint64_t v = 0;

	while (*p >= '0' && *p <= '9')
		v = v * 10 + (uint64_t)(*p++ - '0');
	return v;
}

/* /proc/self/statm: pages of the address space, pages resident, … */
static void measure_memory(struct sc_exit *e)
{
	char buf[128];
	long n = sc_file_read("/proc/self/statm", buf, sizeof(buf) - 1);
	const char *p = buf;

	if (n <= 0)
		return;
	buf[n] = 0;
	e->vm_kib = number(p) * (SC_PAGE / 1024);
	while (*p && *p++ != ' ')
		;
	e->rss_kib = number(p) * (SC_PAGE / 1024);
}

/* Entries of a folder of /proc, without . and ..; 0: unknown. */
static uint32_t count_entries(const char *path)
{
	char buf[1024] __attribute__((aligned(8)));
	int fd = sc_sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	uint32_t entries = 0;
	long n;

	if (fd < 0)
		return 0;
	while ((n = sc_sys_getdents(fd, buf, sizeof(buf))) > 0)
		for (long at = 0; at < n; at += *(const uint16_t *)(buf + at + 16))
			entries++;
	sc_sys_close(fd);
	return entries > 2 ? entries - 2 : 0;
}

static uint32_t count_descriptors(void)
{
	struct stat st;
	uint32_t fds;

	/* Since Linux 6.2 the folder's size says it. */
	if (sc_sys_stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		return (uint32_t)st.st_size;
	/* The folder itself is open while it is read. */
	fds = count_entries("/proc/self/fd");
	return fds ? fds - 1 : 0;
}

static uint32_t count_children(void)
{
	char path[64], buf[512];
	size_t n = sc_strcpy(path, sizeof(path), "/proc/self/task/");
	uint32_t children = 0;
	long len;

	n += sc_put_dec(path + n, (uint64_t)sc_chan.pid);
	sc_strcpy(path + n, sizeof(path) - n, "/children");
	len = sc_file_read(path, buf, sizeof(buf));
	for (long i = 0; i < len; i++)
		children += buf[i] == ' ';
	return children;
}

static void measure(const struct sc_ctx *x, struct sc_exit *e)
{
	struct rusage usage;

	memset(e, 0, sizeof(*e));
	if (sc_chan.quiet)
		return;
	if (sc_sys2(__NR_getrusage, RUSAGE_SELF, (long)&usage) == 0) {
		e->utime_us = microseconds(&usage.ru_utime);
		e->stime_us = microseconds(&usage.ru_stime);
		e->rss_kib = (uint64_t)usage.ru_maxrss;
	}
	measure_memory(e);
	e->threads = (uint32_t)atomic_load_explicit(&sc_chan.threads, memory_order_relaxed);
	e->fds = count_descriptors();
	for (uint32_t i = 0; i < SC_SHARDS; i++) {
		if (!(atomic_load_explicit(&sc_chan.shards, memory_order_relaxed) & 1u << i) ||
		    !sc_chan_shard(x->base, i)->counter[SC_C_PROC_FORK])
			continue;
		e->children = count_children();
		break;
	}
}

void sc_record_usage(struct sc_ctx *x, enum sc_record_type type, const struct sc_call *c)
{
	struct sc_exit e;
	struct sc_record *r;

	measure(x, &e);
	r = sc_record_begin(x, type, -1, sizeof(e));
	if (!r)
		return;
	if (c) {
		r->ret = (int64_t)c->arg[0];
		r->nr = (uint16_t)c->nr;
	}
	memcpy(sc_record_payload(r), &e, sizeof(e));
	sc_record_commit(x, r, sizeof(e));
}

void sc_sample(struct sc_ctx *x)
{
	static _Atomic(uint64_t) last_ms;
	struct timespec now;
	uint64_t ms, last = atomic_load_explicit(&last_ms, memory_order_relaxed);

	if (sc_chan.quiet || sc_sys_clock(CLOCK_MONOTONIC_COARSE, &now) < 0)
		return;
	ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	if (ms - last < atomic_load_explicit(&x->head->control.sample_ms, memory_order_relaxed) ||
	    !atomic_compare_exchange_strong_explicit(&last_ms, &last, ms, memory_order_relaxed,
						     memory_order_relaxed))
		return;
	sc_record_usage(x, SC_REC_SAMPLE, NULL);
}
