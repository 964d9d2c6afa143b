/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86-64 stubs: moved instructions and calls of the gates. See emit.h for the picture. Longer than other files: one
 * kind of stub after the other, all of the same few instructions.
 */
#include <errno.h>
#include "base/calls.h"
#include "base/mem.h"
#include "elf/emit.h"
#include "elf/arch/x86_64/insn.h"

#define STUB_ROOM 448u /* more than the longest stub pair */
#define TABLE     SC_NR_MAX /* bytes of the table in front of Go's stubs: flags of calls by number */

/* Code being written: position in memory, and the address it will run at. */
struct out {
	uint8_t *p;
	uint64_t va;
	int bad;
	int32_t g_at; /* of the plan */
};

static void put(struct out *o, const void *bytes, unsigned n)
{
	memcpy(o->p, bytes, n);
	o->p += n;
	o->va += n;
}

#define PUT(o, ...) \
	do { \
		const uint8_t bytes_[] = { __VA_ARGS__ }; \
		put(o, bytes_, sizeof(bytes_)); \
	} while (0)

static void put32(struct out *o, uint32_t v)
{
	put(o, &v, 4);
}

/* A displacement of 32 bits to a target, relative to the end of the field. */
static void put_rel(struct out *o, uint64_t target)
{
	int64_t d = (int64_t)(target - (o->va + 4));

	if (d != (int32_t)d)
		o->bad = 1;
	put32(o, (uint32_t)d);
}

static void jump(struct out *o, uint64_t target)
{
	PUT(o, 0xe9);
	put_rel(o, target);
}

static void call_cell(struct out *o, uint64_t cells, enum sc_cell cell)
{
	PUT(o, 0xff, 0x15);
	put_rel(o, cells + 8u * cell);
}

/* One instruction of a window. */
static void move_one(struct out *o, const uint8_t *p, const struct sc_insn *in, uint64_t va)
{
	int32_t d;
	uint64_t target;

	if (in->rel) {
		target = sc_insn_target(p, in, va);
		if (sc_insn_is_jmp_rel(in)) {
			PUT(o, 0xe9);
		} else if (sc_insn_is_jcc(in)) {
			PUT(o, 0x0f, (uint8_t)(0x80 | (in->op & 15)));
		} else if (sc_insn_is_call_rel(in)) {
			PUT(o, 0xe8);
		} else {
			o->bad = 1;
			return;
		}
		put_rel(o, target);
		return;
	}
	put(o, p, in->len);
	if (in->rip_rel) {
		int64_t moved;

		memcpy(&d, p + in->disp_off, 4);
		moved = (int64_t)(va + in->len + (uint64_t)(int64_t)d - o->va);
		if (moved != (int32_t)moved)
			o->bad = 1;
		d = (int32_t)moved;
		memcpy(o->p - in->len + in->disp_off, &d, 4);
	}
}

/* Whole instructions; 1 when the last one never goes on behind the window. */
static int move_all(struct out *o, const uint8_t *code, uint64_t va, unsigned len)
{
	unsigned at = 0;

	while (at < len) {
		struct sc_insn in;

		if (!sc_insn_decode(code + at, &in) || at + in.len > len) {
			o->bad = 1;
			return 0;
		}
		move_one(o, code + at, &in, va + at);
		at += in.len;
		if (sc_insn_is_ret(&in) || sc_insn_is_jmp_rel(&in))
			return 1;
	}
	return 0;
}

/* Slot: tsc at -124(%rsp), tag|nr at -128(%rsp). Free before a syscall: rcx, r11. */
static void store_slot(struct out *o)
{
	PUT(o, 0x48, 0x89, 0xd1);       /* mov %rdx,%rcx */
	PUT(o, 0x49, 0x89, 0xc3);       /* mov %rax,%r11 */
	PUT(o, 0x0f, 0x31);             /* rdtsc */
	PUT(o, 0x89, 0x44, 0x24, 0x84); /* mov %eax,-124(%rsp) */
	PUT(o, 0x41, 0x8d, 0x83);       /* lea tag(%r11),%eax */
	put32(o, SC_SLOT_TAG);
	PUT(o, 0x89, 0x44, 0x24, 0x80); /* mov %eax,-128(%rsp) */
	PUT(o, 0x48, 0x89, 0xca);       /* mov %rcx,%rdx */
	PUT(o, 0x4c, 0x89, 0xd8);       /* mov %r11,%rax */
}

/* The same before `call __syscall_cancel_arch`: number in esi; free: rax, r10, r11. */
static void store_slot_cancel(struct out *o)
{
	PUT(o, 0x49, 0x89, 0xd2);       /* mov %rdx,%r10 */
	PUT(o, 0x0f, 0x31);             /* rdtsc */
	PUT(o, 0x89, 0x44, 0x24, 0x84); /* mov %eax,-124(%rsp) */
	PUT(o, 0x8d, 0x86);             /* lea tag(%rsi),%eax */
	put32(o, SC_SLOT_TAG);
	PUT(o, 0x89, 0x44, 0x24, 0x80); /* mov %eax,-128(%rsp) */
	PUT(o, 0x4c, 0x89, 0xd2);       /* mov %r10,%rdx */
}

static void enter_red_zone(struct out *o)
{
	PUT(o, 0x48, 0x8d, 0x64, 0x24, 0x80); /* lea -128(%rsp),%rsp */
}

static void leave_red_zone(struct out *o)
{
	PUT(o, 0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0); /* lea 128(%rsp),%rsp */
}

static int is_go(const struct sc_site *s)
{
	return s->kind == SC_SITE_GO_CALL6 || s->kind == SC_SITE_GO_LEAF;
}

/* A short jump forward: its operand is set by land(). */
static uint8_t *jump_ahead(struct out *o, uint8_t op)
{
	PUT(o, op, 0);
	return o->p - 1;
}

static void land(struct out *o, uint8_t *operand)
{
	*operand = (uint8_t)(o->p - operand - 1);
}

/* Which of the calls 0…63 are timed: nearly all that are, and all that are made often. */
static uint64_t timed_calls(void)
{
	uint64_t mask = 0;

	for (uint32_t nr = 0; nr < 64; nr++)
		if (sc_call_table[nr].flags & SC_CALL_TIMED)
			mask |= 1ull << nr;
	return mask;
}

/*
 * Go's slot: tag|nr in r12, tsc or 0 in r13. Every instruction in front of a syscall is waited for, so a call
 * that is made often looks nothing up.
 */
static void store_slot_go(struct out *o, const struct sc_site *s, enum sc_cell pre, uint64_t cells)
{
	uint64_t mask = timed_calls();
	uint8_t *above, *other, *beyond, *hooked, *plain, *time;

	PUT(o, 0x44, 0x8d, 0xa0); /* lea tag(%rax),%r12d */
	put32(o, SC_SLOT_TAG);
	PUT(o, 0x48, 0x83, 0xf8, 63); /* cmp $63,%rax */
	above = jump_ahead(o, 0x77);  /* ja */
	PUT(o, 0x48, 0xb9);           /* mov $mask,%rcx */
	put(o, &mask, 8);
	PUT(o, 0x48, 0x0f, 0xa3, 0xc1); /* bt %rax,%rcx */
	other = jump_ahead(o, 0x73);    /* jnc */
	time = o->p;
	PUT(o, 0x48, 0x89, 0xd1); /* mov %rdx,%rcx */
	PUT(o, 0x49, 0x89, 0xc3); /* mov %rax,%r11 */
	PUT(o, 0x0f, 0x31);       /* rdtsc */
	PUT(o, 0x41, 0x89, 0xc5); /* mov %eax,%r13d */
	PUT(o, 0x48, 0x89, 0xca); /* mov %rcx,%rdx */
	PUT(o, 0x4c, 0x89, 0xd8); /* mov %r11,%rax */
	jump(o, s->va);
	land(o, above);
	land(o, other);
	PUT(o, 0x45, 0x31, 0xed);             /* xor %r13d,%r13d */
	PUT(o, 0x48, 0x3d, 0xff, 0x01, 0, 0); /* cmp $511,%rax */
	beyond = jump_ahead(o, 0x77);         /* ja: r12 is no slot then */
	PUT(o, 0x48, 0x8d, 0x0d);             /* lea table(%rip),%rcx */
	put_rel(o, cells + SC_STUB_PAGE);
	PUT(o, 0x0f, 0xb6, 0x0c, 0x01);    /* movzbl (%rcx,%rax),%ecx */
	PUT(o, 0xf6, 0xc1, SC_CALL_TIMED); /* test $timed,%cl */
	PUT(o, 0x75, (uint8_t)(time - o->p - 2)); /* jnz */
	PUT(o, 0x85, 0xc9);                /* test %ecx,%ecx */
	hooked = jump_ahead(o, 0x75);      /* jnz */
	PUT(o, 0x45, 0x31, 0xe4);          /* xor %r12d,%r12d */
	land(o, hooked);
	PUT(o, 0xf6, 0xc1, SC_CALL_PRE); /* test $pre,%cl */
	plain = jump_ahead(o, 0x74);     /* jz */
	call_cell(o, cells, pre);
	land(o, plain);
	land(o, beyond);
}

/* For a gate that takes g from %fs:(%r11). */
static void load_place_of_g(struct out *o, const struct sc_site *s)
{
	if (!(s->flags & SC_SITE_G_FAR))
		return;
	PUT(o, 0x49, 0xc7, 0xc3); /* mov $g_at,%r11 */
	put32(o, (uint32_t)o->g_at);
}

static void go_pre(struct out *o, const struct sc_site *s, uint64_t cells)
{
	enum sc_cell pre = s->flags & SC_SITE_G_R14 ? SC_CELL_GO_PRE_R14 :
			   s->flags & SC_SITE_G_FAR ? SC_CELL_GO_PRE_FAR :
						      SC_CELL_GO_PRE;

	move_all(o, s->bytes, s->va - s->pre_len, s->pre_len);
	if (s->kind == SC_SITE_GO_CALL6) {
		store_slot_go(o, s, pre, cells);
	} else if (s->flags & SC_SITE_PRE) {
		load_place_of_g(o, s);
		call_cell(o, cells, pre);
	}
	jump(o, s->va);
}

static void go_post(struct out *o, const struct sc_site *s, uint64_t cells)
{
	uint64_t next = s->va + s->core_len;

	if (s->kind == SC_SITE_GO_CALL6) {
		uint8_t *unhooked;

		PUT(o, 0x41, 0x8d, 0x8c, 0x24); /* lea -tag(%r12),%ecx */
		put32(o, -SC_SLOT_TAG);
		PUT(o, 0x81, 0xf9, 0xff, 0x01, 0, 0); /* cmp $511,%ecx: the flags are set anew behind the call */
		unhooked = jump_ahead(o, 0x77);       /* ja */
		call_cell(o, cells, s->flags & SC_SITE_G_R14 ? SC_CELL_GO_POST_R14 : SC_CELL_GO_POST);
		land(o, unhooked);
	} else {
		PUT(o, 0xb9); /* mov $nr,%ecx */
		put32(o, (uint32_t)s->nr);
		load_place_of_g(o, s);
		call_cell(o, cells,
			  s->flags & SC_SITE_G_FAR ? SC_CELL_GO_LEAF_FAR :
			  s->flags & SC_SITE_FLAGS ? SC_CELL_GO_LEAF_FLAGS :
						     SC_CELL_GO_LEAF);
	}
	if (!move_all(o, s->bytes + s->pre_len + s->core_len, next, s->post_len))
		jump(o, next + s->post_len);
}

/* Go's TLS functions, see gotls.c. r8, r9, r11, r12 are free there. */
static void tls_stub(struct out *o, const struct sc_site *s, uint64_t cells)
{
	uint32_t frame = 0, rbp;

	/* A frame is a multiple of 8: this byte is no part of its size. */
	rbp = s->bytes[s->post_len - 2] == 0x5d ? 8 : 0;
	if (s->kind == SC_SITE_TLS_ENTRY) {
		PUT(o, 0x48, 0x89, 0x44, 0x24, 0x08); /* mov %rax,8(%rsp) */
	} else {
		if (s->bytes[1] == 0x83)
			frame = s->bytes[3];
		else
			memcpy(&frame, s->bytes + 3, 4);
		PUT(o, 0x4c, 0x8d, 0x9c, 0x24); /* lea frame+8(%rsp),%r11; +16 where rbp is popped */
		put32(o, frame + 8 + rbp);
		PUT(o, 0x41, 0xbc); /* mov $nr,%r12d */
		put32(o, (uint32_t)s->nr);
		call_cell(o, cells, s->flags & SC_SITE_G_R14 ? SC_CELL_GO_TLS_R14 : SC_CELL_GO_TLS);
	}
	if (!move_all(o, s->bytes, s->va, s->post_len))
		jump(o, s->va + s->post_len);
}

static void call_pre(struct out *o, const struct sc_site *s, uint64_t cells)
{
	enter_red_zone(o);
	call_cell(o, cells,
		  s->kind == SC_SITE_CANCEL ? SC_CELL_PRE_CANCEL :
		  s->flags & SC_SITE_FLAGS  ? SC_CELL_PRE_FLAGS :
					      SC_CELL_PRE);
	leave_red_zone(o);
}

static void pre_stub(struct out *o, const struct sc_site *s, uint64_t cells)
{
	int cancel = s->kind == SC_SITE_CANCEL;

	move_all(o, s->bytes, s->va - s->pre_len, s->pre_len);
	if (s->kind == SC_SITE_EARLY) {
		PUT(o, 0xb8); /* mov $nr,%eax: dead here, the number is loaded into it later */
		put32(o, (uint32_t)s->nr);
	} else if (!(s->flags & SC_SITE_NO_SLOT)) {
		if (cancel)
			store_slot_cancel(o);
		else if ((s->flags & SC_SITE_TIMED) || s->nr < 0)
			store_slot(o);
	}
	if (s->flags & SC_SITE_PRE)
		call_pre(o, s, cells);
	jump(o, s->va);
}

static void call_post(struct out *o, const struct sc_site *s, uint64_t cells)
{
	if (s->flags & SC_SITE_SHARED) {
		call_cell(o, cells, SC_CELL_POST_SHARED);
		return;
	}
	if ((s->flags & SC_SITE_TIMED) || s->nr < 0) {
		PUT(o, 0x48, 0x8b, 0x0c, 0x24); /* mov (%rsp),%rcx */
		PUT(o, 0x41, 0xbb);             /* mov $nr,%r11d: for a call begun before we were here */
		put32(o, (uint32_t)(int32_t)s->nr);
	} else {
		PUT(o, 0xb9); /* mov $tag|nr,%ecx */
		put32(o, SC_SLOT_TAG | (uint32_t)s->nr);
	}
	call_cell(o, cells, s->flags & SC_SITE_FLAGS ? SC_CELL_POST_FLAGS : SC_CELL_POST);
}

static void post_stub(struct out *o, const struct sc_site *s, uint64_t cells)
{
	uint64_t next = s->va + s->core_len;
	unsigned skip = 0;

	if (s->kind == SC_SITE_MOVED) {
		store_slot(o);
		if (s->flags & SC_SITE_PRE)
			call_pre(o, s, cells);
		PUT(o, 0x0f, 0x05);
		skip = 2;
	}
	enter_red_zone(o);
	call_post(o, s, cells);
	leave_red_zone(o);
	if (!move_all(o, s->bytes + s->pre_len + s->core_len + skip, next + skip, s->post_len - skip))
		jump(o, next + s->post_len);
}

static void align(struct out *o)
{
	while (o->va & 7)
		PUT(o, 0xcc);
}

size_t sc_emit_room(const struct sc_plan *plan)
{
	return (SC_STUB_PAGE + TABLE + (size_t)plan->sites * STUB_ROOM + 2 * SC_STUB_PAGE - 1) &
	       ~(size_t)(SC_STUB_PAGE - 1);
}

/* Writes one stub; on success sets *at to its offset / 8, else takes the bytes back. */
static int one(struct out *o, const struct sc_site *s, uint64_t cells, uint16_t *at,
	       void (*write)(struct out *, const struct sc_site *, uint64_t))
{
	struct out before = *o;

	write(o, s, cells);
	align(o);
	if (o->bad) {
		*o = before;
		return -ERANGE;
	}
	*at = (uint16_t)((before.va - cells) / 8);
	return 0;
}

static void put_table(const struct sc_plan *plan, struct out *o)
{
	const struct sc_site *s = sc_plan_sites(plan), *end = s + plan->sites;
	uint8_t flags[TABLE];

	while (s < end && s->kind != SC_SITE_GO_CALL6)
		s++;
	if (s == end)
		return;
	for (uint32_t nr = 0; nr < TABLE; nr++)
		flags[nr] = sc_call_table[nr].flags;
	put(o, flags, sizeof(flags));
}

long sc_emit_stubs(struct sc_plan *plan, uint64_t stub_va, uint8_t *out, size_t cap)
{
	struct out o = { .p = out + SC_STUB_PAGE, .va = stub_va + SC_STUB_PAGE, .g_at = plan->g_at };
	struct sc_site *s = sc_plan_sites(plan);
	size_t used;

	if (cap < 2 * SC_STUB_PAGE || cap < sc_emit_room(plan))
		return -ENOSPC;
	memset(out, 0, SC_STUB_PAGE);
	put_table(plan, &o);
	for (uint32_t i = 0; i < plan->sites; i++, s++) {
		s->pre_stub = s->post_stub = 0;
		if (s->pre_len && one(&o, s, stub_va, &s->pre_stub, is_go(s) ? go_pre : pre_stub) &&
		    s->nr < 0)
			continue;
		if (s->post_len)
			one(&o, s, stub_va, &s->post_stub,
			    s->kind >= SC_SITE_TLS_ENTRY ? tls_stub : is_go(s) ? go_post : post_stub);
	}
	used = (size_t)(o.p - out);
	cap = (used + SC_STUB_PAGE - 1) & ~(size_t)(SC_STUB_PAGE - 1);
	memset(o.p, 0xcc, cap - used);
	return (long)cap;
}

int sc_emit_jump(uint8_t bytes[5], uint64_t from, uint64_t to)
{
	struct out o = { .p = bytes, .va = from };

	jump(&o, to);
	return o.bad ? -ERANGE : 0;
}

long sc_emit_moved(const uint8_t *code, uint64_t va, unsigned len, uint8_t *out, uint64_t out_va)
{
	struct out o = { .p = out, .va = out_va };

	if (!move_all(&o, code, va, len))
		jump(&o, va + len);
	return o.bad ? -EINVAL : o.p - out;
}

long sc_emit_entry_window(const uint8_t *code, uint64_t va)
{
	unsigned len = 0;

	while (len < 5) {
		struct sc_insn in;

		if (!sc_insn_decode(code + len, &in))
			return -EINVAL;
		if (sc_insn_is_ret(&in) || code[len] == 0xcc ||
		    (in.rel && !sc_insn_is_jcc(&in) && !sc_insn_is_call_rel(&in) &&
		     !sc_insn_is_jmp_rel(&in)))
			return -EINVAL;
		/* A function that ends here, in a tail call: nothing of what follows is its own. */
		if (sc_insn_is_jmp_rel(&in) && len + in.len < 5)
			return -EINVAL;
		/* A branch back into what is moved would land in the jump. */
		if (in.rel && sc_insn_target(code + len, &in, va + len) - va < 16)
			return -EINVAL;
		len += in.len;
	}
	return (long)len;
}
