/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framing state of connections, shared by the files of this folder that look into bytes. Not for
 * the probes of calls: they see stream.h alone.
 *
 *	sc_stream_data -> payload.c (every byte, when wanted)
 *	               -> dns.c, statsd.c (datagrams)
 *	               -> decide -> http1.c | http2.c | websocket.c | dns.c (streams)
 *	                                -> emit.c (records)
 */
#ifndef SCOPE_PROBE_STREAM_INTERNAL_H
#define SCOPE_PROBE_STREAM_INTERNAL_H

#include "probe/stream.h"
#include "base/mem.h"

#define SC_HOLD_SIZE (16u * 1024u) /* longest head that is captured whole */
#define SC_STREAMS   16384u        /* descriptors whose state is static */
/* Beyond, memory for so many at a time is mapped when the first of them is used. */
#define SC_STREAM_BLOCK  1024u
#define SC_STREAM_BLOCKS 1024u

/* Where one direction of a connection stands. */
enum sc_phase {
	SC_PH_START,      /* the next byte begins a message */
	SC_PH_HEAD,       /* inside a head whose bytes are held */
	SC_PH_HEAD_SKIP,  /* inside a head too long to hold */
	SC_PH_LENGTH,     /* left bytes of a body */
	SC_PH_CHUNK_SIZE, /* inside the line before a chunk; left is the number so far */
	SC_PH_CHUNK_DATA, /* left bytes of a chunk */
	SC_PH_CHUNK_END,  /* the line end after a chunk */
	SC_PH_TRAILER,    /* fields after the last chunk; left is the length of the line so far */
	SC_PH_UNTIL_END,  /* a body that ends with the connection */
	SC_PH_FRAME,      /* HTTP/2, WebSocket, DNS on TCP: inside the fixed part of a frame */
	SC_PH_FRAME_KEEP, /* left bytes of a frame that is captured */
	SC_PH_FRAME_SKIP, /* left bytes of a frame that is not */
	SC_PH_LOST,       /* somewhere inside a message: a head at the start of a transfer ends this */
	SC_PH_OFF         /* not looked at any more */
};

enum sc_side {
	SC_SIDE_UNKNOWN,
	SC_SIDE_REQUEST,
	SC_SIDE_RESPONSE
};

enum sc_flow_flag {
	SC_FL_SYNC = 1,     /* the next record carries SC_MF_SYNC */
	SC_FL_PREFACE = 2,  /* HTTP/2: the client's preface may come first */
	SC_FL_SEEN = 4,     /* bytes were seen: detection is over */
	SC_FL_LENGTH = 8,   /* HTTP/1: the head told the length of the body */
	SC_FL_DIGIT = 16,   /* chunk size: a digit was seen */
	SC_FL_EXT = 32,     /* chunk size: in the extension */
	SC_FL_BODY = 64     /* HTTP/1: a message's head was recorded, its body goes on */
};

/* One direction. Only the thread that holds busy looks at the rest. */
struct sc_flow {
	_Atomic(uint8_t) busy;
	uint8_t phase;
	uint8_t side;
	uint8_t small_len;    /* bytes in small */
	uint16_t hold;        /* index+1 of the hold buffer, 0: none */
	uint16_t flags;
	uint32_t held;        /* bytes in the hold buffer */
	uint32_t scan;        /* HTTP/1: where the search for the head's end goes on; HTTP/2: whole frames end here */
	uint32_t skip;        /* bytes of a head that could not be held */
	uint32_t pend_len;    /* a head that is recorded when the call's bytes are done */
	const uint8_t *pend;
	uint32_t pend_skip;
	uint32_t pend_end;
	uint64_t left;
	uint64_t body;
	uint64_t frames;      /* WebSocket */
	uint64_t total;       /* payload capture: bytes so far */
	uint8_t small[16];    /* fixed part of a frame that came in pieces */
};

struct sc_stream {
	uint64_t object;          /* whose state this is */
	const void *session;      /* of the TLS library that owns the connection */
	_Atomic(uint64_t) kinds;  /* 2 bits for each of 32 requests, enum sc_request_kind */
	_Atomic(uint32_t) asked;  /* requests seen */
	_Atomic(uint32_t) answered;
	uint8_t protocol;         /* enum sc_protocol */
	uint8_t late;             /* joined late */
	uint16_t tries;           /* transfers of a late connection that told nothing */
	struct sc_flow flow[2];   /* by sc_io.tx */
};

enum sc_request_kind {
	SC_REQ_OTHER,
	SC_REQ_HEAD,
	SC_REQ_CONNECT
};

/* One transfer on its way through a decoder. */
struct sc_pass {
	const struct sc_io *io;
	struct sc_stream *st;
	struct sc_flow *w;
};

/* ---- sniff.c: pure ---- */

enum sc_sniff {
	SC_SNIFF_NO,
	SC_SNIFF_MORE, /* may be, with more bytes */
	SC_SNIFF_REQUEST,
	SC_SNIFF_RESPONSE,
	SC_SNIFF_PREFACE,  /* HTTP/2 client */
	SC_SNIFF_SETTINGS, /* HTTP/2 server */
	SC_SNIFF_TLS,
	SC_SNIFF_FRAMES,   /* HTTP/2 joined late */
	SC_SNIFF_STATSD
};

#define SC_PREFACE_LEN 24u

enum sc_sniff sc_sniff(const uint8_t *p, uint64_t n);
enum sc_sniff sc_sniff_http1(const uint8_t *p, uint64_t n);
bool sc_sniff_frames(const uint8_t *p, uint64_t n);
bool sc_sniff_statsd(const uint8_t *p, uint64_t n);
const uint8_t *sc_find_lf(const uint8_t *p, const uint8_t *end);

/* ---- head.c: pure ---- */

enum sc_upgrade {
	SC_UP_NONE,
	SC_UP_WEBSOCKET,
	SC_UP_H2C,
	SC_UP_OTHER
};

/* What framing needs of an HTTP/1 head. */
struct sc_head {
	uint8_t side;     /* enum sc_side; SC_SIDE_UNKNOWN: not a head */
	uint8_t kind;     /* enum sc_request_kind */
	uint8_t chunked;
	uint8_t has_length;
	uint8_t upgrade;  /* enum sc_upgrade */
	uint16_t status;
	uint64_t length;
};

/* Length of the head that begins at p, its empty line included; 0: not whole. scan: in, out. */
uint64_t sc_head_end(const uint8_t *p, uint64_t n, uint32_t *scan);
/*
 * Reads the head at p as far as it is there. Returns its length, its empty line included; 0: it is
 * not whole, or no head (side is SC_SIDE_UNKNOWN).
 */
uint64_t sc_head_parse(const uint8_t *p, uint64_t n, struct sc_head *head);

/* ---- hold.c ---- */

/* The hold buffer of w, taken from the pool when it has none; NULL: none is free. */
uint8_t *sc_hold(struct sc_flow *w);
void sc_hold_free(struct sc_flow *w);

/* ---- decoders: take p[0…n) of a transfer; p NULL: bytes that did not pass through memory ---- */

void sc_http1_take(const struct sc_pass *pass, const uint8_t *p, uint64_t n);
void sc_http1_flush(const struct sc_pass *pass);
void sc_http1_end(const struct sc_pass *pass, bool closed);
void sc_http1_sync(const struct sc_pass *pass, const uint8_t *p, uint64_t n);
uint64_t sc_http1_body(const struct sc_pass *pass, const uint8_t *p, uint64_t n);
/* The message is over; the direction is not one of messages any more. */
void sc_http1_finish(const struct sc_pass *pass);
void sc_http1_lose(const struct sc_pass *pass);
/* The client's preface is here but for its last skip bytes. */
void sc_http2_begin(const struct sc_pass *pass, uint64_t skip);
void sc_http2_take(const struct sc_pass *pass, const uint8_t *p, uint64_t n);
void sc_http2_flush(const struct sc_pass *pass);
void sc_websocket_take(const struct sc_pass *pass, const uint8_t *p, uint64_t n);
void sc_websocket_end(const struct sc_pass *pass);
void sc_dns_take(const struct sc_pass *pass, const uint8_t *p, uint64_t n);

void sc_statsd_take(const struct sc_pass *pass, const uint8_t *p, uint64_t n);
void sc_datagram(const struct sc_io *io, uint32_t want);
void sc_payload_take(const struct sc_io *io, struct sc_flow *w, uint32_t want);

/* ---- tls.c ---- */

/* Ciphertext moved: this thread's next session without a descriptor is about it. */
void sc_tls_note(const struct sc_io *io);

/* ---- emit.c ---- */

/* sc_control.want and payload_max now. */
uint32_t sc_probe_want(const struct sc_io *io);
uint64_t sc_probe_payload_max(const struct sc_io *io);
/* So much memory, zero, for ever; NULL: none now. The one system call of these files. */
void *sc_probe_memory(uint64_t size);
/* It is not needed after all. */
void sc_probe_memory_free(void *at, uint64_t size);
/* Adds to a counter. */
void sc_probe_count(const struct sc_io *io, enum sc_counter counter, uint64_t n);
/*
 * Records n bytes at p with the message before them (NULL: none); flags beyond those of the
 * connection and direction. False: lost, and counted.
 */
bool sc_emit(const struct sc_io *io, uint16_t type, uint16_t flags, const struct sc_message *m,
	     const void *p, uint32_t n);
/* The same with n bytes of the transfer's vectors, from an offset on. */
bool sc_emit_iov(const struct sc_io *io, uint16_t type, uint16_t flags,
		 const struct sc_message *m, uint64_t from, uint32_t n);

#endif
