/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Begins to observe this process: makes the channel, then patches. Whatever is missing, the program
 * runs on unscoped, and nothing is said on its descriptors. Layer 5.
 */
#include <elf.h>
#include <errno.h>
#include "base/mem.h"
#include "channel/chan.h"
#include "libscope/stack.h"
#include "libscope/start.h"
#include "patch/patch.h"
#include "probe/entries.h"
#include "probe/gotls.h"
#include "probe/probe.h"
#include "sys/process.h"

#define AUXV_MAX 48

static const char library_name[] = "libscope.so";

/* The path LD_PRELOAD loaded us by: the element that ends in our name. */
static void find_library(const char *list, char *to, size_t size)
{
	to[0] = 0;
	while (list && *list) {
		size_t n = 0;

		while (list[n] && list[n] != ':' && list[n] != ' ')
			n++;
		if (n >= sizeof(library_name) - 1 && n < size &&
		    memcmp(list + n - (sizeof(library_name) - 1), library_name,
			   sizeof(library_name) - 1) == 0) {
			memcpy(to, list, n);
			to[n] = 0;
			return;
		}
		list += n + (list[n] != 0);
	}
}

static void prepare_children(const struct sc_stack *stack)
{
	struct sc_exec_setup *s = &sc_exec_setup;

	find_library(sc_stack_env(stack, "LD_PRELOAD="), s->libscope, sizeof(s->libscope));
	if (!s->libscope[0])
		sc_strcpy(s->libscope, sizeof(s->libscope), sc_hub_path(sc_chan.hub->libscope));
}

/* Where plans are kept: where the hub says, or in the folder, for each user its own. Size: as SCOPE_DIR and some. */
static const char *plans_folder(char *to, size_t size)
{
	const char *plans = sc_hub_path(sc_chan.hub->plans);
	size_t n;

	if (plans[0])
		return plans;
	n = sc_strcpy(to, size, sc_chan.dir);
	n += sc_strcpy(to + n, size - n, "/plans.");
	sc_put_dec(to + n, (uint64_t)sc_sys0(__NR_geteuid));
	return to;
}

static void report(const struct sc_patch_report *r, int ret)
{
	struct sc_ctx x;

	if (!sc_enter(&x))
		return;
	sc_strcpy(sc_chan_info(x.base)->libc, sizeof(((struct sc_info *)0)->libc), r->libc);
	if (r->is_go)
		x.head->flags |= SC_HF_GO;
	if (r->is_static)
		x.head->flags |= SC_HF_STATIC;
	if (ret < 0 || r->patched == 0) {
		x.head->flags |= SC_HF_NO_PLAN;
		sc_note(&x, SC_NOTE_NO_PLAN, (uint32_t)-ret, NULL);
	} else if (r->differs || r->unseen) {
		sc_note(&x, SC_NOTE_VERIFY, r->differs + r->unseen, NULL);
	}
	if (r->is_go && r->error == -EOPNOTSUPP)
		sc_note(&x, SC_NOTE_GO_VERSION, 0, NULL);
}

/* Threads that were there before us: nobody owns a shard alone. */
static void many_threads(uint32_t n)
{
	atomic_store_explicit(&sc_chan.threads, (int32_t)n, memory_order_relaxed);
	atomic_store_explicit(&sc_chan.threaded, n > 1, memory_order_relaxed);
	/* Whether they share a root was decided unseen. */
	if (n > 1)
		sc_names_remember_none();
}

static uint32_t thread_pointer_way(uint64_t hwcap2)
{
	if (hwcap2 & SC_HWCAP2_FSGSBASE)
		return SC_TP_RDFSBASE;
	return sc_thread_pointer(SC_TP_CALL) ? SC_TP_WORD : SC_TP_CALL;
}

int sc_start(const struct sc_start *how)
{
	struct sc_auxv auxv[AUXV_MAX];
	struct sc_stack stack = {0};
	struct sc_chan_options options = {.origin = how->origin};
	struct sc_patch_options patch = {.post = sc_probe_post,
					 .pre = sc_probe_pre,
					 .go_tls = sc_probe_go_tls,
					 .running = how->ips > 1,
					 .ip = how->ip,
					 .ips = how->ips};
	struct sc_patch_report patched;
	char plans[sizeof(sc_chan.dir) + 32];
	size_t n = sc_auxv_read(auxv, AUXV_MAX);
	const char *dir = how->dir;
	int ret;

	/* A set-user-id program that somehow got us: stay out. */
	if (!n || !sc_stack_find(&stack, auxv, n))
		return -ENODATA;
	if (sc_auxv_get(auxv, n, AT_SECURE, 0) && how->origin != SC_ORIGIN_ATTACH)
		return -EPERM;
	/* Valgrind's tool, which holds the program that it simulates. */
	if (sc_stack_env(&stack, "VALGRIND_LAUNCHER="))
		return -ECANCELED;
	if (!dir)
		dir = sc_stack_env(&stack, "SCOPE_DIR=");
	if (!dir || dir[0] != '/')
		return -EINVAL;
	options.dir = dir;
	options.tp_way = thread_pointer_way(sc_auxv_get(auxv, n, AT_HWCAP2, 0));
	options.argc = stack.argc;
	options.argv = stack.argv;
	options.envp = stack.envp;
	ret = sc_chan_create(&options);
	if (ret < 0)
		return ret;
	if (how->ips)
		many_threads(how->ips);
	prepare_children(&stack);
	patch.plans = plans_folder(plans, sizeof(plans));
	memset(&patched, 0, sizeof(patched));
	ret = sc_patch_start(&patch, &patched);
	if (ret == -EAGAIN) {
		*how->busy = patched.busy;
		sc_chan_leave(1);
		return ret;
	}
	report(&patched, ret);
	sc_entries_start();
	return ret < 0 ? ret : 0;
}
