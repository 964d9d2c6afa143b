/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

namespace scope::json {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

/* The letter of a two-character escape, 0: none. */
char ShortEscape(unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		return static_cast<char>(c);
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return 0;
	}
}

/* What may follow a lead byte: so many bytes, of which the first lies in [low, high]. */
struct Sequence {
	unsigned more;
	unsigned char low, high;
};

Sequence After(unsigned char lead)
{
	if (lead >= 0xc2 && lead <= 0xdf)
		return {1, 0x80, 0xbf};
	if (lead == 0xe0)
		return {2, 0xa0, 0xbf};
	if (lead == 0xed)
		return {2, 0x80, 0x9f};
	if (lead >= 0xe1 && lead <= 0xef)
		return {2, 0x80, 0xbf};
	if (lead == 0xf0)
		return {3, 0x90, 0xbf};
	if (lead >= 0xf1 && lead <= 0xf3)
		return {3, 0x80, 0xbf};
	if (lead == 0xf4)
		return {3, 0x80, 0x8f};
	return {0, 0, 0};
}

/* One character beyond ASCII, or a U+FFFD for the longest part of one; the bytes it took. */
size_t Wide(std::string_view text, std::string &out)
{
	auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
	Sequence rest = After(byte(0));
	size_t have = 1;

	while (have <= rest.more && have < text.size()) {
		unsigned char low = have == 1 ? rest.low : 0x80, high = have == 1 ? rest.high : 0xbf;

		if (byte(have) < low || byte(have) > high)
			break;
		have++;
	}
	out += rest.more != 0 && have == rest.more + 1 ? text.substr(0, have) : kReplacement;
	return have;
}

} // namespace

uint8_t *Integer(uint8_t *at, uint64_t value)
{
	uint8_t digits[20];
	unsigned used = 0;

	do {
		digits[used++] = static_cast<uint8_t>('0' + value % 10);
		value /= 10;
	} while (value != 0);
	while (used > 0)
		*at++ = digits[--used];
	return at;
}

uint8_t *Digits(uint8_t *at, uint64_t value, unsigned least)
{
	uint64_t limit = 1;

	for (unsigned i = 1; i < least; i++)
		limit *= 10;
	for (; limit > 1 && value < limit; limit /= 10)
		*at++ = '0';
	return Integer(at, value);
}

uint8_t *Decimal(uint8_t *at, uint64_t whole, unsigned digits)
{
	uint64_t unit = 1;

	for (unsigned i = 0; i < digits; i++)
		unit *= 10;
	at = Integer(at, whole / unit);
	uint64_t fraction = whole % unit;
	if (fraction == 0)
		return at;
	*at++ = '.';
	for (; fraction % 10 == 0; fraction /= 10)
		digits--;
	return Digits(at, fraction, digits);
}

bool IsPlain(std::string_view text)
{
	for (char one : text) {
		auto c = static_cast<unsigned char>(one);

		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
			return false;
	}
	return true;
}

std::string Quote(std::string_view text)
{
	std::string out = "\"";

	for (size_t i = 0; i < text.size();) {
		auto c = static_cast<unsigned char>(text[i]);

		if (c >= 0x80) {
			i += Wide(text.substr(i), out);
			continue;
		}
		if (char letter = ShortEscape(c))
			(out += '\\') += letter;
		else if (c < 0x20)
			((out += "\\u00") += kHex[c >> 4]) += kHex[c & 15];
		else
			out += static_cast<char>(c);
		i++;
	}
	return out += '"';
}

} // namespace scope::json
