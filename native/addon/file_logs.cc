/* SPDX-License-Identifier: Apache-2.0 */
#include "file_logs.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "json.h"

namespace scope {
namespace {

/* Digits of the object in a channel, at least: src/relay/sources/channel-id.ts. */
constexpr unsigned kObjectDigits = 6;
/* Lengths that are known at the end take so many bytes: src/records/otlp/proto.ts. */
constexpr size_t kLength = 4;
/* Tags, lengths and values of all attributes but the path, without their keys. */
constexpr size_t kFixed = 512;
constexpr uint64_t kSafe = (uint64_t(1) << 53) - 1;

/* Fields of LogRecord, KeyValue and AnyValue. */
constexpr uint8_t kLogRecords = 0x12, kTime = 0x09, kObserved = 0x59, kAttributes = 0x32;
constexpr uint8_t kValue = 0x12, kString = 0x0a, kInt = 0x18, kDouble = 0x21;

std::vector<std::string> operations;

std::string Bytes(const Napi::Value &value)
{
	auto bytes = value.As<Napi::Uint8Array>();
	return {reinterpret_cast<const char *>(bytes.Data()), bytes.ByteLength()};
}

uint8_t *Varint(uint8_t *at, uint64_t value)
{
	for (; value >= 128; value >>= 7)
		*at++ = static_cast<uint8_t>(value | 128);
	*at++ = static_cast<uint8_t>(value);
	return at;
}

size_t VarintSize(uint64_t value)
{
	size_t size = 1;

	for (; value >= 128; value >>= 7)
		size++;
	return size;
}

/* A length of what lies behind it up to `end`. */
void PutLength(uint8_t *at, const uint8_t *end)
{
	size_t rest = static_cast<size_t>(end - at) - kLength;

	for (size_t i = 0; i + 1 < kLength; i++, rest >>= 7)
		at[i] = static_cast<uint8_t>(rest | 128);
	at[kLength - 1] = rest & 127;
}

uint8_t *Fixed64(uint8_t *at, uint8_t tag, uint64_t value)
{
	*at++ = tag;
	memcpy(at, &value, sizeof value);
	return at + sizeof value;
}

} // namespace

FileLogs::FileLogs(const Napi::Object &parts)
    : open_head_(Bytes(parts.Get("openHead"))), close_head_(Bytes(parts.Get("closeHead"))),
      prefix_(Bytes(parts.Get("prefix"))), owner_(Bytes(parts.Get("owner")))
{
	auto keys = parts.Get("keys").As<Napi::Array>();

	for (uint32_t i = 0; i < kKeys && i < keys.Length(); i++)
		keys_[i] = Bytes(keys.Get(i));
	fixed_ = kFixed + open_head_.size() + close_head_.size() + prefix_.size() + owner_.size();
	for (const std::string &key : keys_)
		fixed_ += key.size();
}

void FileLogs::SetOps(const Napi::Array &ops)
{
	operations.clear();
	for (uint32_t i = 0; i < ops.Length(); i++)
		operations.push_back(Bytes(ops.Get(i)));
}

/* A text in two parts. */
uint8_t *FileLogs::Text(uint8_t *at, Key key, std::string_view first, std::string_view rest) const
{
	size_t size = first.size() + rest.size(), any = 1 + VarintSize(size) + size;

	if (keys_[key].empty())
		return at;
	*at++ = kAttributes;
	at = Varint(at, keys_[key].size() + 1 + VarintSize(any) + any);
	at = json::Bytes(at, keys_[key]);
	*at++ = kValue;
	at = Varint(at, any);
	*at++ = kString;
	at = Varint(at, size);
	return json::Bytes(json::Bytes(at, first), rest);
}

uint8_t *FileLogs::Number(uint8_t *at, Key key, uint64_t value) const
{
	size_t any = 1 + VarintSize(value);

	if (value > kSafe)
		return Fraction(at, key, static_cast<double>(value));
	if (keys_[key].empty())
		return at;
	*at++ = kAttributes;
	at = Varint(at, keys_[key].size() + 2 + any);
	at = json::Bytes(at, keys_[key]);
	*at++ = kValue;
	at = Varint(at, any);
	*at++ = kInt;
	return Varint(at, value);
}

uint8_t *FileLogs::Fraction(uint8_t *at, Key key, double value) const
{
	if (keys_[key].empty())
		return at;
	*at++ = kAttributes;
	uint8_t *pair = at;
	at = json::Bytes(at + kLength, keys_[key]);
	*at++ = kValue;
	uint8_t *any = at;
	at += kLength;
	*at++ = kDouble;
	memcpy(at, &value, sizeof value);
	at += sizeof value;
	PutLength(any, at);
	PutLength(pair, at);
	return at;
}

uint8_t *FileLogs::Begin(std::string_view head, const struct sc_record &record, const OpenFile &file,
			 uint64_t micros, const LogRun &run) const
{
	uint8_t digits[20];
	uint8_t *at = run.at;

	*at++ = kLogRecords;
	at = Fixed64(at + kLength, kTime, micros * 1000);
	at = Fixed64(at, kObserved, run.observed * 1000);
	at = json::Bytes(at, head);
	if (record.object != 0) {
		auto size = static_cast<size_t>(json::Digits(digits, record.object, kObjectDigits) - digits);
		at = Text(at, kChannel, prefix_, {reinterpret_cast<char *>(digits), size});
	}
	at = file.plain ? Text(at, kFile, file.path) : Text(at, kFile, json::Utf8(file.path));
	at = json::Bytes(at, owner_);
	at = Number(at, kPerms, file.perms);
	at = Number(at, kOwner, file.owner);
	return Number(at, kGroup, file.group);
}

void FileLogs::End(uint8_t *start, uint8_t *at, const struct sc_record &record, LogRun &run)
{
	at = json::Bytes(at, record.nr < operations.size() ? operations[record.nr] : operations.back());
	PutLength(start + 1, at);
	run.at = at;
}

void FileLogs::Open(const struct sc_record &record, const OpenFile &file, uint64_t micros, LogRun &run) const
{
	End(run.at, Begin(open_head_, record, file, micros, run), record, run);
}

void FileLogs::Close(const struct sc_record &record, const OpenFile &file, uint64_t micros, double mean,
		     LogRun &run) const
{
	const auto &info = *reinterpret_cast<const struct sc_close *>(&record + 1);
	uint8_t *at = Begin(close_head_, record, file, micros, run);
	double duration = mean / 1000;

	at = Number(at, kRxBytes, info.rx_bytes);
	at = Number(at, kRxOps, info.rx_ops);
	at = Number(at, kTxBytes, info.tx_bytes);
	at = Number(at, kTxOps, info.tx_ops);
	at = duration == std::floor(duration)
		     ? Number(at, kDuration, static_cast<uint64_t>(duration))
		     : Fraction(at, kDuration, duration);
	End(run.at, at, record, run);
}

} // namespace scope
