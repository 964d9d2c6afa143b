/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64 length decoder: prefixes, the one-byte map, 0F, 0F38, 0F3A, VEX and EVEX. */
#include "elf/arch/x86_64/insn.h"

struct cursor {
	const uint8_t *start, *p;
	struct sc_insn *in;
	int modrm, imm, p66, p67;
};

static int is_prefix(uint8_t c)
{
	return c == 0x66 || c == 0x67 || c == 0xf0 || c == 0xf2 || c == 0xf3 || c == 0x2e || c == 0x36 ||
	       c == 0x3e || c == 0x26 || c == 0x64 || c == 0x65;
}

static void vex(struct cursor *c)
{
	struct sc_insn *in = c->in;

	in->vex = 1;
	c->modrm = 1;
	if (*c->p == 0xc5) {
		in->map = SC_MAP_0F;
		c->p += 2;
	} else if (*c->p == 0xc4) {
		in->map = c->p[1] & 0x1f;
		c->p += 3;
	} else {
		in->map = c->p[1] & 7;
		c->p += 4;
	}
	in->op = *c->p++;
	if (in->map == SC_MAP_0F) {
		if (in->op == 0x77)
			c->modrm = 0;
		if ((in->op >= 0x70 && in->op <= 0x73) || in->op == 0xc2 ||
		    (in->op >= 0xc4 && in->op <= 0xc6))
			c->imm = 1;
	} else if (in->map == SC_MAP_0F3A) {
		c->imm = 1;
	}
}

static int no_modrm_0f(uint8_t op)
{
	return (op >= 0x05 && op <= 0x09) || op == 0x0b || op == 0x0e || (op >= 0x30 && op <= 0x37) ||
	       op == 0x77 || (op >= 0xa0 && op <= 0xa2) || (op >= 0xa8 && op <= 0xaa) ||
	       (op >= 0xc8 && op <= 0xcf);
}

static void two_byte(struct cursor *c)
{
	struct sc_insn *in = c->in;
	uint8_t op = *++c->p;

	c->p++;
	in->map = SC_MAP_0F;
	c->modrm = 1;
	if (op == 0x38 || op == 0x3a) {
		in->map = op == 0x38 ? SC_MAP_0F38 : SC_MAP_0F3A;
		c->imm = op == 0x3a;
		op = *c->p++;
	} else {
		c->modrm = !no_modrm_0f(op);
		if (op >= 0x80 && op <= 0x8f) {
			c->modrm = 0;
			c->imm = in->rel = 4;
		}
		if ((op >= 0x70 && op <= 0x73) || op == 0xa4 || op == 0xac || op == 0xba || op == 0xc2 ||
		    (op >= 0xc4 && op <= 0xc6) || op == 0x0f)
			c->imm = 1;
	}
	in->op = op;
}

/* Opcodes of the one-byte map from 0x60 on. -1: not valid in 64-bit code. */
static int one_byte_high(struct cursor *c, uint8_t op)
{
	int iz = c->p66 ? 2 : 4;

	switch (op) {
	case 0x60: case 0x61: case 0x62: case 0x82: case 0x9a: case 0xce:
	case 0xd4: case 0xd5: case 0xd6: case 0xea:
		return -1;
	case 0x63: case 0xd0: case 0xd1: case 0xd2: case 0xd3: case 0xfe: case 0xff:
		c->modrm = 1;
		return 0;
	case 0x68: case 0xa9:
		c->imm = iz;
		return 0;
	case 0x6a: case 0xa8: case 0xcd: case 0xe4: case 0xe5: case 0xe6: case 0xe7:
		c->imm = 1;
		return 0;
	case 0x69: case 0x81: case 0xc7:
		c->modrm = 1;
		c->imm = iz;
		return 0;
	case 0x6b: case 0x80: case 0x83: case 0xc0: case 0xc1: case 0xc6:
		c->modrm = 1;
		c->imm = 1;
		return 0;
	case 0xa0: case 0xa1: case 0xa2: case 0xa3:
		c->imm = c->p67 ? 4 : 8;
		return 0;
	case 0xc2: case 0xca:
		c->imm = 2;
		return 0;
	case 0xc8:
		c->imm = 3;
		return 0;
	case 0xe0: case 0xe1: case 0xe2: case 0xe3: case 0xeb:
		c->imm = c->in->rel = 1;
		return 0;
	case 0xe8: case 0xe9:
		c->imm = c->in->rel = 4;
		return 0;
	case 0xf6:
		c->modrm = 1;
		c->imm = ((*c->p >> 3) & 7) < 2 ? 1 : 0;
		return 0;
	case 0xf7:
		c->modrm = 1;
		c->imm = ((*c->p >> 3) & 7) < 2 ? iz : 0;
		return 0;
	}
	if (op >= 0x70 && op <= 0x7f)
		c->imm = c->in->rel = 1;
	else if ((op >= 0x84 && op <= 0x8f) || (op >= 0xd8 && op <= 0xdf))
		c->modrm = 1;
	else if (op >= 0xb0 && op <= 0xb7)
		c->imm = 1;
	else if (op >= 0xb8 && op <= 0xbf)
		c->imm = c->in->rex & 8 ? 8 : iz;
	return 0;
}

static int one_byte(struct cursor *c)
{
	uint8_t op = *c->p++;

	c->in->op = op;
	if (op < 0x40) {
		int low = op & 7;

		if (low > 5)
			return -1;
		c->modrm = low < 4;
		c->imm = low == 4 ? 1 : low == 5 ? (c->p66 ? 2 : 4) : 0;
		return 0;
	}
	if (op < 0x50)
		return -1;
	return op < 0x60 ? 0 : one_byte_high(c, op);
}

static void operand(struct cursor *c)
{
	struct sc_insn *in = c->in;
	int mod, rm, disp = 0;

	in->has_modrm = 1;
	in->modrm = *c->p++;
	mod = in->modrm >> 6;
	rm = in->modrm & 7;
	if (mod == 3)
		return;
	if (rm == 4) {
		in->has_sib = 1;
		in->sib = *c->p++;
		if (mod == 0 && (in->sib & 7) == 5)
			disp = 4;
	} else if (mod == 0 && rm == 5) {
		disp = 4;
		in->rip_rel = 1;
	}
	if (mod == 1)
		disp = 1;
	else if (mod == 2)
		disp = 4;
	in->disp_off = (uint8_t)(c->p - c->start);
	in->disp_size = (uint8_t)disp;
	c->p += disp;
}

int sc_insn_decode(const uint8_t *p, struct sc_insn *in)
{
	struct cursor c = { .start = p, .p = p, .in = in };

	*in = (struct sc_insn){ 0 };
	while (is_prefix(*c.p)) {
		c.p66 |= *c.p == 0x66;
		c.p67 |= *c.p == 0x67;
		if (++c.p - p > 14)
			return 0;
	}
	if ((*c.p & 0xf0) == 0x40)
		in->rex = *c.p++;
	if (*c.p == 0xc4 || *c.p == 0xc5 || *c.p == 0x62)
		vex(&c);
	else if (*c.p == 0x0f)
		two_byte(&c);
	else if (one_byte(&c))
		return 0;
	if (c.modrm)
		operand(&c);
	if (c.imm) {
		in->imm_off = (uint8_t)(c.p - p);
		in->imm_size = (uint8_t)c.imm;
		c.p += c.imm;
	}
	if (c.p - p > 15)
		return 0;
	in->len = (uint8_t)(c.p - p);
	return in->len;
}

static int32_t get32(const uint8_t *p)
{
	return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
}

uint64_t sc_insn_target(const uint8_t *p, const struct sc_insn *in, uint64_t va)
{
	int64_t d = in->rel == 1 ? (int8_t)p[in->imm_off] : get32(p + in->imm_off);

	return va + in->len + (uint64_t)d;
}

int sc_insn_is_call_rel(const struct sc_insn *in)
{
	return in->map == SC_MAP_1 && !in->vex && in->op == 0xe8;
}

int sc_insn_is_jmp_rel(const struct sc_insn *in)
{
	return in->map == SC_MAP_1 && !in->vex && (in->op == 0xe9 || in->op == 0xeb);
}

int sc_insn_is_jcc(const struct sc_insn *in)
{
	if (in->vex)
		return 0;
	return (in->map == SC_MAP_1 && in->op >= 0x70 && in->op <= 0x7f) ||
	       (in->map == SC_MAP_0F && in->op >= 0x80 && in->op <= 0x8f);
}

int sc_insn_is_ret(const struct sc_insn *in)
{
	return in->map == SC_MAP_1 && !in->vex && (in->op == 0xc3 || in->op == 0xc2);
}

int sc_insn_is_indirect(const struct sc_insn *in)
{
	int reg = (in->modrm >> 3) & 7;

	return in->map == SC_MAP_1 && !in->vex && in->op == 0xff && reg >= 2 && reg <= 5;
}

int sc_insn_is_nop(const struct sc_insn *in)
{
	if (in->vex)
		return 0;
	return (in->map == SC_MAP_1 && (in->op == 0x90 && !(in->rex & 1))) ||
	       (in->map == SC_MAP_0F && (in->op == 0x1f || in->op == 0x1e));
}

int sc_insn_is_syscall(const struct sc_insn *in)
{
	return in->map == SC_MAP_0F && !in->vex && in->op == 0x05;
}

static int reg_is_rax(const struct sc_insn *in)
{
	return ((in->modrm >> 3) & 7) == 0 && !(in->rex & 4);
}

static int rm_is_rax(const struct sc_insn *in)
{
	return in->modrm >> 6 == 3 && (in->modrm & 7) == 0 && !(in->rex & 1);
}

int sc_insn_may_write_rax(const struct sc_insn *in)
{
	uint8_t op = in->op;

	if (in->vex)
		return 1;
	if (in->map == SC_MAP_0F) {
		if (op == 0x1f || op == 0x1e || op == 0x28 || op == 0x29 || op == 0x10 || op == 0x11 ||
		    op == 0x6f || op == 0x7f || op == 0xef || op == 0x57 || op == 0xd6)
			return 0; /* nop, vector moves and xors */
		if ((op >= 0x40 && op <= 0x4f) || op == 0xb6 || op == 0xb7 || op == 0xbe || op == 0xbf)
			return reg_is_rax(in); /* cmov, movzx, movsx */
		return 1;
	}
	if (in->map != SC_MAP_1)
		return 1;
	if (op < 0x40 && (op & 7) < 4) { /* alu; 38…3b compare only */
		if (op >= 0x38)
			return 0;
		return (op & 2) ? reg_is_rax(in) : rm_is_rax(in);
	}
	if (op >= 0x50 && op <= 0x57)
		return 0;
	if (op >= 0x58 && op <= 0x5f)
		return op == 0x58 && !(in->rex & 1);
	if (op >= 0xb8 && op <= 0xbf)
		return op == 0xb8 && !(in->rex & 1);
	switch (op) {
	case 0x84: case 0x85: case 0x3c: case 0x3d: case 0xa8: case 0xa9: case 0x90: case 0x68: case 0x6a:
		return 0;
	case 0x88: case 0x89: case 0xc6: case 0xc7: case 0xc1: case 0xd1: case 0xd3:
		return rm_is_rax(in);
	case 0x81: case 0x83:
		return ((in->modrm >> 3) & 7) != 7 && rm_is_rax(in);
	case 0x8a: case 0x8b: case 0x8d: case 0x63: case 0x69: case 0x6b:
		return reg_is_rax(in);
	}
	return 1;
}

int sc_insn_sets_flags(const struct sc_insn *in)
{
	uint8_t op = in->op;
	int reg = (in->modrm >> 3) & 7;

	if (in->vex || in->map != SC_MAP_1)
		return 0;
	if (op < 0x40) /* all alu but adc (1x) and sbb (18…1d), which read the carry */
		return (op & 7) <= 5 && op >> 3 != 2 && op >> 3 != 3;
	if (op == 0x81 || op == 0x83 || op == 0x80)
		return reg != 2 && reg != 3;
	return op == 0x84 || op == 0x85 || op == 0xa8 || op == 0xa9;
}
