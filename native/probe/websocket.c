/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket after an upgrade: frames and payload bytes of each direction are counted, not kept. */
#include "probe/stream_internal.h"

static uint32_t header_len(const struct sc_flow *w)
{
	uint32_t len;

	if (w->small_len < 2)
		return 2;
	len = w->small[1] & 0x7f;
	return 2 + (len == 126 ? 2 : len == 127 ? 8 : 0) + (w->small[1] & 0x80 ? 4 : 0);
}

static uint64_t payload_len(const struct sc_flow *w)
{
	uint64_t len = w->small[1] & 0x7f;
	uint32_t i, bytes = len == 126 ? 2 : len == 127 ? 8 : 0;

	if (!bytes)
		return len;
	for (len = 0, i = 0; i < bytes; i++)
		len = len << 8 | w->small[2 + i];
	return len;
}

void sc_websocket_take(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	struct sc_flow *w = pass->w;

	while (n) {
		uint64_t take = 1;

		if (w->phase == SC_PH_FRAME_SKIP) {
			take = n < w->left ? n : w->left;
			w->left -= take;
			w->body += take;
			if (w->left == 0)
				w->phase = SC_PH_FRAME;
		} else if (w->phase == SC_PH_FRAME && p) {
			w->small[w->small_len++] = *p;
			if (w->small_len >= 2 && w->small_len == header_len(w)) {
				w->frames++;
				w->left = payload_len(w);
				w->small_len = 0;
				if (w->left)
					w->phase = SC_PH_FRAME_SKIP;
			}
		} else {
			w->phase = SC_PH_OFF;
			return;
		}
		if (p)
			p += take;
		n -= take;
	}
}

void sc_websocket_end(const struct sc_pass *pass)
{
	struct sc_flow *w = pass->w;
	struct sc_message m = {.body = w->body, .flags = SC_MF_END};

	m.count = w->frames > 0xffff ? 0xffff : (uint16_t)w->frames;
	if (w->frames)
		sc_emit(pass->io, SC_REC_WEBSOCKET, 0, &m, NULL, 0);
	w->frames = 0;
	w->phase = SC_PH_OFF;
}
