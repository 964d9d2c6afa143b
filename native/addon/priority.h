/* SPDX-License-Identifier: Apache-2.0 */
/* How soon the kernel runs a thread that became ready. */
#pragma once

namespace scope {

/*
 * The thread works for microseconds at a time and must not wait long for its turn: bursts fill a ring
 * in a millisecond. A short slice goes first when it wakes (Linux 6.12, no privilege needed); a
 * negative nice value where it is allowed. Both are favours: refused, it works all the same.
 */
void AskForPromptness();

} // namespace scope
