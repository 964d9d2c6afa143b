/* SPDX-License-Identifier: Apache-2.0 */
/* Gates: where stubs enter the library. They save what a C function may change. */
#ifndef SCOPE_PATCH_X86_64_GATE_H
#define SCOPE_PATCH_X86_64_GATE_H

#include "patch/patch.h"

struct sc_gate_handlers {
	sc_call_handler post;
	sc_call_handler pre;
	sc_call_handler tls;
};

/* Set before the first patch is written; never NULL afterwards. */
extern struct sc_gate_handlers sc_gate_handlers;

/* The code of all gates. */
extern const char sc_gates_begin[] __attribute__((visibility("hidden")));
extern const char sc_gates_end[] __attribute__((visibility("hidden")));

/* Fills a cells page (elf/emit.h) with the addresses of the gates. */
void sc_gate_cells(uint64_t *cells);

#endif
