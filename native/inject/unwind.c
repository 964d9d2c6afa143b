// SPDX-License-Identifier: Apache-2.0
// One step up the stack of another process, by the call frame information of the object it is in. Layer 4.
#include "inject/cfi.h"

/* The general registers in DWARF's order. */
static unsigned long long *reg_at(struct user_regs_struct *r, unsigned n)
{
	unsigned long long *const order[SC_CFI_COLUMNS] = {&r->rax, &r->rdx, &r->rcx, &r->rbx, &r->rsi, &r->rdi,
						    &r->rbp, &r->rsp, &r->r8,  &r->r9,	&r->r10, &r->r11,
						    &r->r12, &r->r13, &r->r14, &r->r15, &r->rip};

	return n < SC_CFI_COLUMNS ? order[n] : NULL;
}

/* The frame a signal handler returns to lies on the stack as the kernel left it. */
static int step_signal(const struct sc_maps *m, struct user_regs_struct *regs)
{
	/* struct ucontext: flags, link, stack (24), then r8…r15 rdi rsi rbp rbx rdx rax rcx rsp rip. */
	unsigned long long g[17];

	if (!sc_maps_read(m, regs->rsp + 40, g, sizeof(g)))
		return 0;
	regs->r8 = g[0], regs->r9 = g[1], regs->r10 = g[2], regs->r11 = g[3];
	regs->r12 = g[4], regs->r13 = g[5], regs->r14 = g[6], regs->r15 = g[7];
	regs->rdi = g[8], regs->rsi = g[9], regs->rbp = g[10], regs->rbx = g[11];
	regs->rdx = g[12], regs->rax = g[13], regs->rcx = g[14];
	regs->rsp = g[15], regs->rip = g[16];
	return 1;
}

/* A frame of compilers that keep rbp, where nothing else is known. */
static int step_rbp(const struct sc_maps *m, struct user_regs_struct *regs)
{
	unsigned long long pair[2];

	if (regs->rbp < regs->rsp || regs->rbp - regs->rsp > (8u << 20) || !sc_maps_read(m, regs->rbp, pair, 16) ||
	    !sc_maps_find(m, pair[1]))
		return 0;
	regs->rsp = regs->rbp + 16;
	regs->rbp = pair[0];
	regs->rip = pair[1];
	return 1;
}

static int apply(const struct sc_maps *m, struct user_regs_struct *regs, const struct sc_cfi_row *row)
{
	struct user_regs_struct up = *regs;
	unsigned long long *base = reg_at(regs, row->cfa_reg);
	uint64_t cfa;

	if (!base || row->by_expression || row->col[16].rule != SC_CFI_AT_CFA)
		return 0;
	cfa = *base + (uint64_t)row->cfa_off;
	for (unsigned i = 0; i < SC_CFI_COLUMNS; i++) {
		unsigned long long *to = reg_at(&up, i);

		if (row->col[i].rule == SC_CFI_AT_CFA && !sc_maps_read(m, cfa + (uint64_t)row->col[i].off, to, 8))
			return 0;
		if (row->col[i].rule == SC_CFI_IS_CFA)
			*to = cfa + (uint64_t)row->col[i].off;
	}
	up.rsp = cfa;
	if (up.rsp <= regs->rsp && up.rip == regs->rip)
		return 0;
	*regs = up;
	return up.rip != 0;
}

int sc_unwind_step(const struct sc_maps *m, struct user_regs_struct *regs, int is_caller)
{
	struct sc_cfi_row row;

	/* A return address may be the first byte behind its function. */
	switch (sc_cfi_find(m, regs->rip - (is_caller ? 1 : 0), &row)) {
	case SC_CFI_ROW:
		return apply(m, regs, &row);
	case SC_CFI_SIGNAL:
		return step_signal(m, regs);
	default:
		return step_rbp(m, regs);
	}
}
