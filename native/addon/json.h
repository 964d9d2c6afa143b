/* SPDX-License-Identifier: Apache-2.0 */
/* Appends JSON text to memory that the caller made large enough. The same text as src/records/byte-writer.ts makes. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace scope::json {

inline uint8_t *Bytes(uint8_t *at, std::string_view text)
{
	memcpy(at, text.data(), text.size());
	return at + text.size();
}

/* At most 20 digits. */
uint8_t *Integer(uint8_t *at, uint64_t value);

/* With zeros in front up to `least` digits. */
uint8_t *Digits(uint8_t *at, uint64_t value, unsigned least);

/* whole / 10^digits without zeros at its end: 1500 with 3 digits is 1.5. */
uint8_t *Decimal(uint8_t *at, uint64_t whole, unsigned digits);

/* Whether every byte stands for itself between quotation marks. */
bool IsPlain(std::string_view text);

/* As a JSON string, quotation marks included; bytes that are no UTF-8 become U+FFFD as in TextDecoder. */
std::string Quote(std::string_view text);

} // namespace scope::json
