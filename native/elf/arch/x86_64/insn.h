/* SPDX-License-Identifier: Apache-2.0 */
/* Lengths and kinds of x86-64 instructions: what is needed to move a few of them elsewhere. */
#ifndef SCOPE_ELF_X86_64_INSN_H
#define SCOPE_ELF_X86_64_INSN_H

#include <stdint.h>

enum sc_opmap { SC_MAP_1 = 0, SC_MAP_0F = 1, SC_MAP_0F38 = 2, SC_MAP_0F3A = 3 };

struct sc_insn {
	uint8_t len;       /* 0: not decodable */
	uint8_t map;       /* enum sc_opmap, or higher for VEX/EVEX maps */
	uint8_t op;
	uint8_t rex;
	uint8_t vex;       /* coded by VEX or EVEX */
	uint8_t has_modrm;
	uint8_t modrm;
	uint8_t sib;       /* valid when has_sib */
	uint8_t has_sib;
	uint8_t rip_rel;   /* memory operand relative to the next instruction */
	uint8_t disp_off, disp_size;
	uint8_t imm_off, imm_size;
	uint8_t rel;       /* immediate is a branch displacement: 1 or 4 bytes */
};

/* Decodes at p, of which at least 15 bytes can be read. Returns the length, 0: not decodable. */
int sc_insn_decode(const uint8_t *p, struct sc_insn *in);

/* Where a branch with in->rel at address va goes. */
uint64_t sc_insn_target(const uint8_t *p, const struct sc_insn *in, uint64_t va);

/* Kinds. */
int sc_insn_is_call_rel(const struct sc_insn *in);
int sc_insn_is_jmp_rel(const struct sc_insn *in);
int sc_insn_is_jcc(const struct sc_insn *in);
int sc_insn_is_ret(const struct sc_insn *in);
int sc_insn_is_indirect(const struct sc_insn *in); /* call or jmp through register or memory */
int sc_insn_is_nop(const struct sc_insn *in);
int sc_insn_is_syscall(const struct sc_insn *in);

/* 1 unless the instruction surely leaves rax alone. */
int sc_insn_may_write_rax(const struct sc_insn *in);

/* 1 when it surely sets the arithmetic flags without reading them. */
int sc_insn_sets_flags(const struct sc_insn *in);

#endif
