/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the socket and file probes tell about the bytes of a connection. Layer 4. Everything here is
 * called from the post hook of a call, takes no lock, keeps errno, and uses no memory but its own
 * pools; it makes no system call but one mmap for each thousand descriptors from 16,384 on; stack
 * use stays below 1 KiB.
 *
 * How a probe calls it, after its own counting and after SC_REC_CONN_OPEN was recorded:
 *
 *	if (sc_stream_wants(f, want))
 *		sc_stream_data(&(struct sc_io){.x = &x, .f = f, .fd = fd, .tx = 1, .iov = &v,
 *				       .iovcnt = 1, .len = ret, .ticks = ticks, .nr = nr});
 *
 * - only for sockets (kinds TCP, UDP, UNIX_*), only with len > 0, never for MSG_PEEK or MSG_OOB;
 * - len is what was moved and must lie inside the vectors (clamp the result of MSG_TRUNC);
 * - each datagram of sendmmsg/recvmmsg is one call of sc_stream_data();
 * - a descriptor that is opened anew starts with protocol = SC_PROTO_UNKNOWN (0).
 */
#ifndef SCOPE_PROBE_STREAM_H
#define SCOPE_PROBE_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include "scope/channel.h"

struct sc_ctx;

/* The same shape as struct iovec. */
struct sc_iovec {
	const void *base;
	uint64_t len;
};

/* One transfer on a connection. Filled by the probe, read-only here. */
struct sc_io {
	const struct sc_ctx *x;
	struct sc_fd *f;
	int32_t fd;
	uint32_t tx;                 /* 1: written or sent, 0: read or received */
	const struct sc_iovec *iov;
	uint32_t iovcnt;
	uint32_t name_len;           /* of name; 0: none */
	const void *name;            /* sockaddr of sendto, recvfrom, msg_name */
	uint64_t len;                /* bytes moved */
	uint32_t ticks;              /* duration of the call; 0: not measured */
	uint16_t nr;                 /* system call number, 0xffff: none */
	uint16_t tls;                /* 1: plaintext from a TLS hook */
};

#define SC_WANT_STREAM \
	(SC_WANT_HTTP | SC_WANT_DNS | SC_WANT_STATSD | SC_WANT_PAYLOAD | SC_WANT_DETECT)

/* The one compare that an unwanted byte costs. want: sc_control.want, read once per call. */
static inline bool sc_stream_wants(const struct sc_fd *f, uint32_t want)
{
	return (f->protocol != SC_PROTO_NONE && (want & SC_WANT_STREAM)) ||
	       (want & SC_WANT_PAYLOAD);
}

/* Bytes moved on a connection. */
void sc_stream_data(const struct sc_io *io);

/* len bytes sent or received without passing through memory: sendfile, splice. */
void sc_stream_skip(const struct sc_ctx *x, struct sc_fd *f, int32_t fd, uint32_t tx,
		    uint64_t len);

/* Plaintext of TLS on this connection, from a hook of the TLS library; bytes NULL: unseen ones. */
void sc_stream_plain(const struct sc_ctx *x, struct sc_fd *f, int32_t fd, uint32_t tx,
		     const void *bytes, uint64_t len);

/* Ties a connection that carries TLS to the library's session. False: another one has it. */
bool sc_stream_claim(const struct sc_fd *f, int32_t fd, const void *session);

/* A receive returned 0 (tx = 0), or shutdown for writing (tx = 1): ends a body without length. */
void sc_stream_end(const struct sc_ctx *x, struct sc_fd *f, int32_t fd, uint32_t tx);

/* Before SC_REC_CONN_CLOSE: records what is open, frees the state. */
void sc_stream_close(const struct sc_ctx *x, struct sc_fd *f, int32_t fd);

/*
 * The ports of a socket are known: at connect, bind, accept, and for datagrams without connect at
 * the first address seen. Host order, 0: unknown. Decides for DNS by port.
 */
void sc_stream_ports(struct sc_fd *f, uint32_t want, uint16_t local, uint16_t remote);

/* In the child of a fork: what another thread was in the middle of will never be finished. */
void sc_stream_fork(void);

#endif
