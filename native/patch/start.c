/* SPDX-License-Identifier: Apache-2.0 */
/* Patches what in this process makes system calls: libc, the loader, a static executable. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include "base/mem.h"
#include "sys/sys.h"
#include "elf/emit.h"
#include "elf/gotab.h"
#include "patch/apply.h"
#include "patch/entry.h"
#include "patch/objects.h"
#include "patch/patch.h"
#include "patch/store.h"
#include "patch/arch/x86_64/cancel.h"
#include "patch/arch/x86_64/gate.h"

#define PATCHED_MAX 8

static struct {
	struct sc_patched object[PATCHED_MAX];
	uint32_t n;
	sc_call_handler pre;
} state SC_AT_START;

struct start {
	const struct sc_patch_options *options;
	struct sc_patch_report *report;
	uint32_t libraries;
	int pagemap; /* of this process, open; -1: there is none */
	int busy;
	int preloaded; /* the loader knows us: unwinders find our tables */
};

/* libpthread had its own sites before glibc 2.34. */
static int has_calls(const struct sc_object *o, int is_go)
{
	static const char names[][12] = { "libc.so", "libc-", "libc.musl", "libpthread", "ld-" };
	const char *base = sc_base_name(o->path);

	if (o->role & SC_OBJECT_EXE)
		return !sc_elf_segment(&o->elf, PT_INTERP) || is_go;
	if (o->role & SC_OBJECT_LOADER)
		return 1;
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (sc_starts(base, names[i]))
			return 1;
	return 0;
}

static void name_libc(const struct sc_object *o, struct sc_patch_report *r)
{
	const Elf64_Sym *s;

	if (r->libc[0] || (o->role & SC_OBJECT_EXE))
		return;
	s = sc_elf_lookup(&o->elf, "gnu_get_libc_version");
	if (s) {
		const char *(*version)(void) = (const char *(*)(void))(o->elf.bias + s->st_value);

		memcpy(r->libc, "glibc ", 6);
		sc_strcpy(r->libc + 6, sizeof(r->libc) - 6, version());
	} else if (sc_elf_lookup(&o->elf, "__libc_start_main")) {
		sc_strcpy(r->libc, sizeof(r->libc), "musl");
	}
}

static int is_known(const struct sc_object *o)
{
	for (uint32_t i = 0; i < state.n; i++)
		if (state.object[i].bias == o->elf.bias)
			return 1;
	return 0;
}

static void patch_object(const struct sc_object *o, struct start *s)
{
	struct sc_patch_report *r = s->report;
	struct sc_patched *p = &state.object[state.n];
	struct sc_plan_source source;
	int ret = sc_plan_get(s->options->plans, o, !s->options->running, &source), thread;

	if (!ret) {
		thread = sc_apply_busy(source.plan, o->elf.bias, s->options->ip, s->options->ips);
		if (thread >= 0) {
			s->busy = 1;
			r->busy = (uint32_t)thread;
		}
	}
	if (!ret && !s->busy) {
		ret = sc_apply(p, &source, o->elf.bias, s->pagemap, s->options->running);
		r->computed += (uint32_t)source.computed;
		r->unseen += source.plan->unseen;
		r->sites += source.plan->sites;
		r->differs += p->differs;
	}
	if (source.fd >= 0)
		sc_sys_close(source.fd);
	if (o->role & SC_OBJECT_EXE && (ret == -ENOTSUP || (!ret && source.plan->is_go)))
		r->is_go = 1;
	if (ret || s->busy) {
		if (!r->error)
			r->error = ret;
		return;
	}
	r->patched += p->done;
	r->go_tls += sc_apply_count(p, SC_SITE_TLS_END);
	r->overlays += p->overlay;
	if (p->done) {
		r->objects++;
		state.n++;
	}
}

static int each(const struct sc_object *o, void *arg)
{
	struct start *s = arg;

	if (o->role & SC_OBJECT_EXE) {
		s->report->is_static = !sc_elf_segment(&o->elf, PT_INTERP);
		/* Of a static program without a note its plan says it: looking for Go's tables takes reading all of it. */
		s->report->is_go = (uint32_t)sc_go_is_noted(&o->elf);
	} else {
		s->libraries++;
	}
	if ((uint64_t)&state - o->elf.bias >= o->elf.lo && (uint64_t)&state - o->elf.bias < o->elf.hi)
		s->preloaded = 1;
	if (state.n == PATCHED_MAX)
		return 1;
	name_libc(o, s->report);
	if (has_calls(o, s->report->is_go) && !is_known(o))
		patch_object(o, s);
	return s->busy;
}

/* The objects are the same, their plans and stubs still mapped. */
static int start_again(const struct sc_patch_options *o, struct sc_patch_report *r)
{
	for (uint32_t i = 0; i < state.n; i++) {
		int thread = sc_apply_busy(state.object[i].plan, state.object[i].bias, o->ip, o->ips);

		if (thread < 0)
			continue;
		r->busy = (uint32_t)thread;
		return -EAGAIN;
	}
	for (uint32_t i = 0; i < state.n; i++) {
		struct sc_patched *p = &state.object[i];
		int ret = sc_apply_again(p);

		if (ret && !r->error)
			r->error = ret;
		r->objects++;
		r->sites += p->plan->sites;
		r->patched += p->done;
	}
	return r->patched ? 0 : r->error;
}

static void ignore(struct sc_call *call)
{
	(void)call;
}

static void before(struct sc_call *call)
{
	if (call->nr == __NR_rt_sigaction)
		sc_cancel_sigaction(call);
	else
		state.pre(call);
}

int sc_patch_place(uint64_t ip, uint64_t *va, uint32_t *shift)
{
	for (uint32_t i = 0; i < state.n; i++) {
		const struct sc_patched *p = &state.object[i];

		if (ip < p->stubs + SC_STUB_PAGE || ip >= p->stubs + p->stub_len)
			continue;
		if (!sc_emit_place(p->plan, (const uint8_t *)p->stubs, (uint32_t)(ip - p->stubs), va, shift))
			return 0;
		*va += p->bias;
		return 1;
	}
	return 0;
}

int sc_patch_start(const struct sc_patch_options *options, struct sc_patch_report *report)
{
	struct start s = { .options = options, .report = report, .pagemap = -1 };

	memset(report, 0, sizeof(*report));
	sc_gate_handlers.post = options->post;
	state.pre = options->pre;
	sc_gate_handlers.pre = before;
	sc_gate_handlers.tls = options->go_tls ? options->go_tls : ignore;
	if (state.n)
		return start_again(options, report);
	if (!options->running)
		s.pagemap = sc_sys_openat(AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
	sc_objects_each(each, &s);
	if (s.pagemap >= 0)
		sc_sys_close(s.pagemap);
	if (s.busy) {
		sc_patch_stop();
		return -EAGAIN;
	}
	if (s.libraries)
		report->is_static = 0;
	if (s.preloaded)
		sc_cancel_start();
	if (report->patched)
		return 0;
	return report->error ? report->error : -ENOENT;
}

int sc_patch_stop(void)
{
	int ret = sc_entry_undo();

	sc_cancel_stop();
	for (uint32_t i = 0; i < state.n; i++) {
		int one = sc_apply_undo(&state.object[i]);

		if (!ret)
			ret = one;
	}
	return ret;
}
