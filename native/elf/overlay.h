/* SPDX-License-Identifier: Apache-2.0 */
/* Completes a plan with its stubs and the patched copies of the pages it touches (plan.h). */
#ifndef SCOPE_ELF_OVERLAY_H
#define SCOPE_ELF_OVERLAY_H

#include "elf/plan.h"

/* The bytes sc_overlay_build needs for a plan as sc_scan left it, stubs and page copies included. */
size_t sc_overlay_room(const struct sc_elf *file, const struct sc_plan *plan);

/*
 * out: the plan as sc_scan left it, zeroes behind it, cap bytes in all. Appends stubs and pages; an
 * object without build-id, with relocated text or with its sites too far apart stays as it is.
 * Pre: file is a mapped file, never memory of a process (it may hold somebody's breakpoints).
 * Returns the size of the plan file, or -errno.
 */
long sc_overlay_build(const struct sc_elf *file, struct sc_plan *out, size_t cap);

#endif
