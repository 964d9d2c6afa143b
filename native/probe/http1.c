/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the messages of an HTTP/1 connection begin and end. A head is recorded once its bytes are
 * all there and the transfer is worked through, so that a body that came with it needs no record of
 * its own; bodies are counted, never copied.
 *
 *	START -> HEAD -> LENGTH | CHUNK_SIZE -> CHUNK_DATA -> CHUNK_END | UNTIL_END -> START
 *	anything unexpected -> LOST -> (a head at the start of a transfer) -> START
 *
 * Longer than other files: the states call each other on every path, and none is of use without the others.
 */
#include "probe/stream_internal.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Remembers what kind of request it was: the framing of its response depends on it. */
static void push_request(struct sc_stream *st, uint8_t kind)
{
	uint32_t n = atomic_load_explicit(&st->asked, memory_order_relaxed);
	uint32_t shift = n % 32 * 2;
	uint64_t kinds = atomic_load_explicit(&st->kinds, memory_order_relaxed) & ~(3ull << shift);

	/* Only the direction of requests writes, and one thread at a time. */
	atomic_store_explicit(&st->kinds, kinds | (uint64_t)kind << shift, memory_order_relaxed);
	/* Release: the kind is there before the count. Pairs with the acquire in pop_request(). */
	atomic_store_explicit(&st->asked, n + 1, memory_order_release);
}

/*
 * The kind of the request that a final response answers. A reading thread can be ahead of the one
 * that wrote the request: then the count runs ahead too, and the next ones fit again.
 */
static uint8_t pop_request(struct sc_stream *st)
{
	uint32_t asked = atomic_load_explicit(&st->asked, memory_order_acquire);
	uint32_t n = atomic_load_explicit(&st->answered, memory_order_relaxed);
	uint64_t kinds = atomic_load_explicit(&st->kinds, memory_order_relaxed);

	if (n == asked && st->late)
		return SC_REQ_OTHER;
	atomic_store_explicit(&st->answered, n + 1, memory_order_relaxed);
	if ((int32_t)(asked - n) <= 0 || asked - n > 32)
		return SC_REQ_OTHER;
	return (uint8_t)(kinds >> (n % 32 * 2) & 3);
}

static uint16_t message_flags(struct sc_flow *w)
{
	uint16_t flags = w->flags & SC_FL_SYNC ? SC_MF_SYNC : 0;

	w->flags &= (uint16_t)~SC_FL_SYNC;
	return flags;
}

/* Records the head that waits for the end of the transfer. */
void sc_http1_flush(const struct sc_pass *pass)
{
	struct sc_flow *w = pass->w;
	struct sc_message m = {.body = w->body, .skip = w->pend_skip};
	uint16_t flags = w->pend_skip ? SC_RF_CUT : 0;

	if (!w->pend)
		return;
	m.flags = (uint16_t)(message_flags(w) | (w->pend_end ? SC_MF_END : 0));
	if (!sc_emit(pass->io, SC_REC_HTTP1, flags, &m, w->pend, w->pend_len))
		w->flags |= SC_FL_SYNC;
	sc_probe_count(pass->io, SC_C_HTTP_HEADS, 1);
	w->pend = NULL;
	w->pend_end = 0;
	if (w->phase != SC_PH_HEAD)
		sc_hold_free(w);
}

/*
 * Not a message any more. The very first bytes of a connection that looked like HTTP were something
 * else then: it is left alone for good.
 */
void sc_http1_lose(const struct sc_pass *pass)
{
	struct sc_flow *w = pass->w;

	sc_http1_flush(pass);
	sc_hold_free(w);
	w->phase = SC_PH_LOST;
	w->flags = (uint16_t)((w->flags & ~SC_FL_BODY) | SC_FL_SYNC);
	if (pass->io->f->protocol != SC_PROTO_HTTP1 && !pass->st->late) {
		pass->st->protocol = SC_PROTO_NONE;
		pass->io->f->protocol = SC_PROTO_NONE;
	}
}

static void record_end(const struct sc_pass *pass, uint16_t flags)
{
	struct sc_message m = {.body = pass->w->body, .flags = flags};

	sc_emit(pass->io, SC_REC_HTTP1_END, 0, &m, NULL, 0);
}

void sc_http1_finish(const struct sc_pass *pass)
{
	struct sc_flow *w = pass->w;

	if (w->pend) {
		w->pend_end = 1;
		sc_http1_flush(pass);
	} else if (!(w->flags & SC_FL_LENGTH)) {
		record_end(pass, SC_MF_END);
	}
	w->flags &= (uint16_t)~(SC_FL_BODY | SC_FL_LENGTH);
	w->body = 0;
	w->phase = SC_PH_START;
}

/* The connection speaks another protocol from here on, in both directions. */
static void switch_to(const struct sc_pass *pass, uint8_t protocol)
{
	struct sc_stream *st = pass->st;
	struct sc_flow *response = pass->w;
	struct sc_flow *request = response == &st->flow[0] ? &st->flow[1] : &st->flow[0];

	sc_http1_flush(pass);
	st->protocol = protocol;
	pass->io->f->protocol = protocol;
	response->phase = protocol == SC_PROTO_HTTP2 || protocol == SC_PROTO_WEBSOCKET
				  ? SC_PH_FRAME
				  : SC_PH_OFF;
	response->small_len = 0;
	response->left = 0;
	/* The request direction is idle: its peer waits for this response. */
	if (!atomic_exchange_explicit(&request->busy, 1, memory_order_acquire)) {
		sc_hold_free(request);
		request->phase = response->phase;
		request->small_len = 0;
		request->left = 0;
		request->flags |= SC_FL_PREFACE;
		atomic_store_explicit(&request->busy, 0, memory_order_release);
	}
}

static void begin_body(const struct sc_pass *pass, const struct sc_head *head, bool none)
{
	struct sc_flow *w = pass->w;

	w->body = 0;
	w->flags = (uint16_t)((w->flags & ~(SC_FL_LENGTH | SC_FL_DIGIT | SC_FL_EXT)) | SC_FL_BODY);
	w->left = 0;
	if (none) {
		sc_http1_finish(pass);
	} else if (head->chunked) {
		w->phase = SC_PH_CHUNK_SIZE;
	} else if (head->has_length) {
		w->flags |= SC_FL_LENGTH;
		w->left = head->length;
		w->phase = SC_PH_LENGTH;
		if (w->left == 0)
			sc_http1_finish(pass);
	} else if (head->side == SC_SIDE_RESPONSE) {
		w->phase = SC_PH_UNTIL_END;
	} else {
		sc_http1_finish(pass);
	}
}

static void begin_response(const struct sc_pass *pass, const struct sc_head *head)
{
	uint8_t kind;

	if (head->status == 101) {
		pop_request(pass->st);
		pass->w->pend_end = 1;
		switch_to(pass, head->upgrade == SC_UP_H2C         ? SC_PROTO_HTTP2
				: head->upgrade == SC_UP_WEBSOCKET ? SC_PROTO_WEBSOCKET
								   : SC_PROTO_NONE);
		return;
	}
	if (head->status < 200) {
		begin_body(pass, head, true);
		return;
	}
	kind = pop_request(pass->st);
	if (kind == SC_REQ_CONNECT && head->status < 300) {
		pass->w->pend_end = 1;
		/* Most likely TLS: its bytes tell the hooks of TLS libraries which descriptor it is. */
		switch_to(pass, SC_PROTO_TLS);
		return;
	}
	begin_body(pass, head, kind == SC_REQ_HEAD || head->status == 204 || head->status == 304);
}

/* The first part of HTTP/2's preface looks like a head; "SM\r\n\r\n" is still to come. */
static void begin_http2(const struct sc_pass *pass)
{
	sc_hold_free(pass->w);
	sc_http2_begin(pass, SC_PREFACE_LEN - 18);
}

/* A whole head, parsed: len bytes at p, after which skip were left out. */
static void begin_message(const struct sc_pass *pass, const uint8_t *p, uint64_t len, uint32_t skip,
			  const struct sc_head *head)
{
	struct sc_flow *w = pass->w;

	if (w->side != SC_SIDE_UNKNOWN && w->side != head->side) {
		sc_http1_lose(pass);
		return;
	}
	w->side = head->side;
	pass->io->f->protocol = SC_PROTO_HTTP1;
	w->pend = p;
	w->pend_len = (uint32_t)least(len, SC_HOLD_SIZE);
	w->pend_skip = (uint32_t)(len - w->pend_len) + skip;
	w->pend_end = 0;
	w->body = 0;
	w->phase = SC_PH_START;
	if (head->side == SC_SIDE_REQUEST) {
		push_request(pass->st, head->kind);
		begin_body(pass, head, false);
	} else {
		begin_response(pass, head);
	}
}

/* Bytes that end as a head does. */
static void head_done(const struct sc_pass *pass, const uint8_t *p, uint64_t len, uint32_t skip)
{
	struct sc_head head;

	if (len >= 14 && memcmp(p, "PRI * HTTP/2.0", 14) == 0) {
		begin_http2(pass);
		return;
	}
	sc_head_parse(p, len, &head);
	if (head.side == SC_SIDE_UNKNOWN)
		sc_http1_lose(pass);
	else
		begin_message(pass, p, len, skip, &head);
}

static bool may_be_head(const uint8_t *p, uint64_t n)
{
	return sc_sniff_http1(p, n) != SC_SNIFF_NO || memcmp(p, "PRI * HTTP/2.0", least(n, 14)) == 0;
}

/* Holds n bytes of a head that is not whole yet. Returns how many were taken. */
static uint64_t hold_bytes(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	struct sc_flow *w = pass->w;
	bool first = w->phase == SC_PH_START;
	uint8_t *held = sc_hold(w);
	uint64_t room, take, end;

	if (!held) {
		sc_http1_lose(pass);
		return n;
	}
	room = SC_HOLD_SIZE - w->held;
	take = least(n, room);
	memcpy(held + w->held, p, take);
	end = sc_head_end(held, w->held + take, &w->scan);
	if (end) {
		take = end - w->held;
		w->held = (uint32_t)end;
		head_done(pass, held, end, 0);
		return take;
	}
	w->held += (uint32_t)take;
	w->phase = SC_PH_HEAD;
	if (w->held == SC_HOLD_SIZE) {
		w->phase = SC_PH_HEAD_SKIP;
		w->skip = 0;
		w->left = 0;
	} else if ((first || w->held < 32) && !may_be_head(held, w->held)) {
		sc_http1_lose(pass);
	}
	return take;
}

/* A head longer than the hold buffer: looks for its end alone. left: length of the line so far. */
static uint64_t skip_head(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	struct sc_flow *w = pass->w;
	uint64_t i;

	for (i = 0; i < n; i++) {
		w->skip++;
		if (p[i] == '\n') {
			if (w->left == 0) {
				head_done(pass, sc_hold(w), SC_HOLD_SIZE, w->skip);
				return i + 1;
			}
			w->left = 0;
		} else if (p[i] != '\r') {
			w->left++;
		}
	}
	return n;
}

static uint64_t start_head(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	struct sc_flow *w = pass->w;
	struct sc_head head;
	uint32_t scan = 0;
	uint64_t end;

	if (*p == '\r' || *p == '\n')
		return 1;
	sc_http1_flush(pass);
	end = sc_head_parse(p, n, &head);
	if (end) {
		begin_message(pass, p, end, 0, &head);
		return w->phase == SC_PH_LOST ? n : end;
	}
	end = sc_head_end(p, n, &scan);
	if (!end)
		return hold_bytes(pass, p, n);
	head_done(pass, p, end, 0);
	return w->phase == SC_PH_LOST ? n : end;
}

static uint64_t step(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	switch (pass->w->phase) {
	case SC_PH_START:
		return start_head(pass, p, n);
	case SC_PH_HEAD:
		return hold_bytes(pass, p, n);
	case SC_PH_HEAD_SKIP:
		return skip_head(pass, p, n);
	case SC_PH_LOST:
	case SC_PH_OFF:
		return n;
	default:
		return sc_http1_body(pass, p, n);
	}
}

static bool counts_only(uint8_t phase)
{
	return phase == SC_PH_LENGTH || phase == SC_PH_CHUNK_DATA || phase == SC_PH_UNTIL_END;
}

void sc_http1_take(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	while (n && pass->st->protocol == SC_PROTO_HTTP1) {
		uint64_t took;

		if (!p && !counts_only(pass->w->phase)) {
			if (pass->w->phase != SC_PH_OFF)
				sc_http1_lose(pass);
			return;
		}
		took = step(pass, p, n);
		if (p)
			p += took;
		n -= took;
	}
	/* 101 in the middle of a transfer: the rest is of the new protocol. */
	if (n && pass->st->protocol == SC_PROTO_HTTP2)
		sc_http2_take(pass, p, n);
	else if (n && pass->st->protocol == SC_PROTO_WEBSOCKET)
		sc_websocket_take(pass, p, n);
}

/* Lost, at the start of a transfer: goes on when a head begins here. */
void sc_http1_sync(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	struct sc_flow *w = pass->w;
	enum sc_sniff sniff = sc_sniff_http1(p, n);

	if (sniff != SC_SNIFF_REQUEST && sniff != SC_SNIFF_RESPONSE)
		return;
	if (w->side == SC_SIDE_RESPONSE && sniff == SC_SNIFF_RESPONSE) {
		/* Which request this answers is unknown: the newest is the best guess. */
		uint32_t asked = atomic_load_explicit(&pass->st->asked, memory_order_relaxed);

		atomic_store_explicit(&pass->st->answered, asked ? asked - 1 : 0, memory_order_relaxed);
	}
	w->phase = SC_PH_START;
	w->body = 0;
	w->flags |= SC_FL_SYNC;
}

/* No more bytes come in this direction. */
void sc_http1_end(const struct sc_pass *pass, bool closed)
{
	struct sc_flow *w = pass->w;

	sc_http1_flush(pass);
	if (w->flags & SC_FL_BODY) {
		if (w->phase == SC_PH_UNTIL_END)
			record_end(pass, SC_MF_END);
		else if (closed)
			record_end(pass, SC_MF_SHORT);
		else
			return;
		w->flags &= (uint16_t)~SC_FL_BODY;
	}
	if (closed || w->phase == SC_PH_UNTIL_END)
		w->phase = SC_PH_OFF;
}
