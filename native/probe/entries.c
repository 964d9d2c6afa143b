/* SPDX-License-Identifier: Apache-2.0 */
/* Which objects have functions to hook, at start and when more were loaded. Layer 4. */
#include <errno.h>
#include "base/mem.h"
#include "patch/objects.h"
#include "patch/patch.h"
#include "probe/entries.h"

_Atomic(uint32_t) sc_entries_pending SC_AT_START;

static _Atomic(uint32_t) busy SC_AT_START;
static uint64_t seen_more[SC_SEEN_MORE];
static struct sc_objects_seen seen SC_AT_START = { .more = seen_more };

/* The object whose getaddrinfo others call, until one does. */
static struct {
	struct sc_object object;
	bool known, wanted, hooked;
} resolver SC_AT_START;

void *sc_entries_find(const struct sc_object *o, const char *name)
{
	const Elf64_Sym *s = sc_elf_lookup(&o->elf, name);

	if (!s || ELF64_ST_TYPE(s->st_info) != STT_FUNC || s->st_shndx == SHN_UNDEF)
		return NULL;
	return (void *)(o->elf.bias + s->st_value);
}

uint32_t sc_entries_hook(const struct sc_object *o, const struct sc_entry_hook *hooks, uint32_t n)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < n; i++) {
		void *function = sc_entries_find(o, hooks[i].name);

		if (function && !sc_patch_entry(function, hooks[i].wrapper, hooks[i].original))
			done++;
	}
	return done;
}

/* The object calls the resolver of libc: it has the name among its undefined symbols. */
static bool resolves(const struct sc_object *o)
{
	struct sc_elf_symbols t;
	uint64_t undefined;

	if (sc_elf_symbols(&o->elf, &t) || !t.sym || !t.str)
		return false;
	/* The GNU hash sorts what is defined behind what is not. */
	undefined = t.gnu_hash ? t.gnu_hash[1] : t.count;
	for (uint64_t i = 1; i < undefined && i < 65536; i++) {
		const char *name = t.str + t.sym[i].st_name;

		if (t.sym[i].st_shndx != SHN_UNDEF || name[0] != 'g' || name[1] != 'e')
			continue;
		if (sc_streq(name, "getaddrinfo") || sc_starts(name, "gethostbyname"))
			return true;
	}
	return false;
}

static int look(const struct sc_object *o, void *arg)
{
	(void)arg;
	if (!resolver.known && !(o->role & SC_OBJECT_EXE) && sc_entries_find(o, "getaddrinfo")) {
		resolver.object = *o;
		resolver.known = true;
		return 0;
	}
	if (!resolver.wanted && resolves(o))
		resolver.wanted = true;
	if (!sc_openssl_object(o) && !sc_gnutls_object(o))
		sc_nss_object(o);
	return 0;
}

void sc_entries_scan(void)
{
	if (atomic_exchange_explicit(&busy, 1, memory_order_acquire))
		return;
	seen.careful = atomic_load_explicit(&sc_chan.threaded, memory_order_relaxed);
	atomic_store_explicit(&sc_entries_pending, 0, memory_order_relaxed);
	if (!sc_chan.quiet) {
		sc_patch_entries_begin();
		if (sc_objects_fresh(&seen, look, NULL) == -EAGAIN)
			atomic_store_explicit(&sc_entries_pending, 1, memory_order_relaxed);
		if (resolver.known && resolver.wanted && !resolver.hooked) {
			resolver.hooked = true;
			sc_resolver_object(&resolver.object);
		}
		sc_patch_entries_end();
	}
	atomic_store_explicit(&busy, 0, memory_order_release);
}

void sc_entries_start(void)
{
	sc_entries_scan();
}

void sc_entries_reset(void)
{
	seen.used = 0;
	memset(&resolver, 0, sizeof(resolver));
	sc_openssl_reset();
	sc_gnutls_reset();
	sc_nss_reset();
}

/* "libssl.so.3", "_ssl.cpython-311.so" */
void sc_entries_opened(const char *path)
{
	const char *base = sc_base_name(path);

	for (; *base; base++) {
		if (base[0] == '.' && base[1] == 's' && base[2] == 'o' &&
		    (base[3] == 0 || base[3] == '.')) {
			atomic_store_explicit(&sc_entries_pending, 1, memory_order_relaxed);
			return;
		}
	}
}
