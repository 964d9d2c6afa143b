/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C by the instruction of SSE4.2. */
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <nmmintrin.h>

namespace scope {

inline bool HasCrc32c()
{
	return __builtin_cpu_supports("sse4.2") != 0;
}

/* Goes on with `sum`, neither of them inverted. Only where HasCrc32c(). */
__attribute__((target("sse4.2"))) inline uint32_t HardCrc32c(uint32_t sum, const uint8_t *at, size_t size)
{
	uint64_t wide = sum;

	for (; size >= sizeof wide; at += sizeof wide, size -= sizeof wide) {
		uint64_t word;

		memcpy(&word, at, sizeof word);
		wide = _mm_crc32_u64(wide, word);
	}
	sum = static_cast<uint32_t>(wide);
	for (; size > 0; at++, size--)
		sum = _mm_crc32_u8(sum, *at);
	return sum;
}

} // namespace scope
