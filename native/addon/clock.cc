/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks of this machine. */
#include "clock.h"

#include <ctime>

namespace scope {
namespace {

uint64_t Read(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return static_cast<uint64_t>(now.tv_sec) * kSecond + static_cast<uint64_t>(now.tv_nsec);
}

} // namespace

uint64_t MonotonicNs()
{
	return Read(CLOCK_MONOTONIC);
}

uint64_t BootNs()
{
	return Read(CLOCK_BOOTTIME);
}

ClockSample SampleClocks()
{
	ClockSample best{};
	uint64_t best_width = UINT64_MAX;

	/* The narrowest of a few is the one that was not interrupted. */
	for (int i = 0; i < 5; i++) {
		uint64_t before = Cycles();
		uint64_t monotonic = Read(CLOCK_MONOTONIC);
		uint64_t real = Read(CLOCK_REALTIME);
		uint64_t after = Cycles();

		if (after - before < best_width) {
			best_width = after - before;
			best = {before + (after - before) / 2, monotonic, real};
		}
	}
	return best;
}

} // namespace scope
