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

static void resolved(const char *name, uint64_t start, int64_t ret)
{
	struct sc_record *r;
	struct sc_ctx x;
	uint32_t len;

	if (!name || !sc_enter(&x))
		return;
	if (ret)
		sc_count(&x, SC_C_DNS_ERR, 1);
	if (!(x.want & SC_WANT_DNS))
		return;
	len = (uint32_t)sc_strnlen(name, NAME_MAX_LEN);
	r = sc_record_begin(&x, SC_REC_RESOLVE, -1, len);
	if (!r)
		return;
	r->ret = ret;
	r->ticks = sc_saturate(sc_rdtsc() - start);
	memcpy(sc_record_payload(r), name, len);
	sc_record_commit(&x, r, len);
}

static int getaddrinfo_(const char *node, const char *service, const struct addrinfo *hints,
			struct addrinfo **out)
{
	uint64_t start = sc_rdtsc();
	int ret = libc.getaddrinfo(node, service, hints, out);

	resolved(node, start, ret);
	return ret;
}

/* ERANGE: the caller comes again with a larger buffer. */
static int byname_r(const char *name, void *host, char *buf, size_t len, void **result, int *error)
{
	uint64_t start = sc_rdtsc();
	int ret = libc.byname_r(name, host, buf, len, result, error);

	if (ret != ERANGE)
		resolved(name, start, ret ? ret : *result ? 0 : -ENOENT);
	return ret;
}

static int byname2_r(const char *name, int af, void *host, char *buf, size_t len, void **result,
		     int *error)
{
	uint64_t start = sc_rdtsc();
	int ret = libc.byname2_r(name, af, host, buf, len, result, error);

	if (ret != ERANGE)
		resolved(name, start, ret ? ret : *result ? 0 : -ENOENT);
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
