/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NSS: SSL_ImportFD (libssl3) makes an NSPR descriptor one of TLS; the reads and writes of those
 * (libnspr4) are plaintext, of all others they are left alone.
 */
#include <stddef.h>
#include "base/mem.h"
#include "probe/entries.h"
#include "probe/tls.h"

#define PR_MSG_PEEK 2

static struct {
	void *(*import)(void *model, void *fd);
	int32_t (*read)(void *fd, void *buf, int32_t n);
	int32_t (*write)(void *fd, const void *buf, int32_t n);
	int32_t (*recv)(void *fd, void *buf, int32_t n, int flags, uint32_t timeout);
	int32_t (*send)(void *fd, const void *buf, int32_t n, int flags, uint32_t timeout);
	int (*native)(const void *fd); /* PR_FileDesc2NativeHandle: called, not hooked */
	bool ssl, nspr;
} nss SC_AT_START;

static inline void moved(void *fd, uint32_t tx, const void *buf, int32_t n)
{
	if (n > 0 && sc_tls_bound(fd))
		sc_tls_moved(fd, nss.native, tx, buf, (uint64_t)n);
}

static void *import(void *model, void *fd)
{
	void *ret = nss.import(model, fd);

	if (ret)
		sc_tls_bind(ret, nss.native ? nss.native(ret) : -1);
	return ret;
}

static int32_t read_(void *fd, void *buf, int32_t n)
{
	int32_t ret = nss.read(fd, buf, n);

	moved(fd, 0, buf, ret);
	return ret;
}

static int32_t write_(void *fd, const void *buf, int32_t n)
{
	int32_t ret = nss.write(fd, buf, n);

	moved(fd, 1, buf, ret);
	return ret;
}

static int32_t recv_(void *fd, void *buf, int32_t n, int flags, uint32_t timeout)
{
	int32_t ret = nss.recv(fd, buf, n, flags, timeout);

	if (!(flags & PR_MSG_PEEK))
		moved(fd, 0, buf, ret);
	return ret;
}

static int32_t send_(void *fd, const void *buf, int32_t n, int flags, uint32_t timeout)
{
	int32_t ret = nss.send(fd, buf, n, flags, timeout);

	moved(fd, 1, buf, ret);
	return ret;
}

bool sc_nss_object(const struct sc_object *o)
{
	const struct sc_entry_hook ssl = {"SSL_ImportFD", (void *)import, (void **)&nss.import};
	const struct sc_entry_hook nspr[] = {
		{"PR_Read", (void *)read_, (void **)&nss.read},
		{"PR_Write", (void *)write_, (void **)&nss.write},
		{"PR_Recv", (void *)recv_, (void **)&nss.recv},
		{"PR_Send", (void *)send_, (void **)&nss.send},
	};

	if (!nss.ssl && sc_entries_find(o, "SSL_ImportFD")) {
		nss.ssl = true;
		sc_tls_present();
		return sc_entries_hook(o, &ssl, 1) > 0;
	}
	if (!nss.nspr && sc_entries_find(o, "PR_FileDesc2NativeHandle")) {
		nss.nspr = true;
		nss.native = (int (*)(const void *))sc_entries_find(o, "PR_FileDesc2NativeHandle");
		return sc_entries_hook(o, nspr, sizeof(nspr) / sizeof(nspr[0])) > 0;
	}
	return false;
}

/* A thread may still be in a wrapper: the ways to the originals stay. */
void sc_nss_reset(void)
{
	nss.ssl = nss.nspr = false;
}
