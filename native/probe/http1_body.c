/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of HTTP/1 messages: counted by length, by chunks or to the end of the connection. */
#include "probe/stream_internal.h"

#define TRAILER_MAX (16u * 1024u)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint64_t chunk_size(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	struct sc_flow *w = pass->w;
	uint64_t i;

	for (i = 0; i < n; i++) {
		int digit = w->flags & SC_FL_EXT ? -1 : hex_digit(p[i]);

		if (p[i] == '\n') {
			if (!(w->flags & SC_FL_DIGIT)) {
				sc_http1_lose(pass);
				return n;
			}
			w->flags &= (uint16_t)~(SC_FL_DIGIT | SC_FL_EXT);
			w->phase = w->left ? SC_PH_CHUNK_DATA : SC_PH_TRAILER;
			w->skip = 0;
			return i + 1;
		}
		if (digit >= 0) {
			if (w->left >> 56) {
				sc_http1_lose(pass);
				return n;
			}
			w->left = w->left << 4 | (uint64_t)digit;
			w->flags |= SC_FL_DIGIT;
		} else if (!(w->flags & SC_FL_DIGIT)) {
			sc_http1_lose(pass);
			return n;
		} else {
			w->flags |= SC_FL_EXT;
		}
	}
	return n;
}

static uint64_t chunk_end(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	struct sc_flow *w = pass->w;

	if (*p == '\n') {
		w->phase = SC_PH_CHUNK_SIZE;
		w->left = 0;
		return 1;
	}
	if (*p != '\r') {
		sc_http1_lose(pass);
		return n;
	}
	return 1;
}

/* left: length of the line so far; skip: of all of them. */
static uint64_t trailer(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	struct sc_flow *w = pass->w;
	uint64_t i;

	for (i = 0; i < n; i++) {
		if (p[i] == '\n') {
			if (w->left == 0) {
				sc_http1_finish(pass);
				return i + 1;
			}
			w->left = 0;
		} else if (p[i] != '\r') {
			w->left++;
			if (w->skip++ > TRAILER_MAX) {
				sc_http1_lose(pass);
				return n;
			}
		}
	}
	return n;
}

/* A step that needs no look at the bytes. */
static uint64_t count_body(const struct sc_pass *pass, uint64_t n)
{
	struct sc_flow *w = pass->w;
	uint64_t take = w->phase == SC_PH_UNTIL_END ? n : least(n, w->left);

	w->body += take;
	if (w->phase == SC_PH_UNTIL_END)
		return take;
	w->left -= take;
	if (w->left == 0) {
		if (w->phase == SC_PH_LENGTH)
			sc_http1_finish(pass);
		else
			w->phase = SC_PH_CHUNK_END;
	}
	return take;
}

/* Takes bytes in a phase that belongs to a body; p is not looked at in those that only count. */
uint64_t sc_http1_body(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	switch (pass->w->phase) {
	case SC_PH_LENGTH:
	case SC_PH_CHUNK_DATA:
	case SC_PH_UNTIL_END:
		return count_body(pass, n);
	case SC_PH_CHUNK_SIZE:
		return chunk_size(pass, p, n);
	case SC_PH_CHUNK_END:
		return chunk_end(pass, p, n);
	case SC_PH_TRAILER:
		return trailer(pass, p, n);
	default:
		return n;
	}
}
