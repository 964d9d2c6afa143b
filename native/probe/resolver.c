/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookups through libc: getaddrinfo and gethostbyname, which may ask nscd, systemd-resolved or files
 * and send no packet we would see. The relay joins them with the packets inside.
 */
#include <errno.h>
#include <stddef.h>
#include "base/mem.h"
#include "probe/entries.h"
#include "probe/probe.h"

#define NAME_MAX_LEN 255u

struct addrinfo;

static struct {
	int (*getaddrinfo)(const char *node, const char *service, const struct addrinfo *hints,
			   struct addrinfo **out);
	int (*byname_r)(const char *name, void *ret, char *buf, size_t len, void **result,
			int *error);
	int (*byname2_r)(const char *name, int af, void *ret, char *buf, size_t len, void **result,
			 int *error);
} libc;

static void record(const struct sc_ctx *x, const char *name, uint16_t flags, int64_t ret,
		   uint64_t ticks)
{
	uint32_t len = (uint32_t)sc_strnlen(name, NAME_MAX_LEN);
	struct sc_record *r = sc_record_begin(x, SC_REC_RESOLVE, -1, len);

	if (!r)
		return;
	r->flags = flags;
	r->ret = ret;
	r->ticks = sc_saturate(ticks);
	memcpy(sc_record_payload(r), name, len);
	sc_record_commit(x, r, len);
}

/* Recorded before the packets of the call, which belong to it however many they are. */
static uint64_t begin(const char *name)
{
	struct sc_ctx x;

	if (name && sc_enter(&x) && x.want & SC_WANT_DNS)
		record(&x, name, SC_RF_MORE, 0, 0);
	return sc_rdtsc();
}

static void end(const char *name, uint64_t start, int64_t ret, bool again)
{
	struct sc_ctx x;

	if (!name || !sc_enter(&x))
		return;
	if (ret && !again)
		sc_count(&x, SC_C_DNS_ERR, 1);
	if (x.want & SC_WANT_DNS)
		record(&x, name, again ? SC_RF_CUT : 0, ret, sc_rdtsc() - start);
}

static int getaddrinfo_(const char *node, const char *service, const struct addrinfo *hints,
			struct addrinfo **out)
{
	uint64_t start = begin(node);
	int ret = libc.getaddrinfo(node, service, hints, out);

	end(node, start, ret, false);
	return ret;
}

/* ERANGE: the caller comes again with a larger buffer. */
static int byname_r(const char *name, void *host, char *buf, size_t len, void **result, int *error)
{
	uint64_t start = begin(name);
	int ret = libc.byname_r(name, host, buf, len, result, error);

	end(name, start, ret ? ret : *result ? 0 : -ENOENT, ret == ERANGE);
	return ret;
}

static int byname2_r(const char *name, int af, void *host, char *buf, size_t len, void **result,
		     int *error)
{
	uint64_t start = begin(name);
	int ret = libc.byname2_r(name, af, host, buf, len, result, error);

	end(name, start, ret ? ret : *result ? 0 : -ENOENT, ret == ERANGE);
	return ret;
}

bool sc_resolver_object(const struct sc_object *o)
{
	const struct sc_entry_hook hooks[] = {
		{"getaddrinfo", (void *)getaddrinfo_, (void **)&libc.getaddrinfo},
		{"gethostbyname_r", (void *)byname_r, (void **)&libc.byname_r},
		{"gethostbyname2_r", (void *)byname2_r, (void **)&libc.byname2_r},
	};

	return sc_entries_hook(o, hooks, sizeof(hooks) / sizeof(hooks[0])) > 0;
}
