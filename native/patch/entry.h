/* SPDX-License-Identifier: Apache-2.0 */
/* Undoes what sc_patch_entry (patch.h) did. */
#ifndef SCOPE_PATCH_ENTRY_H
#define SCOPE_PATCH_ENTRY_H

/* Writes the first bytes of all hooked functions back. */
int sc_entry_undo(void);

#endif
