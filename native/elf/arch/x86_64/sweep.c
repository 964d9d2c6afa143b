/* SPDX-License-Identifier: Apache-2.0 */
/* Linear sweep over x86-64 text: where instructions begin and where branches go. */
#include "base/mem.h"
#include "elf/scan.h"
#include "elf/arch/x86_64/insn.h"

/*
 * The offset inside [1, len) where a function begins, 0: none. An instruction across the start of a
 * function is data or a wrong guess, except a nop: the unwind entry of __restore_rt begins one byte
 * early, inside the padding, on purpose.
 */
static int crosses(const struct sc_text *t, uint64_t at, const struct sc_insn *in)
{
	if (sc_insn_is_nop(in))
		return 0;
	for (int j = 1; j < in->len; j++)
		if (sc_marked(t, SC_MARK_SYNC, at + (uint64_t)j))
			return j;
	return 0;
}

static void mark_targets(const struct sc_text *t, uint64_t at, const struct sc_insn *in)
{
	const uint8_t *p = t->code + at;
	uint64_t va = t->va + at;

	if (in->rel) {
		sc_mark(t, SC_MARK_TARGET, sc_insn_target(p, in, va) - t->va);
	} else if (in->rip_rel && in->map == SC_MAP_1 && in->op == 0x8d) {
		int32_t d; /* lea of a code address: a function pointer or a resume label */

		memcpy(&d, p + in->disp_off, 4);
		sc_mark(t, SC_MARK_TARGET, va + in->len + (uint64_t)(int64_t)d - t->va);
	}
}

void sc_scan_sweep(const struct sc_text *t)
{
	uint64_t at = 0;

	while (at + 16 <= t->len) {
		struct sc_insn in;
		int cross;

		if (!sc_insn_decode(t->code + at, &in)) {
			at++;
			continue;
		}
		cross = crosses(t, at, &in);
		if (cross) {
			at += (uint64_t)cross;
			continue;
		}
		sc_mark(t, SC_MARK_START, at);
		mark_targets(t, at, &in);
		at += in.len;
	}
}
