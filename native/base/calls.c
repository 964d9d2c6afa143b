/* SPDX-License-Identifier: Apache-2.0 */
/* The table of hooked calls, by number. */
#include <stddef.h>
#include "base/calls.h"

const struct sc_call_info sc_call_table[SC_NR_MAX] = {
#define X(name, cls, flags) [__NR_##name] = {SC_CALL_HOOKED | (flags), SC_CLASS_##cls},
	SC_CALL_LIST(X)
#undef X
};

/* A switch, not a table of pointers: no relocation. */
const char *sc_call_name(uint32_t nr)
{
	switch (nr) {
#define X(name, cls, flags)                                                                        \
	case __NR_##name:                                                                          \
		return #name;
		SC_CALL_LIST(X)
#undef X
	default:
		return NULL;
	}
}
