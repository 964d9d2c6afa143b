/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks of this machine. Pure, any thread. */
#pragma once

#include <cstdint>

#include "arch/x86_64/cycles.h"

namespace scope {

constexpr uint64_t kMillisecond = 1000000;
constexpr uint64_t kSecond = 1000 * kMillisecond;

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t MonotonicNs();

/* CLOCK_BOOTTIME in nanoseconds: what /proc/PID/stat counts process starts in. */
uint64_t BootNs();

struct ClockSample {
	uint64_t cycles;
	uint64_t monotonic_ns;
	uint64_t real_ns;
};

/* The three clocks read as close together as a few tries give. */
ClockSample SampleClocks();

} // namespace scope
