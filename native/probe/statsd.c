/* SPDX-License-Identifier: Apache-2.0 */
/* StatsD lines on a stream: each transfer is handed over as it is. */
#include "probe/stream_internal.h"

void sc_statsd_take(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	while (p && n) {
		uint32_t take = n < SC_TEXT_MAX ? (uint32_t)n : SC_TEXT_MAX;

		sc_emit(pass->io, SC_REC_STATSD, take < n ? SC_RF_MORE : 0, NULL, p, take);
		p += take;
		n -= take;
	}
}
