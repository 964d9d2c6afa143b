/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Survives the truncation of a mapped file. A SIGBUS inside a registered range is answered with a
 * page of zeros in place of the lost one; whoever owns the range sees a hit and gives it up.
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace scope::guard {

/* Registers a range; the handler is installed with the first. Slot ≥ 0, or -ENOSPC. Any thread. */
int Add(void *base, size_t size);
void Remove(int slot);

/* Pages lost in this range since Add. */
uint32_t Hits(int slot);

} // namespace scope::guard
