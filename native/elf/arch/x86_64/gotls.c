/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where Go's crypto/tls hands over plaintext: (*Conn).Read and (*Conn).Write. A Go function gets its
 * arguments in registers and has a home for each in its caller's frame:
 *
 *     X+32(%rsp)  length      home of the third argument
 *     X+24(%rsp)  pointer     home of the second: the function itself stores it there at once
 *     X+16(%rsp)  receiver    home of the first: not always used, so the entry window stores it
 *     X+8(%rsp)   return address
 *     X(%rsp)     rbp
 *     0(%rsp)     the frame of X bytes, from `push %rbp; mov %rsp,%rbp; sub $X,%rsp` on
 *
 * At each return, `add $X,%rsp; pop %rbp; ret`, both are read from there: the runtime may have moved
 * the stack meanwhile, with everything on it.
 */
#include "base/mem.h"
#include "elf/scan.h"

/* The constant of `sub $X,%rsp` (ext e8+...: modrm ec) or `add $X,%rsp` (modrm c4); len: of the insn. */
static uint32_t frame_of(const uint8_t *p, uint8_t modrm, unsigned *len)
{
	uint32_t x = 0;

	if (p[0] != 0x48 || p[2] != modrm)
		return 0;
	if (p[1] == 0x83 && p[3] < 0x80) {
		*len = 4;
		return p[3];
	}
	if (p[1] == 0x81) {
		*len = 7;
		memcpy(&x, p + 3, 4);
	}
	return x;
}

/* The prologue of a function: its offset, 0: other code than expected. */
static uint64_t prologue(const struct sc_text *t, uint64_t from, uint64_t to, uint32_t *frame, unsigned *len)
{
	for (uint64_t at = from; at < from + 32 && at + 16 < to; at++) {
		if (!sc_marked(t, SC_MARK_START, at) || memcmp(t->code + at, "\x55\x48\x89\xe5", 4))
			continue;
		*frame = frame_of(t->code + at + 4, 0xec, len);
		*len += 4;
		return *frame && *frame < (1u << 16) && *len <= SC_PRE_MAX ? at : 0;
	}
	return 0;
}

/* `mov %rbx,X+24(%rsp)` soon after the prologue: the pointer is at home. */
static int pointer_is_home(const struct sc_text *t, uint64_t at, uint32_t frame)
{
	uint32_t want = frame + 24, disp;

	for (uint64_t i = at; i < at + 256 && i + 8 <= t->len; i++) {
		if (!sc_marked(t, SC_MARK_START, i))
			continue;
		if (!memcmp(t->code + i, "\x48\x89\x9c\x24", 4)) {
			memcpy(&disp, t->code + i + 4, 4);
			if (disp == want)
				return 1;
		} else if (want < 0x80 && !memcmp(t->code + i, "\x48\x89\x5c\x24", 4)) {
			if (t->code[i + 4] == want)
				return 1;
		}
	}
	return 0;
}

static int is_entered(const struct sc_text *t, uint64_t at, unsigned len)
{
	for (unsigned j = 1; j < len; j++)
		if (sc_marked(t, SC_MARK_TARGET, at + j))
			return 1;
	return 0;
}

static int function_of(const struct sc_text *t, uint64_t va)
{
	for (int i = 0; i < 2; i++)
		if (t->go && t->go->tls[i] && va >= t->go->tls[i] && va < t->go->tls_end[i])
			return i;
	return -1;
}

int sc_scan_go_tls(const struct sc_text *t, uint64_t at, struct sc_site *s)
{
	int which = function_of(t, t->va + at);
	uint64_t from, start;
	uint32_t frame;
	unsigned len, n = 0;

	if (which < 0 || !sc_marked(t, SC_MARK_START, at))
		return 0;
	from = t->go->tls[which] - t->va;
	start = prologue(t, from, t->go->tls_end[which] - t->va, &frame, &len);
	if (!start || !pointer_is_home(t, start + len, frame))
		return 0;
	*s = (struct sc_site){ .va = t->va + at, .nr = (int16_t)which };
	if (!t->go->g_in_fs)
		s->flags |= SC_SITE_G_R14;
	if (at == start) {
		s->kind = SC_SITE_TLS_ENTRY;
		s->post_len = (uint8_t)len;
		return !is_entered(t, at, len);
	}
	if (frame_of(t->code + at, 0xc4, &n) != frame || t->code[at + n] != 0x5d || t->code[at + n + 1] != 0xc3)
		return 0;
	s->kind = SC_SITE_TLS_END;
	s->post_len = (uint8_t)(n + 2);
	return !is_entered(t, at, n + 2);
}
