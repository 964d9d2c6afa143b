/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Description: a preloaded library that only counts: system calls by number in a shared file, what
 * the report of sc_patch_start says, and how often arguments or results looked wrong.
 * COUNT_FILE: the file. COUNT_PLANS: folder of plans.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include "base/mem.h"
#include "patch/patch.h"
#include "scope/inject.h"
#include "sys/process.h"
#include "sys/sys.h"

struct counts {
	uint64_t post[512];
	uint64_t pre[512];
	uint64_t timed[512];
	uint64_t negative[512];
	uint64_t last[8];
	struct sc_patch_report report;
	int32_t ret;
	uint32_t start_us;
};

static struct counts *counts;

static void post(struct sc_call *c)
{
	__atomic_fetch_add(&counts->post[c->nr], 1, __ATOMIC_RELAXED);
	if (c->start)
		__atomic_fetch_add(&counts->timed[c->nr], 1, __ATOMIC_RELAXED);
	if (c->ret < 0)
		__atomic_fetch_add(&counts->negative[c->nr], 1, __ATOMIC_RELAXED);
	counts->last[0] = c->nr;
	counts->last[1] = (uint64_t)c->ret;
	for (int i = 0; i < 6; i++)
		counts->last[2 + i] = c->arg[i];
}

static void pre(struct sc_call *c)
{
	__atomic_fetch_add(&counts->pre[c->nr], 1, __ATOMIC_RELAXED);
}

static void go_tls(struct sc_call *c)
{
	if (c->ret > 0)
		__atomic_fetch_add(&counts->pre[500 + c->nr], (uint64_t)c->ret, __ATOMIC_RELAXED);
	if (c->ret > 8)
		memcpy((char *)&counts->pre[502 + 2 * c->nr], (const void *)c->arg[1], 16);
	counts->pre[506 + c->nr] = c->arg[0];
}

static char environ_text[65536];

static const char *env(const char *name)
{
	size_t n = sc_strlen(name);
	const char *p = environ_text;

	while (*p) {
		if (sc_starts(p, name) && p[n] == '=')
			return p + n + 1;
		p += sc_strlen(p) + 1;
	}
	return NULL;
}

static uint64_t tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static int start(const char *file, const char *plans, const struct sc_inject *inject)
{
	struct sc_patch_options options = { .post = post, .pre = pre, .go_tls = go_tls, .plans = plans };
	struct sc_patch_report report;
	uint64_t from;
	int fd = sc_sys_openat(AT_FDCWD, file, O_RDWR | O_CREAT | O_CLOEXEC, 0600), ret;

	sc_sys_ftruncate(fd, sizeof(*counts));
	counts = sc_sys_mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	sc_sys_close(fd);
	if (inject) {
		options.running = inject->op == SC_INJECT_ATTACH;
		options.ip = inject->ip;
		options.ips = inject->threads;
	}
	from = tsc();
	ret = sc_patch_start(&options, &report);
	counts->start_us = (uint32_t)((tsc() - from) / 2600);
	memcpy(&counts->report, &report, sizeof(report));
	counts->ret = ret;
	sc_sys1(__NR_getpgid, 0);
	return ret;
}

static void begin(void)
{
	sc_file_read("/proc/self/environ", environ_text, sizeof(environ_text) - 2);
	if (env("COUNT_FILE"))
		start(env("COUNT_FILE"), env("COUNT_PLANS"), NULL);
}

/* By ptrace: the folder is taken for the file, plans lie beside it. */
__attribute__((visibility("default"))) void scope_inject(struct sc_inject *inject)
{
	static char plans[600];
	size_t n = sc_strcpy(plans, 512, inject->dir);

	memcpy(plans + n, ".plans", 7);
	inject->result = inject->op == SC_INJECT_DETACH ? sc_patch_stop() :
							  start(inject->dir, plans, inject);
}

static void (*const at_start[])(void) __attribute__((used, section(".init_array"))) = { begin };
