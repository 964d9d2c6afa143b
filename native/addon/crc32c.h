/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C, which Kafka sums its batches with and Node has no function for. Any thread. */
#pragma once
#include <napi.h>

namespace scope {

/* Both give the same; the second one is for machines without the instruction. */
uint32_t Crc32c(const uint8_t *at, size_t size);
uint32_t SoftCrc32c(const uint8_t *at, size_t size);

/* crc32c(bytes, from, to, soft?): the sum of bytes `from` to `to`. */
Napi::Value Crc32cOf(const Napi::CallbackInfo &info);

} // namespace scope
