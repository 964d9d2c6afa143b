/* SPDX-License-Identifier: Apache-2.0 */
/* GnuTLS: the record functions. gnutls_record_send goes through _send2 where there is one. */
#include <stddef.h>
#include "base/mem.h"
#include "probe/entries.h"
#include "probe/tls.h"

static struct {
	long (*recv)(void *session, void *data, size_t size);
	long (*recv_seq)(void *session, void *data, size_t size, unsigned char *seq);
	long (*recv_early)(void *session, void *data, size_t size);
	long (*send)(void *session, const void *data, size_t size);
	long (*send2)(void *session, const void *data, size_t size, size_t pad, unsigned flags);
	long (*send_early)(void *session, const void *data, size_t size);
	int (*handshake)(void *session);
	int (*get_int)(const void *session); /* called, not hooked */
	bool used;
} gnutls SC_AT_START;

/* With a transport of the program's own the number may be half a pointer: the table refuses it. */
static inline void moved(void *session, uint32_t tx, const void *data, long n)
{
	sc_tls_moved(session, gnutls.get_int, tx, data, n > 0 ? (uint64_t)n : 0);
}

static long recv_(void *session, void *data, size_t size)
{
	long ret = gnutls.recv(session, data, size);

	moved(session, 0, data, ret);
	return ret;
}

static long recv_seq(void *session, void *data, size_t size, unsigned char *seq)
{
	long ret = gnutls.recv_seq(session, data, size, seq);

	moved(session, 0, data, ret);
	return ret;
}

static long recv_early(void *session, void *data, size_t size)
{
	long ret = gnutls.recv_early(session, data, size);

	moved(session, 0, data, ret);
	return ret;
}

/* data is NULL when a send that was interrupted goes on: then its bytes are not at hand. */
static long send_(void *session, const void *data, size_t size)
{
	long ret = gnutls.send(session, data, size);

	moved(session, 1, data, ret);
	return ret;
}

static long send2(void *session, const void *data, size_t size, size_t pad, unsigned flags)
{
	long ret = gnutls.send2(session, data, size, pad, flags);

	moved(session, 1, data, ret);
	return ret;
}

static long send_early(void *session, const void *data, size_t size)
{
	long ret = gnutls.send_early(session, data, size);

	moved(session, 1, data, ret);
	return ret;
}

static int handshake(void *session)
{
	int ret = gnutls.handshake(session);

	moved(session, 0, NULL, 0);
	return ret;
}

bool sc_gnutls_object(const struct sc_object *o)
{
	const struct sc_entry_hook hooks[] = {
		{"gnutls_record_recv", (void *)recv_, (void **)&gnutls.recv},
		{"gnutls_record_recv_seq", (void *)recv_seq, (void **)&gnutls.recv_seq},
		{"gnutls_record_recv_early_data", (void *)recv_early, (void **)&gnutls.recv_early},
		{"gnutls_record_send_early_data", (void *)send_early, (void **)&gnutls.send_early},
		{"gnutls_handshake", (void *)handshake, (void **)&gnutls.handshake},
		{"gnutls_record_send2", (void *)send2, (void **)&gnutls.send2},
		{"gnutls_record_send", (void *)send_, (void **)&gnutls.send},
	};
	bool two;

	if (gnutls.used || !sc_entries_find(o, "gnutls_record_recv"))
		return false;
	gnutls.used = true;
	gnutls.get_int = (int (*)(const void *))sc_entries_find(o, "gnutls_transport_get_int");
	sc_tls_present();
	two = sc_entries_find(o, "gnutls_record_send2") != NULL;
	sc_entries_hook(o, hooks, two ? 6 : 7);
	return true;
}

/* A thread may still be in a wrapper: the ways to the originals stay. */
void sc_gnutls_reset(void)
{
	gnutls.used = false;
}
