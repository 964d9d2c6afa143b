/* SPDX-License-Identifier: Apache-2.0 */
/* What a record must look like: the checks between an application's memory and ours. Pure. */
#pragma once

#include <cstddef>
#include <cstdint>

namespace scope {

/*
 * Whether `len` (without SC_LEN_BUSY) can be the length of a record of `type` at ring offset `offset`
 * with `left` bytes up to the head.
 */
bool PlausibleLength(uint32_t len, uint16_t type, size_t offset, uint64_t left);

/* Whether the type is one of SC_RECORD_LIST. */
bool KnownType(uint16_t type);

/*
 * Whether a record of `len` bytes, already copied to private memory, keeps its promises: known type,
 * payload within the record and as long as the type's struct.
 */
bool SoundRecord(const uint8_t *record, uint32_t len);

/* Walks records back to back; the number of leading bytes that are sound. */
size_t SoundBytes(const uint8_t *records, size_t bytes);

} // namespace scope
