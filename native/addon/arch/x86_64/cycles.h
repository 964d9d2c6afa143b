/* SPDX-License-Identifier: Apache-2.0 */
/* The clock that libscope stamps records with. */
#pragma once

#include <cstdint>

namespace scope {

inline uint64_t Cycles()
{
	return __builtin_ia32_rdtsc();
}

} // namespace scope
