/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of an object with the jumps already in them, so that a process maps them in one call. */
#include <errno.h>
#include "base/mem.h"
#include "elf/emit.h"
#include "elf/overlay.h"

#define PAGE      4096ull
#define GAP       (64 * PAGE)   /* runs closer than this become one */
#define MAX_BYTES (16ull << 20) /* more is cheaper to patch page by page */

static uint64_t page_down(uint64_t v)
{
	return v & ~(PAGE - 1);
}

static uint64_t page_up(uint64_t v)
{
	return page_down(v + PAGE - 1);
}

/* Groups the pages of all windows into runs. 0, or -ENOSPC: too many or too long. */
static int find_runs(struct sc_plan *plan)
{
	const struct sc_site *s = sc_plan_sites(plan);
	uint64_t bytes = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < plan->sites; i++, s++) {
		uint64_t from = page_down(s->va - s->pre_len);
		uint64_t to = page_up(s->va + s->core_len + s->post_len);
		struct sc_run *last = n ? &plan->run[n - 1] : NULL;

		if (last && from <= last->va + last->len + GAP) {
			if (to > last->va + last->len)
				last->len = (uint32_t)(to - last->va);
			continue;
		}
		if (n == SC_RUNS)
			return -ENOSPC;
		plan->run[n++] = (struct sc_run){ .va = from, .len = (uint32_t)(to - from) };
	}
	for (uint32_t i = 0; i < n; i++)
		bytes += plan->run[i].len;
	plan->runs = n;
	return n && bytes <= MAX_BYTES ? 0 : -ENOSPC;
}

size_t sc_overlay_room(const struct sc_elf *file, const struct sc_plan *plan)
{
	size_t text = 0;

	for (uint32_t i = 0; i < file->phnum; i++)
		if (file->phdr[i].p_type == PT_LOAD && (file->phdr[i].p_flags & PF_X))
			text += page_up(file->phdr[i].p_filesz) + 2 * PAGE;
	if (text > MAX_BYTES)
		text = MAX_BYTES;
	return page_up(sc_plan_bytes(plan->sites)) + sc_emit_room(plan) + text + PAGE;
}

/* Copies the pages of one run out of the file; the last page may reach behind the segment. */
static int copy_run(const struct sc_elf *file, const struct sc_run *r, uint8_t *to)
{
	for (uint32_t i = 0; i < file->phnum; i++) {
		const Elf64_Phdr *p = &file->phdr[i];
		uint64_t first = page_down(p->p_vaddr), off, n;

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || (p->p_flags & PF_W) || r->va < first ||
		    r->va + r->len > page_up(p->p_vaddr + p->p_filesz))
			continue;
		off = page_down(p->p_offset) + (r->va - first);
		if (off >= file->size)
			return -ENOEXEC;
		n = file->size - off < r->len ? file->size - off : r->len;
		memcpy(to, file->map + off, n);
		return 0;
	}
	return -ENOEXEC;
}

static void put_jump(const struct sc_plan *plan, uint8_t *file, uint64_t va, uint64_t to)
{
	uint8_t jump[5];

	if (sc_emit_jump(jump, va, to))
		return;
	for (uint32_t i = 0; i < plan->runs; i++) {
		const struct sc_run *r = &plan->run[i];

		if (va >= r->va && va + sizeof(jump) <= r->va + r->len)
			memcpy(file + r->off + (va - r->va), jump, sizeof(jump));
	}
}

static void put_jumps(struct sc_plan *plan)
{
	const struct sc_site *s = sc_plan_sites(plan);

	for (uint32_t i = 0; i < plan->sites; i++, s++) {
		if (s->pre_stub)
			put_jump(plan, (uint8_t *)plan, s->va - s->pre_len,
				 plan->stub_va + 8ull * s->pre_stub);
		if (s->post_stub)
			put_jump(plan, (uint8_t *)plan, s->va + s->core_len,
				 plan->stub_va + 8ull * s->post_stub);
	}
}

static long plain(struct sc_plan *plan)
{
	plan->runs = plan->stub_off = plan->stub_len = plan->text_off = 0;
	plan->size = sc_plan_bytes(plan->sites);
	return (long)plan->size;
}

long sc_overlay_build(const struct sc_elf *file, struct sc_plan *plan, size_t cap)
{
	uint8_t id[SC_ID_MAX];
	uint64_t at;
	long stubs;
	int exact;

	sc_elf_id(file, id, &exact);
	if (!exact || !file->map || sc_elf_dynamic(file, DT_TEXTREL) || find_runs(plan))
		return plain(plan);
	at = page_up(sc_plan_bytes(plan->sites));
	if (cap < at)
		return -ENOSPC;
	stubs = sc_emit_stubs(plan, plan->stub_va, (uint8_t *)plan + at, cap - at);
	if (stubs < 0)
		return stubs;
	plan->stub_off = (uint32_t)at;
	plan->stub_len = (uint32_t)stubs;
	at += (uint64_t)stubs;
	plan->text_off = (uint32_t)at;
	for (uint32_t i = 0; i < plan->runs; i++) {
		struct sc_run *r = &plan->run[i];

		r->off = (uint32_t)at;
		if (cap - at < r->len)
			return -ENOSPC;
		if (copy_run(file, r, (uint8_t *)plan + at))
			return plain(plan);
		at += r->len;
	}
	plan->size = at;
	put_jumps(plan);
	return (long)at;
}
