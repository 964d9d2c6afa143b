/* SPDX-License-Identifier: Apache-2.0 */
/* One entry of .eh_frame: its numbers, its head, its instructions. Between cfi.c and cfi_entry.c. Layer 4. */
#ifndef SCOPE_INJECT_CFI_ENTRY_H
#define SCOPE_INJECT_CFI_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "inject/cfi.h"

#define SC_CFI_MAX 4096

/* Bytes being read, and where they lie in the process. */
struct sc_cfi_cursor {
	const uint8_t *p, *end;
	uint64_t va; /* of p's buffer */
	const uint8_t *start;
};

struct sc_cfi_cie {
	uint64_t code_align;
	int64_t data_align;
	uint8_t fde_encoding;
	int has_augmentation, is_signal;
	const uint8_t *code, *end;
};

uint64_t sc_cfi_uleb(struct sc_cfi_cursor *c);
/* A pointer as DW_EH_PE_* says. */
uint64_t sc_cfi_pointer(struct sc_cfi_cursor *c, uint8_t encoding, uint64_t data_base);

/* Length of the entry at va and its bytes (SC_CFI_MAX at most) behind the length. 0: bad. */
size_t sc_cfi_read(const struct sc_maps *m, uint64_t va, uint8_t *buf);
/* The entry that a function's entry refers to. 0: bad. */
int sc_cfi_parse(const struct sc_maps *m, uint64_t va, uint8_t *buf, struct sc_cfi_cie *cie);
/* Runs call frame instructions until loc passes ip. */
void sc_cfi_execute(struct sc_cfi_cursor *c, const struct sc_cfi_cie *cie, struct sc_cfi_row *row, const struct sc_cfi_row *initial,
		    uint64_t loc, uint64_t ip);

#endif
