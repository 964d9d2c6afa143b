/* SPDX-License-Identifier: Apache-2.0 */
/* Names and checks of plans. A plan comes from a file: nothing in it is believed. */
#include <errno.h>
#include "base/calls.h"
#include "base/mem.h"
#include "elf/plan.h"

#define PAGE 4096u

void sc_plan_name(char *name, const uint8_t *id, uint32_t len)
{
	static const char hex[] = "0123456789abcdef";
	uint32_t n = 0;

	for (uint32_t i = 0; i < len && i < SC_ID_MAX; i++) {
		name[n++] = hex[id[i] >> 4];
		name[n++] = hex[id[i] & 15];
	}
	memcpy(name + n, ".plan", 6);
}

static unsigned core_of(uint8_t kind)
{
	return kind == SC_SITE_CANCEL ? 5 : kind >= SC_SITE_EARLY ? 0 : 2;
}

static int site_ok(const struct sc_plan *p, const struct sc_site *s, uint64_t after)
{
	uint64_t from = s->va - s->pre_len, to = s->va + s->core_len + s->post_len;

	return s->kind >= SC_SITE_CALL && s->kind <= SC_SITE_TLS_END &&
	       s->core_len == core_of(s->kind) &&
	       (s->pre_len == 0 || s->pre_len >= 5) && (s->post_len == 0 || s->post_len >= 5) &&
	       (unsigned)s->pre_len + s->core_len + s->post_len <= SC_SITE_BYTES && (s->pre_len || s->post_len) &&
	       from >= after && from >= p->text_lo && to <= p->text_hi && to > from && s->nr < 512 &&
	       (uint32_t)s->pre_stub * 8 < p->stub_len + !p->stub_len &&
	       (uint32_t)s->post_stub * 8 < p->stub_len + !p->stub_len;
}

static int layout_ok(const struct sc_plan *p)
{
	uint64_t end = sc_plan_bytes(p->sites);

	if (!p->stub_off)
		return p->runs == 0 && p->size == end;
	if (p->stub_off % PAGE || p->stub_len % PAGE || p->stub_off < end || p->stub_len < 2 * PAGE ||
	    p->stub_len > (1u << 20) || p->stub_va % PAGE || p->runs > SC_RUNS)
		return 0;
	end = (uint64_t)p->stub_off + p->stub_len;
	for (uint32_t i = 0; i < p->runs; i++) {
		const struct sc_run *r = &p->run[i];

		if (r->va % PAGE || r->len % PAGE || r->off != end || !r->len || r->len > (64u << 20) ||
		    (i && r->va < p->run[i - 1].va + p->run[i - 1].len))
			return 0;
		end += r->len;
	}
	return p->size == end;
}

uint32_t sc_plan_calls_hash(void)
{
	uint32_t h = 2166136261u ^ SC_PLAN_VERSION;

	for (uint32_t nr = 0; nr < SC_NR_MAX; nr++)
		h = (h ^ sc_call_table[nr].flags) * 16777619u;
	return h;
}

int sc_plan_check(const struct sc_plan *p, size_t readable, const struct sc_elf *elf)
{
	const struct sc_site *s = sc_plan_sites(p);
	uint8_t id[SC_ID_MAX];
	uint64_t after = 0;
	int exact;

	if (readable < sizeof(*p) || p->magic != SC_PLAN_MAGIC)
		return -EINVAL;
	if (p->version != SC_PLAN_VERSION || p->calls != sc_plan_calls_hash())
		return -ESTALE;
	if (p->sites > SC_SITES_MAX || readable < sc_plan_bytes(p->sites) || !layout_ok(p))
		return -EINVAL;
	if (p->id_len != sc_elf_id(elf, id, &exact) || memcmp(p->id, id, p->id_len))
		return -ESTALE;
	if (p->g_at > 0 || p->g_at < -65536)
		return -EINVAL;
	if (p->sites && (p->text_lo < elf->lo || p->text_hi > elf->hi))
		return -EINVAL;
	for (uint32_t i = 0; i < p->sites; i++) {
		if (!site_ok(p, &s[i], after))
			return -EINVAL;
		after = s[i].va + s[i].core_len + s[i].post_len;
	}
	for (uint32_t i = 0; i < p->runs; i++)
		if (!exact || !sc_elf_at(elf, p->run[i].va, 1))
			return -EINVAL;
	return 0;
}
