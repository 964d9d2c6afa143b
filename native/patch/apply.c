/* SPDX-License-Identifier: Apache-2.0 */
/* One plan onto one object: overlay when every byte is as planned, else jump by jump. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include "base/mem.h"
#include "elf/emit.h"
#include "sys/sys.h"
#include "patch/apply.h"
#include "patch/write.h"
#include "patch/arch/x86_64/gate.h"

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* Bits of /proc/self/pagemap. */
#define PAGE_PRESENT (1ull << 63)
#define PAGE_SWAPPED (1ull << 62)
#define PAGE_FILE    (1ull << 61)
#define PAGES_ASKED  400u /* at a time: glibc's text with calls has 270 */

static const void *window(const struct sc_patched *p, const struct sc_site *s)
{
	return (const void *)(p->bias + s->va - s->pre_len);
}

static int is_original(const struct sc_patched *p, const struct sc_site *s)
{
	return !memcmp(window(p, s), s->bytes, (size_t)s->pre_len + s->core_len + s->post_len);
}

/* Counts the sites that are not as planned and marks them as not to be touched. */
static uint32_t verify(struct sc_patched *p, int running)
{
	struct sc_site *s = sc_plan_sites(p->plan);
	uint32_t differs = 0;

	for (uint32_t i = 0; i < p->plan->sites; i++, s++) {
		if (is_original(p, s) && !(running && s->kind == SC_SITE_MOVED))
			continue;
		s->pre_len = s->post_len = 0;
		s->pre_stub = s->post_stub = 0;
		differs++;
	}
	return differs;
}

/*
 * 1 when no page of the runs was ever written: then their content is the file's, of which the
 * build-id was compared. A debugger's breakpoint anywhere in them, not only in a window, shows here;
 * an overlay would take it away. 0: written, or not known.
 */
static int is_untouched(const struct sc_patched *p, int pagemap)
{
	uint64_t entry[PAGES_ASKED];
	int clean = pagemap >= 0;

	for (uint32_t r = 0; r < p->plan->runs; r++) {
		uint64_t page = (p->bias + p->plan->run[r].va) / SC_PAGE;
		uint64_t end = page + p->plan->run[r].len / SC_PAGE;

		while (clean && page < end) {
			uint64_t n = end - page < PAGES_ASKED ? end - page : PAGES_ASKED;

			if (sc_sys_pread(pagemap, entry, n * 8, (int64_t)(page * 8)) != (long)(n * 8))
				clean = 0;
			for (uint64_t i = 0; clean && i < n; i++)
				if ((entry[i] & (PAGE_PRESENT | PAGE_SWAPPED)) && !(entry[i] & PAGE_FILE))
					clean = 0;
			page += n;
		}
	}
	return clean;
}

static int map_overlay(struct sc_patched *p, const struct sc_plan_source *source)
{
	const struct sc_plan *plan = p->plan;

	sc_gate_cells((uint64_t *)source->stubs);
	p->stubs = source->stubs;
	p->stub_len = plan->stub_len;
	for (uint32_t i = 0; i < plan->runs; i++) {
		const struct sc_run *r = &plan->run[i];
		void *at = sc_sys_mmap((void *)(p->bias + r->va), r->len, PROT_READ | PROT_EXEC,
				       MAP_PRIVATE | MAP_FIXED, source->fd, r->off);

		/* Runs already mapped are right as they are; the rest is patched jump by jump. */
		if (sc_map_failed(at))
			return (int)(long)at;
	}
	return 0;
}

/* Addresses to try for the stubs: the planned one, then others a jump can reach. */
static uint64_t candidate(const struct sc_patched *p, int i)
{
	uint64_t step = 48ull << 20, first = p->bias + p->plan->stub_va;

	if (i <= 12)
		return first - step * (uint64_t)i;
	return first + (512ull << 20) + step * (uint64_t)(i - 12);
}

/* Stubs of our own at a free place near the object. */
static int map_stubs(struct sc_patched *p)
{
	size_t room = sc_emit_room(p->plan);
	uint8_t *buf = sc_sys_mmap(NULL, room, PROT_READ | PROT_WRITE, ANON, -1, 0);
	int ret = -EEXIST;

	if (sc_map_failed(buf))
		return (int)(long)buf;
	for (int i = 0; i < 24 && ret == -EEXIST; i++) {
		uint64_t at = candidate(p, i);
		long n = sc_emit_stubs(p->plan, at - p->bias, buf, room);

		if (n < 0) {
			ret = (int)n;
			break;
		}
		sc_gate_cells((uint64_t *)buf);
		ret = sc_code_map(at, buf, (size_t)n);
		p->stubs = at;
		p->stub_len = (uint32_t)n;
	}
	sc_sys_munmap(buf, room);
	return ret;
}

static void put_jump(struct sc_writer *w, uint64_t from, uint64_t to)
{
	uint8_t jump[5];

	if (!sc_emit_jump(jump, from, to))
		sc_writer_put(w, from, jump, sizeof(jump));
}

static int write_jumps(const struct sc_patched *p)
{
	const struct sc_site *s = sc_plan_sites(p->plan);
	struct sc_writer w;

	sc_writer_open(&w);
	for (uint32_t i = 0; i < p->plan->sites; i++, s++) {
		uint64_t va = p->bias + s->va;

		if (s->pre_stub)
			put_jump(&w, va - s->pre_len, p->stubs + 8ull * s->pre_stub);
		if (s->post_stub)
			put_jump(&w, va + s->core_len, p->stubs + 8ull * s->post_stub);
	}
	return sc_writer_close(&w);
}

int sc_apply(struct sc_patched *out, const struct sc_plan_source *source, uint64_t bias, int pagemap,
	     int running)
{
	struct sc_plan *plan = source->plan;
	int ret;

	memset(out, 0, sizeof(*out));
	out->plan = plan;
	out->bias = bias;
	/* A running program gets its own pages back at detach; no overlay for it. */
	if (!running && source->stubs && is_untouched(out, pagemap)) {
		ret = map_overlay(out, source);
		out->overlay = ret == 0;
		out->done = plan->sites;
		if (!ret)
			return 0;
	}
	if (!out->stubs) { /* else a part of the overlay is there already */
		/* Their place is the best one for those that are made here. */
		if (source->stubs)
			sc_sys_munmap((void *)source->stubs, plan->stub_len);
		out->differs = verify(out, running);
	}
	out->done = plan->sites - out->differs;
	if (!out->done)
		return 0;
	if (!out->stubs) {
		ret = map_stubs(out);
		if (ret)
			return ret;
	}
	return write_jumps(out);
}

int sc_apply_again(struct sc_patched *p)
{
	uint32_t here = 0;
	struct sc_site *s = sc_plan_sites(p->plan);

	if (p->done || !p->stubs)
		return 0;
	for (uint32_t i = 0; i < p->plan->sites; i++, s++) {
		if (!s->pre_stub && !s->post_stub)
			continue;
		if (is_original(p, s))
			here++;
		else
			s->pre_stub = s->post_stub = 0;
	}
	p->done = here;
	return write_jumps(p);
}

static int inside(uint64_t ip, uint64_t window, unsigned len)
{
	return len && ip > window && ip < window + 5;
}

int sc_apply_busy(const struct sc_plan *plan, uint64_t bias, const uint64_t *ip, uint32_t n)
{
	for (uint32_t t = 0; t < n; t++) {
		const struct sc_site *s = sc_plan_sites(plan);
		uint64_t va = ip[t] - bias;

		if (va < plan->text_lo || va >= plan->text_hi)
			continue;
		for (uint32_t i = 0; i < plan->sites; i++, s++)
			if (s->kind != SC_SITE_MOVED &&
			    (inside(va, s->va - s->pre_len, s->pre_len) ||
			     inside(va, s->va + s->core_len, s->post_len)))
				return (int)t;
	}
	return -1;
}

uint32_t sc_apply_count(const struct sc_patched *p, uint8_t kind)
{
	const struct sc_site *s = sc_plan_sites(p->plan);
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->plan->sites; i++, s++)
		n += s->kind == kind && (s->pre_stub || s->post_stub);
	return n;
}

/* A jump of ours: bytes somebody else has put there since stay. */
static int is_jump(uint64_t va)
{
	return *(const uint8_t *)va == 0xe9;
}

int sc_apply_undo(struct sc_patched *p)
{
	const struct sc_site *s = sc_plan_sites(p->plan);
	struct sc_writer w;

	if (!p->done)
		return 0;
	sc_writer_open(&w);
	for (uint32_t i = 0; i < p->plan->sites; i++, s++) {
		uint64_t va = p->bias + s->va;

		if (s->pre_stub && is_jump(va - s->pre_len))
			sc_writer_put(&w, va - s->pre_len, s->bytes, 5);
		if (s->post_stub && is_jump(va + s->core_len))
			sc_writer_put(&w, va + s->core_len, s->bytes + s->pre_len + s->core_len, 5);
	}
	p->done = 0;
	return sc_writer_close(&w);
}
