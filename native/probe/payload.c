/* SPDX-License-Identifier: Apache-2.0 */
/* Payload capture: every byte of a connection and direction, up to the cap of the control block. */
#include "probe/stream_internal.h"

#define DETECT_MAX 256u

void sc_payload_take(const struct sc_io *io, struct sc_flow *w, uint32_t want)
{
	uint64_t cap = sc_probe_payload_max(io);
	uint64_t room = cap == 0 ? io->len : cap > w->total ? cap - w->total : 0;
	uint64_t n = io->len < room ? io->len : room;
	uint64_t at = 0;

	if (want & SC_WANT_DETECT && !(w->flags & SC_FL_SEEN) && io->iovcnt)
		sc_emit_iov(io, SC_REC_DETECT, 0, NULL, 0,
			    io->len < DETECT_MAX ? (uint32_t)io->len : DETECT_MAX);
	if (!(want & SC_WANT_PAYLOAD)) {
		return;
	}
	while (at < n) {
		uint32_t take = n - at < SC_TEXT_MAX ? (uint32_t)(n - at) : SC_TEXT_MAX;
		struct sc_message m = {.body = w->total + at};
		bool last = at + take == n;

		if (last && n < io->len)
			m.skip = io->len - n > UINT32_MAX ? UINT32_MAX : (uint32_t)(io->len - n);
		sc_emit_iov(io, SC_REC_PAYLOAD, m.skip ? SC_RF_CUT : 0, &m, at, take);
		at += take;
	}
	w->total += io->len;
}
