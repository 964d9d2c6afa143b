/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wraps glibc's handler of its cancellation signal. While it runs, the interrupted context holds the
 * registers the program would have without us; they are put back when it returns. This file is
 * compiled with unwind tables: the handler's unwinder passes through the wrapper's frame.
 */
#include "base/mem.h"
#include "sys/sys.h"
#include "patch/arch/x86_64/cancel.h"
#include "patch/arch/x86_64/gate.h"

#define SIGCANCEL_ 32

/* The kernel's struct sigaction and the general registers of its ucontext. */
struct action {
	uint64_t handler, flags, restorer, mask;
};

enum reg { R12 = 4, R13, R14, R15, RBP = 10, RBX = 11, RSP = 15, RIP = 16, REGS = 17 };

struct context {
	uint64_t flags, link, stack[3];
	uint64_t reg[23];
};

typedef void (*handler)(int, void *, struct context *);

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

static handler original SC_AT_START;
static int wrapping SC_AT_START;

static uint64_t word(uint64_t at)
{
	return *(const uint64_t *)at;
}

/* The slot with the return address into a stub, for a gate whose frame pointer is rbp; 0: none. */
static uint64_t return_slot(uint64_t rbp)
{
	static const uint8_t offsets[] = { 8, 16, 32 }; /* plain, with flags, shared (gate.c) */
	uint64_t va;
	uint32_t shift;

	for (unsigned i = 0; i < sizeof(offsets); i++)
		if (sc_patch_place(word(rbp + offsets[i]), &va, &shift))
			return rbp + offsets[i];
	return 0;
}

static int is_frame(uint64_t rbp, uint64_t sp)
{
	return rbp % 8 == 0 && rbp >= sp && rbp - sp < (1u << 20);
}

/* In a gate, or in C code below one: the registers of the program from the gate's frame. */
static int leave_gate(uint64_t *reg)
{
	uint64_t rbp = reg[RBP], slot = 0, ip = reg[RIP], va;
	int in_gate = ip >= (uint64_t)sc_gates_begin && ip < (uint64_t)sc_gates_end;
	uint32_t shift;

	for (int depth = 0; depth < 64 && is_frame(rbp, reg[RSP]) && !slot; depth++) {
		slot = return_slot(rbp);
		if (slot || in_gate)
			break;
		rbp = word(rbp);
	}
	if (slot) {
		reg[RBP] = word(rbp);
		if (!in_gate) {
			reg[RBX] = word(rbp - 8);
			reg[R12] = word(rbp - 16);
			reg[R13] = word(rbp - 24);
			reg[R14] = word(rbp - 32);
			reg[R15] = word(rbp - 40);
		}
	} else if (in_gate) { /* the frame is not built yet, or gone again: the address is near the top */
		for (uint64_t at = reg[RSP]; at < reg[RSP] + 40 && !slot; at += 8)
			if (sc_patch_place(word(at), &va, &shift)) {
				if (at > reg[RSP] && word(reg[RSP]) == reg[RBP])
					reg[RBP] = word(reg[RSP]);
				slot = at;
			}
	}
	if (!slot || !sc_patch_place(word(slot), &va, &shift))
		return 0;
	reg[RIP] = va;
	reg[RSP] = slot + 8 + shift;
	return 1;
}

static void pretend(uint64_t *reg)
{
	uint64_t va;
	uint32_t shift;

	if (sc_patch_place(reg[RIP], &va, &shift)) {
		reg[RIP] = va;
		reg[RSP] += shift;
	} else if (reg[RIP] >= (uint64_t)__ehdr_start && reg[RIP] < (uint64_t)_end) {
		leave_gate(reg);
	}
}

static void wrapper(int sig, void *info, struct context *context)
{
	uint64_t kept[REGS];

	for (int i = 0; i < REGS; i++)
		kept[i] = context->reg[i];
	pretend(context->reg);
	original(sig, info, context);
	for (int i = 0; i < REGS; i++)
		context->reg[i] = kept[i];
}

static void wrap(struct action *action)
{
	if (action->handler <= 1 || action->handler == (uint64_t)wrapper)
		return;
	original = (handler)action->handler;
	action->handler = (uint64_t)wrapper;
}

static long sigaction_of(const struct action *set, struct action *get)
{
	return sc_sys4(__NR_rt_sigaction, SIGCANCEL_, (long)set, (long)get, 8);
}

void sc_cancel_sigaction(struct sc_call *call)
{
	if (wrapping && call->arg[0] == SIGCANCEL_ && call->arg[1])
		wrap((struct action *)call->arg[1]);
}

void sc_cancel_start(void)
{
	struct action action;

	wrapping = 1;
	if (sc_failed(sigaction_of(NULL, &action)) || action.handler <= 1)
		return;
	wrap(&action);
	sigaction_of(&action, NULL);
}

void sc_cancel_stop(void)
{
	struct action action;

	wrapping = 0;
	if (sc_failed(sigaction_of(NULL, &action)) || action.handler != (uint64_t)wrapper)
		return;
	action.handler = (uint64_t)original;
	sigaction_of(&action, NULL);
}
