/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses where a 5-byte jump fits around each `syscall`, which itself stays where it is: in front
 * of it (pre window) and behind it (post window). A window is made of whole instructions, nothing
 * jumps into it, and each of its instructions works from another address (emit.c moves them).
 *
 * Longer than other files: one search, whose steps all need the same few helpers on decoded instructions.
 */
#include "base/calls.h"
#include "base/mem.h"
#include "elf/scan.h"
#include "elf/arch/x86_64/insn.h"

#define JUMP 5u
#define BACK 10 /* instructions looked back for the number */

/* The starts of the instructions before at, nearest first. */
static int previous(const struct sc_text *t, uint64_t at, uint64_t *out, int max)
{
	int n = 0;

	for (uint64_t back = 1; back <= 64 && back <= at && n < max; back++)
		if (sc_marked(t, SC_MARK_START, at - back))
			out[n++] = at - back;
	return n;
}

/* Loads a constant into eax: the constant, else -1. */
static int64_t constant_rax(const uint8_t *p, const struct sc_insn *in)
{
	int32_t v;

	if (in->map != SC_MAP_1 || in->vex || (in->rex & 5))
		return -1;
	if (in->op == 0xb8 && in->imm_size == 4) {
		memcpy(&v, p + in->imm_off, 4);
		return v;
	}
	if (in->op == 0xc7 && in->modrm == 0xc0 && in->imm_size == 4) {
		memcpy(&v, p + in->imm_off, 4);
		return v;
	}
	if ((in->op == 0x31 || in->op == 0x33) && in->modrm == 0xc0)
		return 0;
	return -1;
}

/* The number at a site when every way to it loads the same constant; -1: unknown. */
static int static_nr(const struct sc_text *t, uint64_t at)
{
	uint64_t prev[BACK];
	int n = previous(t, at, prev, BACK);
	uint64_t next = at;

	if (sc_marked(t, SC_MARK_TARGET, at))
		return -1;
	for (int i = 0; i < n; i++) {
		struct sc_insn in;
		int64_t v;

		sc_insn_decode(t->code + prev[i], &in);
		if (prev[i] + in.len != next || sc_insn_is_syscall(&in))
			return -1;
		v = constant_rax(t->code + prev[i], &in);
		if (v >= 0)
			return v < 512 ? (int)v : 511;
		if (sc_insn_may_write_rax(&in) || in.rel || sc_insn_is_ret(&in) ||
		    sc_insn_is_indirect(&in) || sc_marked(t, SC_MARK_TARGET, prev[i]))
			return -1;
		next = prev[i];
	}
	return -1;
}

/* No part of an instruction but its first byte (or that too, when strict) may be jumped to. */
static int is_entered(const struct sc_text *t, uint64_t at, int len, int strict)
{
	for (int j = strict ? 0 : 1; j < len; j++)
		if (sc_marked(t, SC_MARK_TARGET, at + (uint64_t)j))
			return 1;
	return 0;
}

static int is_plain(const struct sc_insn *in)
{
	return !in->rel && !sc_insn_is_ret(in) && !sc_insn_is_indirect(in) && !sc_insn_is_syscall(in) &&
	       !(in->map == SC_MAP_1 && !in->vex && (in->op == 0xcc || in->op == 0xcd || in->op == 0xf4));
}

/* Bytes of the window that ends at `at`, 0: none. Its first instruction may be jumped to. */
static unsigned pre_window(const struct sc_text *t, uint64_t at)
{
	uint64_t prev[SC_PRE_MAX], from = at;
	int n = previous(t, at, prev, SC_PRE_MAX);

	if (sc_marked(t, SC_MARK_TARGET, at))
		return 0;
	for (int i = 0; i < n; i++) {
		struct sc_insn in;

		sc_insn_decode(t->code + prev[i], &in);
		/* A conditional jump out of the window does the same from the stub. */
		if (prev[i] + in.len != from || !(is_plain(&in) || sc_insn_is_jcc(&in)) ||
		    is_entered(t, prev[i], in.len, 0))
			return 0;
		from = prev[i];
		if (at - from > SC_PRE_MAX - 1)
			return 0;
		if (at - from >= JUMP)
			return (unsigned)(at - from);
		if (sc_marked(t, SC_MARK_TARGET, from))
			return 0;
	}
	return 0;
}

static int is_padding(const uint8_t *p, const struct sc_insn *in)
{
	return sc_insn_is_nop(in) || p[0] == 0xcc || (in->map == SC_MAP_1 && in->op == 0xf4);
}

/*
 * Bytes of the window of at least min bytes that begins at `at`, 0: none. shared: it may begin where
 * something else jumps to.
 */
static unsigned post_window(const struct sc_text *t, uint64_t at, unsigned min, int shared)
{
	uint64_t to = at;
	int ended = 0;

	while (to - at < min) {
		struct sc_insn in;

		if (to + 16 > t->len || !sc_insn_decode(t->code + to, &in) ||
		    (!ended && !sc_marked(t, SC_MARK_START, to)) || is_entered(t, to, in.len, !shared || to > at))
			return 0;
		if (ended) {
			if (!is_padding(t->code + to, &in))
				return 0;
		} else if (sc_insn_is_ret(&in) || sc_insn_is_jmp_rel(&in)) {
			ended = 1;
		} else if (in.rel && !sc_insn_is_jcc(&in) && !sc_insn_is_call_rel(&in)) {
			return 0;
		} else if (sc_insn_is_indirect(&in) || sc_insn_is_syscall(&in) ||
			   (!in.rel && !is_plain(&in))) {
			return 0;
		}
		to += in.len;
	}
	return to - at <= 15 ? (unsigned)(to - at) : 0;
}

/* 1 when the first instruction behind the call overwrites the flags before anything reads them. */
static int flags_are_dead(const struct sc_text *t, uint64_t at)
{
	struct sc_insn in;

	return at + 16 <= t->len && sc_insn_decode(t->code + at, &in) && sc_insn_sets_flags(&in);
}

/*
 * 1 when the function around the site uses stack bytes -128…-121 itself: a leaf function may keep
 * its variables in the red zone. Looked for in both directions as far as the function goes.
 */
static int slot_in_use(const struct sc_text *t, uint64_t at)
{
	uint64_t from = at, to = at;

	while (from > 0 && at - from < 16384 && !sc_marked(t, SC_MARK_SYNC, from))
		from--;
	while (to < t->len && to - at < 16384 && (to == at || !sc_marked(t, SC_MARK_SYNC, to)))
		to++;
	for (uint64_t i = from; i < to; i++) {
		struct sc_insn in;

		if (!sc_marked(t, SC_MARK_START, i) || !sc_insn_decode(t->code + i, &in))
			continue;
		if (in.has_sib && (in.sib & 7) == 4 && !(in.rex & 1) && in.disp_size == 1 &&
		    (int8_t)t->code[i + in.disp_off] <= -121 && in.op != 0x8d)
			return 1;
	}
	return 0;
}

static void choose(const struct sc_text *t, uint64_t at, struct sc_site *s)
{
	uint8_t call = s->nr >= 0 ? sc_call_table[s->nr].flags : SC_CALL_TIMED | SC_CALL_PRE;

	s->pre_len = (uint8_t)pre_window(t, at);
	s->post_len = (uint8_t)post_window(t, at + s->core_len, JUMP, 0);
	if (!flags_are_dead(t, at + s->core_len))
		s->flags |= SC_SITE_FLAGS;
	if (s->kind == SC_SITE_GO_LEAF)
		call &= (uint8_t)~SC_CALL_TIMED; /* no register to keep the time in */
	else if (s->kind != SC_SITE_GO_CALL6 && s->pre_len && slot_in_use(t, at))
		s->flags |= SC_SITE_NO_SLOT;
	if (!s->post_len && s->pre_len && !(s->flags & SC_SITE_NO_SLOT) &&
	    (s->kind == SC_SITE_CALL || s->kind == SC_SITE_CANCEL)) {
		s->post_len = (uint8_t)post_window(t, at + s->core_len, JUMP, 1);
		if (s->post_len) {
			s->flags |= SC_SITE_SHARED;
			call |= SC_CALL_TIMED;
		}
	}
	if (s->flags & SC_SITE_NO_SLOT) {
		call &= (uint8_t)~SC_CALL_TIMED;
		if (s->nr < 0)
			s->post_len = 0;
	}
	if (s->nr < 0 && !s->pre_len)
		s->post_len = 0; /* nobody could say which call it was */
	if (!(call & (SC_CALL_TIMED | SC_CALL_PRE)))
		s->pre_len = 0;
	if (!s->pre_len)
		return;
	if (call & SC_CALL_TIMED)
		s->flags |= SC_SITE_TIMED;
	if (call & SC_CALL_PRE)
		s->flags |= SC_SITE_PRE;
}

/* The signal return: gdb and the unwinders know it by its bytes. */
static int is_sigreturn(const struct sc_text *t, uint64_t at)
{
	const uint8_t *p = t->code + at;

	return (at >= 7 && !memcmp(p - 7, "\x48\xc7\xc0\x0f\0\0\0", 7)) ||
	       (at >= 5 && !memcmp(p - 5, "\xb8\x0f\0\0\0", 5));
}

/*
 * musl, and glibc from 2.41 on, make their cancellable calls in one function, and their signal
 * handler cancels a thread whose instruction pointer lies in it: code moved out of it would not be
 * cancelled. So it stays as it is, and its callers get the windows.
 */
static int is_cancel_arch(const struct sc_text *t, uint64_t at)
{
	static const uint8_t body[] = { 0x49, 0x89, 0xfb, 0x48, 0x89, 0xf0, 0x48, 0x89, 0xd7, 0x48, 0x89,
					0xce, 0x4c, 0x89, 0xc2, 0x4d, 0x89, 0xca, 0x4c, 0x8b, 0x44, 0x24,
					0x08, 0x4c, 0x8b, 0x4c, 0x24, 0x10, 0x4c, 0x89, 0x5c, 0x24, 0x08 };

	return at >= sizeof(body) && !memcmp(t->code + at - sizeof(body), body, sizeof(body));
}

/* Where that function begins, by what it does first: load or test the flag rdi points to. 0: unsure. */
static uint64_t cancel_start(const struct sc_text *t, uint64_t at)
{
	for (uint64_t back = 33; back < 72 && back <= at; back++) {
		const uint8_t *p = t->code + at - back;

		if (!sc_marked(t, SC_MARK_TARGET, at - back) || !sc_marked(t, SC_MARK_START, at - back))
			continue;
		if (!memcmp(p, "\xf3\x0f\x1e\xfa", 4))
			p += 4;
		if (!memcmp(p, "\x8b\x07", 2) || !memcmp(p, "\xf6\x07", 2))
			return at - back;
	}
	return 0;
}

/*
 * exit and exit_group are called in a loop with the number in another register; no window fits
 * there. The instruction that loads the number, `mov $nr,%reg`, is run once, straight before: it is
 * itself 5 bytes. Only rdi (the status) is used of what the handler sees.
 * Returns 1 when the site is such an exit; s->kind says whether a site is to be added for it.
 */
static int early(const struct sc_text *t, uint64_t at, struct sc_site *s)
{
	uint64_t last = 0;
	uint32_t nr = 0;
	int reg;

	if (at < 48 || t->code[at - 2] != 0x89 || (t->code[at - 1] & 0xc7) != 0xc0)
		return 0;
	reg = t->code[at - 1] >> 3 & 7;
	for (uint64_t i = at - 48; i < at; i++) {
		uint32_t v;

		if (!sc_marked(t, SC_MARK_START, i) || (t->code[i] & 0xf8) != 0xb8)
			continue;
		memcpy(&v, t->code + i + 1, 4);
		if (v == __NR_exit_group && (t->code[i] & 7) != reg)
			return 1; /* _exit tries exit_group first, then exit: one report is enough */
		if ((t->code[i] & 7) == reg) {
			last = i;
			nr = v;
		}
	}
	if ((nr != __NR_exit && nr != __NR_exit_group) || is_entered(t, last, 5, 0))
		return 0;
	*s = (struct sc_site){ .va = t->va + last + 5, .nr = (int16_t)nr, .kind = SC_SITE_EARLY,
			       .pre_len = 5, .flags = SC_SITE_PRE | SC_SITE_FLAGS };
	return 1;
}

/*
 * The last resort: the jump covers the syscall, which is then made by the stub. Whoever is blocked
 * in it while it is patched, or is cancelled there, would come back to a wrong place; so only where
 * the call is no cancellation point (those have windows) and before other threads exist.
 */
static int moved(const struct sc_text *t, uint64_t at, struct sc_site *s)
{
	unsigned behind = post_window(t, at + 2, JUMP - 2, 0);
	uint8_t call;

	if (s->kind != SC_SITE_CALL || !behind || slot_in_use(t, at))
		return 0;
	call = s->nr >= 0 ? sc_call_table[s->nr].flags : SC_CALL_TIMED | SC_CALL_PRE;
	s->kind = SC_SITE_MOVED;
	s->core_len = 0;
	s->post_len = (uint8_t)(2 + behind);
	s->flags = SC_SITE_TIMED | (call & SC_CALL_PRE ? SC_SITE_PRE : 0);
	if (!flags_are_dead(t, at + 2))
		s->flags |= SC_SITE_FLAGS;
	return 1;
}

/* The address behind the last window. */
static uint64_t window_end(const struct sc_site_list *l)
{
	const struct sc_site *s = &l->site[l->n - 1];

	return l->n ? s->va + s->core_len + s->post_len : 0;
}

static void put(const struct sc_text *t, struct sc_site_list *l, struct sc_site *s)
{
	if (l->n == l->cap) {
		l->full = 1;
		return;
	}
	memcpy(s->bytes, t->code + (s->va - t->va) - s->pre_len, s->pre_len + s->core_len + s->post_len);
	l->site[l->n++] = *s;
}

/* Adds a site; takes back what overlaps the window of the one before. */
static void add(const struct sc_text *t, struct sc_site_list *l, struct sc_site *s)
{
	struct sc_site other = { 0 };

	if (s->va - s->pre_len < window_end(l)) {
		s->pre_len = 0;
		if (s->nr < 0 || (s->flags & SC_SITE_SHARED))
			s->post_len = 0;
		s->flags &= (uint8_t)~(SC_SITE_TIMED | SC_SITE_PRE | SC_SITE_SHARED);
	}
	if (!s->pre_len && !s->post_len) {
		if (!early(t, s->va - t->va, &other))
			moved(t, s->va - t->va, s);
		else if (other.kind != SC_SITE_EARLY || other.va - 5 < window_end(l))
			return;
		else
			s = &other;
	}
	if (!s->pre_len && !s->post_len) {
		l->unseen++;
		return;
	}
	put(t, l, s);
}

/* musl's detached threads unmap their stack by one call and exit by the next. */
static int is_without_stack(const struct sc_text *t, uint64_t at)
{
	for (uint64_t back = 2; back < 32 && back <= at; back++)
		if (sc_marked(t, SC_MARK_START, at - back) && t->code[at - back] == 0x0f &&
		    t->code[at - back + 1] == 0x05)
			return 1;
	return 0;
}

static int in_go(const struct sc_text *t, uint64_t at)
{
	return t->go && t->va + at >= t->go->text && t->va + at < t->go->end;
}

static int is_go_call(const struct sc_text *t, uint64_t at)
{
	for (int i = 0; i < SC_GO_CALLS; i++)
		if (t->va + at == t->go->call[i])
			return 1;
	return 0;
}

/*
 * Go makes its calls in Syscall6 (and its like, before 1.19), in rawVforkSyscall (`pop %r12; syscall;
 * push %r12`: the child uses the same stack) and in small functions of the runtime with a constant number.
 */
static int go_kind(const struct sc_text *t, uint64_t at, struct sc_site *s)
{
	if (is_go_call(t, at)) {
		s->kind = SC_SITE_GO_CALL6;
		s->flags |= t->go->g_in_fs ? 0 : SC_SITE_G_R14;
		return 1;
	}
	s->kind = SC_SITE_GO_LEAF;
	if (at > 2 && !memcmp(t->code + at - 2, "\x41\x5c\x0f\x05\x41\x54", 6))
		s->nr = __NR_clone;
	/* exitThread has given its stack away by then. */
	if (s->nr < 0 || s->nr == __NR_exit || s->nr == __NR_rt_sigaction || !sc_call_table[s->nr].flags)
		return 0;
	/* The functions of the runtime are called without g in r14 at times. */
	s->flags |= t->go->g_in_fs ? 0 : SC_SITE_G_FAR;
	return t->go->g_in_fs || t->go->g_at ? 1 : -1;
}

/* 1: a site; 0: none of ours; -1: one that cannot be patched. */
static int by_kind(const struct sc_text *t, uint64_t at, uint64_t cancel, struct sc_site *s)
{
	struct sc_insn in;

	*s = (struct sc_site){ .va = t->va + at, .nr = -1, .kind = SC_SITE_CALL, .core_len = 2 };
	if (t->code[at] == 0x0f && t->code[at + 1] == 0x05) {
		if (is_sigreturn(t, at) || is_cancel_arch(t, at))
			return 0;
		s->nr = (int16_t)static_nr(t, at);
		if (s->nr == __NR_exit && is_without_stack(t, at))
			return 0;
		if (in_go(t, at))
			return go_kind(t, at, s);
		return s->nr < 0 || sc_call_table[s->nr].flags;
	}
	if (cancel && t->code[at] == 0xe8 && sc_insn_decode(t->code + at, &in) &&
	    sc_insn_target(t->code + at, &in, t->va + at) == t->va + cancel) {
		s->kind = SC_SITE_CANCEL;
		s->core_len = 5;
		return 1;
	}
	return 0;
}

void sc_scan_sites(const struct sc_text *t, struct sc_site_list *l)
{
	uint64_t cancel = 0;

	for (uint64_t at = 0; at + 16 <= t->len; at++) {
		if (t->code[at] != 0x0f || t->code[at + 1] != 0x05 || !sc_marked(t, SC_MARK_START, at))
			continue;
		l->all++;
		if (is_cancel_arch(t, at))
			cancel = cancel_start(t, at);
	}
	for (uint64_t at = 0; at + 16 <= t->len; at++) {
		struct sc_site s;
		int kind;

		if ((t->code[at] == 0x48 || t->code[at] == 0x55) && t->go && sc_scan_go_tls(t, at, &s)) {
			put(t, l, &s);
			continue;
		}
		if (t->code[at] != 0x0f && t->code[at] != 0xe8)
			continue;
		kind = sc_marked(t, SC_MARK_START, at) ? by_kind(t, at, cancel, &s) : 0;
		l->unseen += kind < 0;
		if (kind <= 0)
			continue;
		choose(t, at, &s);
		add(t, l, &s);
	}
}
