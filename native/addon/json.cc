/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

namespace scope::json {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr char kPairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
			  "49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
			  "9899";
static_assert(sizeof kPairs == 201);
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

constexpr uint64_t kPowers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};

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
	uint8_t *end = digits + sizeof digits, *begin = end;

	/* Two at a time: the divisions are what it costs. */
	while (value >= 100) {
		memcpy(begin -= 2, kPairs + 2 * (value % 100), 2);
		value /= 100;
	}
	if (value >= 10)
		memcpy(begin -= 2, kPairs + 2 * value, 2);
	else
		*--begin = static_cast<uint8_t>('0' + value);
	memcpy(at, begin, static_cast<size_t>(end - begin));
	return at + (end - begin);
}

uint8_t *Digits(uint8_t *at, uint64_t value, unsigned least)
{
	uint64_t limit = kPowers[least - 1];

	for (; limit > 1 && value < limit; limit /= 10)
		*at++ = '0';
	return Integer(at, value);
}

uint8_t *Fraction(uint8_t *at, uint64_t fraction, unsigned digits)
{
	if (fraction == 0)
		return at;
	*at++ = '.';
	for (; fraction % 10 == 0; fraction /= 10)
		digits--;
	return Digits(at, fraction, digits);
}

uint8_t *Decimal(uint8_t *at, uint64_t whole, unsigned digits)
{
	uint64_t unit = kPowers[digits];

	return Fraction(Integer(at, whole / unit), whole % unit, digits);
}

std::string Utf8(std::string_view text)
{
	std::string out;

	for (size_t i = 0; i < text.size();) {
		if (static_cast<unsigned char>(text[i]) >= 0x80)
			i += Wide(text.substr(i), out);
		else
			out += text[i++];
	}
	return out;
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
