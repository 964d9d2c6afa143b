/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the code that windows jump to. Pure: bytes in, bytes out; the same for an overlay file and
 * for a live process. The stubs reach the library through the cells, addresses in a page at a
 * fixed distance, so that stubs are the same in every process.
 *
 *   window              stub (pre)                         stub (post)
 *   jmp stub  ------->  moved instructions                 lea -128(%rsp),%rsp    over the red zone
 *                       slot -128(%rsp) = tag|nr, tsc      rcx = slot or constant
 *                       call *cell[PRE]     (some)         call *cell[POST]
 *   syscall  <--------  jmp syscall                        lea 128(%rsp),%rsp
 *   jmp stub  ------------------------------------------>  moved instructions
 *   next     <-------------------------------------------  jmp next
 *
 * Go code has no red zone and little stack: there the slot is r12 (tag|nr) and r13 (tsc), which a Go
 * function may use freely, and the gates change to another stack. Any number comes by there, so the stub
 * looks into a table in front of the stubs what there is to do for it: the time, a handler, nothing.
 */
#ifndef SCOPE_ELF_EMIT_H
#define SCOPE_ELF_EMIT_H

#include "elf/plan.h"

#define SC_STUB_PAGE 4096u
#define SC_SLOT_TAG  0x5c0e0000u /* upper half of the slot's first word: this call passed the pre window */

enum sc_cell {
	SC_CELL_POST,
	SC_CELL_POST_FLAGS, /* the same, arithmetic flags kept */
	SC_CELL_PRE,
	SC_CELL_PRE_FLAGS,
	SC_CELL_PRE_CANCEL,
	SC_CELL_GO_POST,       /* on the stack of the thread's g0 */
	SC_CELL_GO_POST_R14,
	SC_CELL_GO_LEAF,
	SC_CELL_GO_LEAF_FLAGS,
	SC_CELL_GO_LEAF_FAR, /* the place of g in r11 */
	SC_CELL_GO_PRE,
	SC_CELL_GO_PRE_R14,
	SC_CELL_GO_PRE_FAR,
	SC_CELL_POST_SHARED,   /* everything kept, and nothing done unless the slot is tagged */
	SC_CELL_GO_TLS,
	SC_CELL_GO_TLS_R14,
	SC_CELLS
};

/*
 * Writes the stubs of all sites to out (cap bytes, page aligned length used) as they have to be at
 * stub_va, and stores their offsets in the sites. A window whose instructions cannot work there is
 * dropped from its site. Returns the length, cells page included, or -ENOSPC.
 */
long sc_emit_stubs(struct sc_plan *plan, uint64_t stub_va, uint8_t *out, size_t cap);

/*
 * Where the original code is when a thread is `off` bytes into the stubs (whose bytes are at stubs):
 * *va, and *shift bytes to add to its stack pointer. 1, or 0: not in a stub.
 */
int sc_emit_place(const struct sc_plan *plan, const uint8_t *stubs, uint32_t off, uint64_t *va,
		  uint32_t *shift);

/* Room that is always enough for sc_emit_stubs. */
size_t sc_emit_room(const struct sc_plan *plan);

/* The jump a window gets; 0, or -ERANGE. */
int sc_emit_jump(uint8_t jump[5], uint64_t from, uint64_t to);

/*
 * Moves len bytes of whole instructions from va (bytes at code) to out at out_va and adds a jump
 * to what follows them. Returns the bytes written, or -EINVAL. Room: 16 * len + 16.
 */
long sc_emit_moved(const uint8_t *code, uint64_t va, unsigned len, uint8_t *out, uint64_t out_va);

/*
 * The bytes of whole instructions from the start of a function that an entry jump covers (at
 * least 5), or -EINVAL when they cannot be moved.
 */
long sc_emit_entry_window(const uint8_t *code, uint64_t va);

#endif
