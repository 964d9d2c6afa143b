/* SPDX-License-Identifier: Apache-2.0 */
/* Call frame information (.eh_frame) of another process: where a function's caller kept its registers. Layer 4. */
#ifndef SCOPE_INJECT_CFI_H
#define SCOPE_INJECT_CFI_H

#include <stdint.h>

#include "inject/crash.h"

#define SC_CFI_COLUMNS 17 /* DWARF numbers of the general registers, 16: the return address */

/* Where the caller's value of a register is. */
enum sc_cfi_rule { SC_CFI_SAME, SC_CFI_AT_CFA, SC_CFI_IS_CFA, SC_CFI_UNKNOWN };

struct sc_cfi_column {
	enum sc_cfi_rule rule;
	int64_t off;
};

struct sc_cfi_row {
	unsigned cfa_reg;
	int64_t cfa_off;
	int by_expression; /* of .plt entries and signal frames: not followed */
	struct sc_cfi_column col[SC_CFI_COLUMNS];
};

enum sc_cfi_found {
	SC_CFI_NONE,   /* nothing is known of this place */
	SC_CFI_SIGNAL, /* where signal handlers return to */
	SC_CFI_ROW     /* the row is filled */
};

/* What the tables of the object that holds ip say about ip. One caller at a time. */
enum sc_cfi_found sc_cfi_find(const struct sc_maps *m, uint64_t ip, struct sc_cfi_row *row);

#endif
