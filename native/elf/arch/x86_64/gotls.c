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
 * the stack meanwhile, with everything on it. Before Go 1.21 the same was made by `sub $X+8,%rsp;
 * mov %rbp,X(%rsp)` and taken down by `add $X+8,%rsp; ret`.
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

/* `mov %rbp,at(%rsp)`: its length, 0: other code. */
static unsigned keeps_rbp(const uint8_t *p, uint32_t at)
{
	uint32_t disp;

	if (!memcmp(p, "\x48\x89\x6c\x24", 4))
		return p[4] == at ? 5 : 0;
	if (memcmp(p, "\x48\x89\xac\x24", 4))
		return 0;
	memcpy(&disp, p + 4, 4);
	return disp == at ? 8 : 0;
}

struct prologue {
	uint64_t at; /* 0: other code than expected */
	uint32_t frame;
	unsigned len;
	int old; /* of Go before 1.21 */
};

static int read_prologue(const uint8_t *p, struct prologue *f)
{
	unsigned n;

	f->old = memcmp(p, "\x55\x48\x89\xe5", 4) != 0;
	f->len = 0;
	f->frame = frame_of(p + (f->old ? 0 : 4), 0xec, &f->len);
	if (!f->old) {
		f->len += 4;
	} else {
		n = f->frame > 8 ? keeps_rbp(p + f->len, f->frame - 8) : 0;
		f->len += n;
		f->frame = n ? f->frame - 8 : 0;
	}
	return f->frame && f->frame < (1u << 16) && f->len <= SC_PRE_MAX;
}

static void find_prologue(const struct sc_text *t, uint64_t from, uint64_t to, struct prologue *f)
{
	f->at = 0;
	for (uint64_t at = from; at < from + 32 && at + 16 < to; at++) {
		if (!sc_marked(t, SC_MARK_START, at) || !read_prologue(t->code + at, f))
			continue;
		f->at = at;
		return;
	}
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

/* The window of a return, 0: none here. */
static unsigned return_len(const uint8_t *p, const struct prologue *f)
{
	unsigned n = 0;
	uint32_t x = frame_of(p, 0xc4, &n);

	if (f->old)
		return x == f->frame + 8 && p[n] == 0xc3 ? n + 1 : 0;
	return x == f->frame && p[n] == 0x5d && p[n + 1] == 0xc3 ? n + 2 : 0;
}

int sc_scan_go_tls(const struct sc_text *t, uint64_t at, struct sc_site *s)
{
	int which = function_of(t, t->va + at);
	struct prologue f;
	unsigned len;

	if (which < 0 || !sc_marked(t, SC_MARK_START, at))
		return 0;
	find_prologue(t, t->go->tls[which] - t->va, t->go->tls_end[which] - t->va, &f);
	if (!f.at || !pointer_is_home(t, f.at + f.len, f.frame))
		return 0;
	*s = (struct sc_site){ .va = t->va + at, .nr = (int16_t)which };
	if (!t->go->g_in_fs)
		s->flags |= SC_SITE_G_R14;
	s->kind = at == f.at ? SC_SITE_TLS_ENTRY : SC_SITE_TLS_END;
	len = at == f.at ? f.len : return_len(t->code + at, &f);
	s->post_len = (uint8_t)len;
	return len && !is_entered(t, at, len);
}
