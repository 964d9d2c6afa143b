/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plaintext of TLS sessions, whatever the library: which descriptor a session is on, and handing
 * its bytes to the stream decoders. Layer 4.
 */
#ifndef SCOPE_PROBE_TLS_H
#define SCOPE_PROBE_TLS_H

#include <stdint.h>

/* A TLS library is hooked in this process: ciphertext is worth a note. */
void sc_tls_present(void);

/*
 * A call of a TLS library returned. moved: plaintext bytes, 0: none (a handshake may still tell the
 * session's descriptor). ask: the library's function for it, called when the session is new; NULL:
 * there is none. bytes NULL: they were not seen.
 */
void sc_tls_moved(const void *session, int (*ask)(const void *session), uint32_t tx,
		  const void *bytes, uint64_t moved);

/* The session is on this descriptor, and is one of TLS. */
void sc_tls_bind(const void *session, int fd);

/* The session was bound. */
int sc_tls_bound(const void *session);

#endif
