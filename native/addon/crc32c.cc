/* SPDX-License-Identifier: Apache-2.0 */
#include "crc32c.h"

#include <algorithm>
#include <array>

#include "arch/x86_64/crc32c.h"

namespace scope {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;

constexpr std::array<uint32_t, 256> MakeTable()
{
	std::array<uint32_t, 256> table{};

	for (uint32_t byte = 0; byte < table.size(); byte++) {
		uint32_t sum = byte;

		for (int bit = 0; bit < 8; bit++)
			sum = (sum >> 1) ^ (sum & 1 ? kPolynomial : 0);
		table[byte] = sum;
	}
	return table;
}

constexpr std::array<uint32_t, 256> kTable = MakeTable();

} // namespace

uint32_t SoftCrc32c(const uint8_t *at, size_t size)
{
	uint32_t sum = ~0u;

	for (const uint8_t *end = at + size; at < end; at++)
		sum = (sum >> 8) ^ kTable[(sum ^ *at) & 255];
	return ~sum;
}

uint32_t Crc32c(const uint8_t *at, size_t size)
{
	static const bool hard = HasCrc32c();

	return hard ? ~HardCrc32c(~0u, at, size) : SoftCrc32c(at, size);
}

Napi::Value Crc32cOf(const Napi::CallbackInfo &info)
{
	auto bytes = info[0].As<Napi::Uint8Array>();
	int64_t to = std::clamp<int64_t>(info[2].As<Napi::Number>().Int64Value(), 0, bytes.ByteLength());
	int64_t from = std::clamp<int64_t>(info[1].As<Napi::Number>().Int64Value(), 0, to);
	bool soft = info[3].ToBoolean();
	const uint8_t *at = bytes.Data() + from;
	size_t size = static_cast<size_t>(to - from);

	return Napi::Number::New(info.Env(), soft ? SoftCrc32c(at, size) : Crc32c(at, size));
}

} // namespace scope
