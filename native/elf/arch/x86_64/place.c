/* SPDX-License-Identifier: Apache-2.0 */
/* From a place in a stub back to the place of the program it stands for: the stub is read along. */
#include "base/mem.h"
#include "elf/emit.h"
#include "elf/arch/x86_64/insn.h"

static const uint8_t enter_code[] = { 0x48, 0x8d, 0x64, 0x24, 0x80 };
static const uint8_t leave_code[] = { 0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0 };

/* A walk through a stub, up to an offset. */
struct walk {
	const uint8_t *code;
	uint32_t pos, off;
	uint32_t shift;
};

/* One instruction of the stub. 0: cannot be read. */
static int step(struct walk *w)
{
	struct sc_insn in;

	if (!sc_insn_decode(w->code + w->pos, &in))
		return 0;
	if (!memcmp(w->code + w->pos, enter_code, sizeof(enter_code)))
		w->shift = 128;
	else if (!memcmp(w->code + w->pos, leave_code, sizeof(leave_code)))
		w->shift = 0;
	w->pos += in.len;
	return 1;
}

/* The moved instructions of a window, len bytes at bytes. 1: off was met, *va says where. */
static int through_window(struct walk *w, const uint8_t *bytes, unsigned len, uint64_t from, uint64_t *va)
{
	unsigned at = 0;

	while (at < len) {
		struct sc_insn in;

		*va = from + at;
		if (w->pos >= w->off)
			return 1;
		if (!sc_insn_decode(bytes + at, &in) || !step(w))
			return 0;
		at += in.len;
	}
	return 0;
}

static int in_pre(const struct sc_site *s, struct walk *w, uint64_t *va)
{
	if (through_window(w, s->bytes, s->pre_len, s->va - s->pre_len, va))
		return 1;
	*va = s->va;
	while (w->pos < w->off)
		if (!step(w))
			return 0;
	return 1;
}

static int in_post(const struct sc_site *s, struct walk *w, uint64_t *va)
{
	unsigned skip = s->kind == SC_SITE_MOVED ? 2 : 0;
	uint64_t behind = s->va + s->core_len + skip;
	uint32_t was = 0;

	*va = behind;
	while (w->pos < w->off) {
		was = w->shift;
		if (!step(w))
			return 0;
		/* The last step out of the red zone: the moved instructions follow. */
		if (was && !w->shift && !(skip && w->code[w->pos] == 0x0f && w->code[w->pos + 1] == 0x05))
			break;
	}
	if (w->pos >= w->off)
		return 1;
	if (through_window(w, s->bytes + s->pre_len + s->core_len + skip, s->post_len - skip, behind, va))
		return 1;
	*va = behind + s->post_len - skip;
	return 1;
}

int sc_emit_place(const struct sc_plan *plan, const uint8_t *stubs, uint32_t off, uint64_t *va, uint32_t *shift)
{
	const struct sc_site *s = sc_plan_sites(plan), *best = NULL;
	struct walk w = { .code = stubs, .off = off };
	int post = 0, ok;

	for (uint32_t i = 0; i < plan->sites; i++, s++) {
		if (s->pre_stub && s->pre_stub * 8u <= off && s->pre_stub * 8u > w.pos) {
			w.pos = s->pre_stub * 8u;
			best = s;
			post = 0;
		}
		if (s->post_stub && s->post_stub * 8u <= off && s->post_stub * 8u > w.pos) {
			w.pos = s->post_stub * 8u;
			best = s;
			post = 1;
		}
	}
	if (!best || off - w.pos > 256 || best->kind == SC_SITE_GO_CALL6 || best->kind == SC_SITE_GO_LEAF ||
	    best->kind >= SC_SITE_TLS_ENTRY)
		return 0;
	ok = post ? in_post(best, &w, va) : in_pre(best, &w, va);
	*shift = w.shift;
	return ok;
}
