/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of an HTTP/2 connection: HEADERS, CONTINUATION, PUSH_PROMISE, RST_STREAM and GOAWAY are
 * copied whole, of DATA the nine bytes before the payload, everything else is skipped. What one
 * transfer has goes into one record. The hold buffer of the direction collects:
 *
 *	| whole frames …            | frame that is not whole yet |   free   |
 *	0                           scan                          held       SC_HOLD_SIZE
 */
#include "probe/stream_internal.h"

#define FRAME_HEADER 9u

enum sc_frame {
	DATA = 0,
	HEADERS = 1,
	RST_STREAM = 3,
	PUSH_PROMISE = 5,
	GOAWAY = 7,
	CONTINUATION = 9
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Bytes of this direction are missing: its header table is unknown from here on. */
static void lose_frames(struct sc_flow *w)
{
	w->flags |= SC_FL_SYNC;
}

void sc_http2_begin(const struct sc_pass *pass, uint64_t skip)
{
	struct sc_stream *st = pass->st;
	int i;

	st->protocol = SC_PROTO_HTTP2;
	pass->io->f->protocol = SC_PROTO_HTTP2;
	for (i = 0; i < 2; i++) {
		if (&st->flow[i] != pass->w && st->flow[i].flags & SC_FL_SEEN)
			continue;
		/* Of a connection joined late the other direction may be in the middle of a frame. */
		st->flow[i].phase = st->late && &st->flow[i] != pass->w ? SC_PH_LOST : SC_PH_FRAME;
		st->flow[i].small_len = 0;
	}
	pass->w->left = skip;
	if (skip)
		pass->w->phase = SC_PH_FRAME_SKIP;
}

/* Records the whole frames; what is left moves to the front. */
void sc_http2_flush(const struct sc_pass *pass)
{
	struct sc_flow *w = pass->w;
	struct sc_message m = {.flags = w->flags & SC_FL_SYNC ? SC_MF_SYNC : 0};
	uint8_t *held;

	if (!w->hold)
		return;
	held = sc_hold(w);
	if (w->scan) {
		w->flags &= (uint16_t)~SC_FL_SYNC;
		if (!sc_emit(pass->io, SC_REC_HTTP2, 0, &m, held, w->scan))
			lose_frames(w);
		memmove(held, held + w->scan, w->held - w->scan);
		w->held -= w->scan;
		w->scan = 0;
	}
	if (w->held == 0)
		sc_hold_free(w);
}

/* Puts n bytes into the hold buffer. False: no room. */
static bool keep(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	struct sc_flow *w = pass->w;
	uint8_t *held = sc_hold(w);

	if (held && w->held + n > SC_HOLD_SIZE) {
		sc_http2_flush(pass);
		held = sc_hold(w);
	}
	if (!held || w->held + n > SC_HOLD_SIZE)
		return false;
	memcpy(held + w->held, p, n);
	w->held += (uint32_t)n;
	return true;
}

/* The nine bytes are in small: what follows? */
static void begin_frame(const struct sc_pass *pass)
{
	struct sc_flow *w = pass->w;
	uint32_t len = (uint32_t)w->small[0] << 16 | (uint32_t)w->small[1] << 8 | w->small[2];

	w->small_len = 0;
	w->left = len;
	w->phase = SC_PH_FRAME_SKIP;
	switch (w->small[3]) {
	case DATA:
		if (keep(pass, w->small, FRAME_HEADER))
			w->scan = w->held;
		break;
	case HEADERS:
	case RST_STREAM:
	case PUSH_PROMISE:
	case GOAWAY:
	case CONTINUATION:
		if (w->held + FRAME_HEADER + len > SC_HOLD_SIZE)
			sc_http2_flush(pass);
		if (w->held + FRAME_HEADER + len > SC_HOLD_SIZE ||
		    !keep(pass, w->small, FRAME_HEADER)) {
			lose_frames(w);
			break;
		}
		w->phase = SC_PH_FRAME_KEEP;
		break;
	}
	if (w->left == 0) {
		if (w->phase == SC_PH_FRAME_KEEP)
			w->scan = w->held;
		w->phase = SC_PH_FRAME;
	}
}

static uint64_t frame_header(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	struct sc_flow *w = pass->w;
	uint64_t take;

	if (w->flags & SC_FL_PREFACE && w->small_len == 0) {
		w->flags &= (uint16_t)~SC_FL_PREFACE;
		if (*p == 'P') {
			w->left = SC_PREFACE_LEN;
			w->phase = SC_PH_FRAME_SKIP;
			return 0;
		}
	}
	take = least(n, FRAME_HEADER - w->small_len);
	memcpy(w->small + w->small_len, p, take);
	w->small_len = (uint8_t)(w->small_len + take);
	if (w->small_len == FRAME_HEADER)
		begin_frame(pass);
	return take;
}

static uint64_t frame_payload(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	struct sc_flow *w = pass->w;
	uint64_t take = least(n, w->left);

	w->left -= take;
	if (w->phase == SC_PH_FRAME_KEEP) {
		keep(pass, p, take);
		if (w->left == 0)
			w->scan = w->held;
	}
	if (w->left == 0)
		w->phase = SC_PH_FRAME;
	return take;
}

void sc_http2_take(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	struct sc_flow *w = pass->w;

	while (n) {
		uint64_t took;

		if (w->phase == SC_PH_FRAME_KEEP || w->phase == SC_PH_FRAME_SKIP) {
			if (!p && w->phase == SC_PH_FRAME_KEEP)
				break;
			took = frame_payload(pass, p, n);
		} else if (w->phase == SC_PH_FRAME && p) {
			took = frame_header(pass, p, n);
		} else {
			break;
		}
		if (p)
			p += took;
		n -= took;
	}
	if (n && w->phase != SC_PH_LOST) {
		sc_hold_free(w);
		w->phase = SC_PH_LOST;
		lose_frames(w);
	}
}
