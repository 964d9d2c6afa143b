/* SPDX-License-Identifier: Apache-2.0 */
/* Scan of an object for its system calls: segments, starts of functions, the plan's header. */
#include <errno.h>
#include "base/calls.h"
#include "base/mem.h"
#include "elf/scan.h"

#define DW_EH_DATAREL_SDATA4 0x3b
#define DW_EH_UDATA4         3

static int is_text(const Elf64_Phdr *p)
{
	return p->p_type == PT_LOAD && (p->p_flags & PF_X) && p->p_filesz > 32;
}

static uint64_t bitmap_bytes(uint64_t len)
{
	return ((len >> 3) + 64) & ~63ull;
}

size_t sc_scan_scratch(const struct sc_elf *elf)
{
	size_t max = 0;

	for (uint32_t i = 0; i < elf->phnum; i++)
		if (is_text(&elf->phdr[i]) && bitmap_bytes(elf->phdr[i].p_filesz) > max)
			max = bitmap_bytes(elf->phdr[i].p_filesz);
	return max * SC_MARKS;
}

static void mark_function(const struct sc_text *t, uint64_t va)
{
	if (va < t->va || va - t->va >= t->len)
		return;
	sc_mark(t, SC_MARK_SYNC, va - t->va);
	sc_mark(t, SC_MARK_TARGET, va - t->va);
}

/* The sorted table of .eh_frame_hdr holds the first address of every function with unwind data. */
static void from_unwind_table(const struct sc_text *t)
{
	const Elf64_Phdr *p = sc_elf_segment(t->elf, PT_GNU_EH_FRAME);
	const uint8_t *h = p ? sc_elf_at(t->elf, p->p_vaddr, p->p_filesz) : NULL;
	uint32_t n;

	if (!h || p->p_filesz < 12 || h[0] != 1 || h[2] != DW_EH_UDATA4 || h[3] != DW_EH_DATAREL_SDATA4)
		return;
	memcpy(&n, h + 8, 4);
	for (uint64_t k = 0; k < n && 12 + 8 * k + 8 <= p->p_filesz; k++) {
		int32_t rel;

		memcpy(&rel, h + 12 + 8 * k, 4);
		mark_function(t, p->p_vaddr + (uint64_t)(int64_t)rel);
	}
}

static void from_symbols(const struct sc_text *t)
{
	struct sc_elf_symbols s;

	if (sc_elf_symbols(t->elf, &s))
		return;
	for (uint64_t i = 1; i < s.count; i++)
		if (ELF64_ST_TYPE(s.sym[i].st_info) == STT_FUNC && s.sym[i].st_shndx != SHN_UNDEF)
			mark_function(t, s.sym[i].st_value);
}

static void from_go(const struct sc_text *t)
{
	for (uint32_t n = 0; t->go && n < t->go->functions; n++)
		mark_function(t, sc_go_function(t->elf, t->go, n));
}

void sc_scan_functions(const struct sc_text *text)
{
	from_unwind_table(text);
	from_symbols(text);
	from_go(text);
}

static int scan_segment(const struct sc_elf *elf, const struct sc_go *go, const Elf64_Phdr *p,
			struct sc_site_list *list, uint8_t *scratch)
{
	struct sc_text t = { .elf = elf, .go = go, .va = p->p_vaddr, .len = p->p_filesz };
	uint64_t n = bitmap_bytes(t.len);

	t.code = sc_elf_at(elf, p->p_vaddr, p->p_filesz);
	if (!t.code)
		return -ENOEXEC;
	memset(scratch, 0, n * SC_MARKS);
	for (int m = 0; m < SC_MARKS; m++)
		t.mark[m] = scratch + n * (uint64_t)m;
	sc_scan_functions(&t);
	sc_scan_sweep(&t);
	sc_scan_sites(&t, list);
	return list->full ? -ENOSPC : 0;
}

int sc_scan(const struct sc_elf *elf, struct sc_plan *out, size_t cap, void *scratch)
{
	struct sc_site_list list = { 0 };
	uint64_t stubs_below = 256ull << 20;
	struct sc_go go;
	int exact, texts = 0, ret, is_go = sc_go_find(elf, &go);

	if (cap < sizeof(*out))
		return -ENOSPC;
	if (is_go == -ENOTSUP)
		return -ENOTSUP; /* Go code we do not know: its stacks forbid the stubs of C code */
	memset(out, 0, sizeof(*out));
	list.site = sc_plan_sites(out);
	list.cap = (uint32_t)((cap - sizeof(*out)) / sizeof(struct sc_site));
	if (list.cap > SC_SITES_MAX)
		list.cap = SC_SITES_MAX;
	for (uint32_t i = 0; i < elf->phnum; i++) {
		if (!is_text(&elf->phdr[i]))
			continue;
		texts++;
		ret = scan_segment(elf, is_go ? NULL : &go, &elf->phdr[i], &list, scratch);
		if (ret)
			return ret;
	}
	if (!texts)
		return -ENOENT;
	out->magic = SC_PLAN_MAGIC;
	out->version = SC_PLAN_VERSION;
	out->calls = sc_plan_calls_hash();
	out->size = sc_plan_bytes(list.n);
	out->sites = list.n;
	out->unseen = list.unseen;
	out->all = list.all;
	out->is_go = !is_go;
	out->g_at = is_go ? 0 : go.g_at;
	out->id_len = sc_elf_id(elf, out->id, &exact);
	out->text_lo = list.n ? list.site[0].va - list.site[0].pre_len : 0;
	if (list.n) {
		const struct sc_site *last = &list.site[list.n - 1];

		out->text_hi = last->va + last->core_len + last->post_len;
	}
	/* A fixed executable lies low: the pages under it, from where the kernel lets us map. */
	out->stub_va = elf->type == ET_EXEC && elf->lo < stubs_below ?
			       (elf->lo > 0x280000 ? 0x100000 : (elf->hi + stubs_below) & ~0xfffull) :
			       (elf->lo & ~0xfffull) - stubs_below;
	return 0;
}
