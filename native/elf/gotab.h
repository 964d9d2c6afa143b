/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the Go code of an executable is, by .gopclntab, which every Go program carries, stripped or
 * not (Go 1.18 and later). Go code has no red zone, small stacks and its own calling convention, so
 * its sites get other stubs than C code.
 */
#ifndef SCOPE_ELF_GOTAB_H
#define SCOPE_ELF_GOTAB_H

#include "elf/image.h"

#define SC_GO_CALLS 4

struct sc_go {
	uint64_t text, end;  /* Go code: virtual addresses; 0, 0: not understood */
	uint64_t call[SC_GO_CALLS]; /* the `syscall`s whose number the caller gives; 0: fewer than that */
	uint64_t table;      /* of functions */
	uint32_t functions;
	uint64_t tls[2], tls_end[2]; /* crypto/tls.(*Conn).Read, Write; 0: not in the program */
	uint32_t g_in_fs;    /* the current g is at %fs:-8 */
	int32_t g_at;        /* where it is not there: its place from %fs; 0: not known */
	int is_go;           /* a Go program, whatever its version */
};

/* Looks for a Go program in the object. 0: found and understood; -ENOENT; -ENOTSUP: unknown version. */
int sc_go_find(const struct sc_elf *elf, struct sc_go *go);

/* Whether a note names Go's toolchain: such a program is Go even when its table is not understood. */
int sc_go_is_noted(const struct sc_elf *elf);

/* Virtual address of the n-th function. */
uint64_t sc_go_function(const struct sc_elf *elf, const struct sc_go *go, uint32_t n);

#endif
