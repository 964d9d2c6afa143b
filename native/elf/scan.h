/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the scan share: the text under study and what is known of each byte. */
#ifndef SCOPE_ELF_SCAN_H
#define SCOPE_ELF_SCAN_H

#include "elf/gotab.h"
#include "elf/plan.h"

enum sc_mark {
	SC_MARK_START, /* an instruction begins here */
	SC_MARK_TARGET,/* something jumps here, or a function begins */
	SC_MARK_SYNC,  /* a function begins here: the sweep starts anew */
	SC_MARKS
};

/* One executable segment. */
struct sc_text {
	const struct sc_elf *elf;
	const struct sc_go *go; /* NULL: no Go code */
	const uint8_t *code;    /* its bytes */
	uint64_t va, len;
	uint8_t *mark[SC_MARKS]; /* bitmaps, len bits each */
};

static inline int sc_marked(const struct sc_text *t, enum sc_mark m, uint64_t at)
{
	return at < t->len && (t->mark[m][at >> 3] >> (at & 7) & 1);
}

static inline void sc_mark(const struct sc_text *t, enum sc_mark m, uint64_t at)
{
	if (at < t->len)
		t->mark[m][at >> 3] |= (uint8_t)(1u << (at & 7));
}

/* Where sites are put while the text is swept. */
struct sc_site_list {
	struct sc_site *site;
	uint32_t n, cap;
	uint32_t all, unseen;
	int full;
};

/* Marks the starts of functions that unwind tables, dynamic symbols and Go's table give. */
void sc_scan_functions(const struct sc_text *text);

/* arch: marks instructions and branch targets of the whole text. */
void sc_scan_sweep(const struct sc_text *text);

/*
 * arch: the site of kind TLS_ENTRY or TLS_END that begins at an offset of Go's TLS functions. 1: found;
 * window and flags are set.
 */
int sc_scan_go_tls(const struct sc_text *text, uint64_t at, struct sc_site *site);

/* arch: adds the sites of hooked calls with their windows. Pre: swept. */
void sc_scan_sites(const struct sc_text *text, struct sc_site_list *list);

#endif
