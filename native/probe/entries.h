/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks at the entry of library functions: TLS plaintext and name lookups. Layer 4. Installed at
 * start, and again when objects were loaded since; which functions, each library's file tells.
 *
 * Wrappers are ordinary functions on the application's stack with unwind tables (a cancelled thread
 * unwinds through them); they call the original and never touch its result, errno or arguments.
 */
#ifndef SCOPE_PROBE_ENTRIES_H
#define SCOPE_PROBE_ENTRIES_H

#include <stdbool.h>
#include <stdint.h>
#include "channel/chan.h"

/* Hooks what is loaded now. Once, when no other thread of this process patches. */
void sc_entries_start(void);

/* The patches were taken back: the next start begins anew. */
void sc_entries_reset(void);

/* A file was opened the way loaders do: its functions are hooked soon when it is a library. */
void sc_entries_opened(const char *path);

extern _Atomic(uint32_t) sc_entries_pending;
void sc_entries_scan(void);

/* Between system calls of the application, outside of the loader. One compare. */
static inline void sc_entries_check(void)
{
	if (sc_unlikely(atomic_load_explicit(&sc_entries_pending, memory_order_relaxed)))
		sc_entries_scan();
}

struct sc_object;

/* One function of an object: its wrapper, and where the way to the original goes. */
struct sc_entry_hook {
	const char *name;
	void *wrapper;
	void **original;
};

/* The address of a function that the object defines, or NULL. */
void *sc_entries_find(const struct sc_object *o, const char *name);

/* Hooks each of n functions that the object defines. Returns how many. */
uint32_t sc_entries_hook(const struct sc_object *o, const struct sc_entry_hook *hooks, uint32_t n);

/* Each library's file: hooks its functions when the object is one of its kind. */
bool sc_openssl_object(const struct sc_object *o);
bool sc_gnutls_object(const struct sc_object *o);
bool sc_nss_object(const struct sc_object *o);
bool sc_resolver_object(const struct sc_object *o);
void sc_openssl_reset(void);
void sc_gnutls_reset(void);
void sc_nss_reset(void);

#endif
