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

/* With zeros in front up to `least` digits, 7 at most. */
uint8_t *Digits(uint8_t *at, uint64_t value, unsigned least);

/* Behind a whole number: a point and fraction / 10^digits without zeros at its end; nothing for 0. */
uint8_t *Fraction(uint8_t *at, uint64_t fraction, unsigned digits);

/* whole / 10^digits without zeros at its end: 1500 with 3 digits is 1.5. 6 digits at most. */
uint8_t *Decimal(uint8_t *at, uint64_t whole, unsigned digits);

/* Whether the byte stands for itself between quotation marks. */
constexpr bool IsPlain(unsigned char c)
{
	return c >= 0x20 && c <= 0x7e && c != '"' && c != '\\';
}

/* What is no UTF-8 becomes U+FFFD as in TextDecoder. */
std::string Utf8(std::string_view text);

/* As a JSON string, quotation marks included; bytes that are no UTF-8 become U+FFFD as in TextDecoder. */
std::string Quote(std::string_view text);

} // namespace scope::json
