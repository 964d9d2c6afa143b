/* SPDX-License-Identifier: Apache-2.0 */
/* What a record must look like. */
#include "check.h"

#include <array>
#include <cstring>

#include "scope/channel.h"

namespace scope {
namespace {

constexpr size_t kTypes = 64;
constexpr uint16_t kUnknown = 0xffff;

/* Least payload by type: the struct it begins with. */
constexpr std::array<uint16_t, kTypes> MakeLeast()
{
	std::array<uint16_t, kTypes> least{};

	for (auto &entry : least)
		entry = kUnknown;
#define X(name, n) least[n] = 0;
	SC_RECORD_LIST(X)
#undef X
	least[SC_REC_OPEN] = sizeof(struct sc_open);
	least[SC_REC_CLOSE] = sizeof(struct sc_close);
	least[SC_REC_CONN_OPEN] = sizeof(struct sc_conn);
	least[SC_REC_CONN_CLOSE] = sizeof(struct sc_conn) + sizeof(struct sc_close);
	least[SC_REC_EXIT] = sizeof(struct sc_exit);
	least[SC_REC_SAMPLE] = sizeof(struct sc_exit);
	least[SC_REC_NOTE] = sizeof(struct sc_note);
	least[SC_REC_HTTP1] = sizeof(struct sc_message);
	least[SC_REC_HTTP1_END] = sizeof(struct sc_message);
	least[SC_REC_HTTP2] = sizeof(struct sc_message);
	least[SC_REC_PAYLOAD] = sizeof(struct sc_message);
	least[SC_REC_WEBSOCKET] = sizeof(struct sc_message);
	return least;
}

constexpr auto kLeast = MakeLeast();

} // namespace

bool KnownType(uint16_t type)
{
	return type < kTypes && kLeast[type] != kUnknown;
}

bool PlausibleLength(uint32_t len, uint16_t type, size_t offset, uint64_t left)
{
	if (len == 0 || len % 8 != 0 || len > left || offset + len > SC_RING_SIZE)
		return false;
	if (type == SC_REC_PAD)
		return true;
	return len >= sizeof(struct sc_record) && len <= SC_RECORD_MAX;
}

bool SoundRecord(const uint8_t *record, uint32_t len)
{
	uint16_t type, used;

	memcpy(&type, record + offsetof(struct sc_record, type), sizeof type);
	memcpy(&used, record + offsetof(struct sc_record, used), sizeof used);
	return KnownType(type) && type != SC_REC_PAD && used <= len - sizeof(struct sc_record) &&
	       used >= kLeast[type];
}

size_t SoundBytes(const uint8_t *records, size_t bytes)
{
	size_t at = 0;

	while (bytes - at >= sizeof(struct sc_record)) {
		uint32_t len;
		memcpy(&len, records + at, sizeof len);
		if (len % 8 != 0 || len < sizeof(struct sc_record) || len > SC_RECORD_MAX ||
		    len > bytes - at || !SoundRecord(records + at, len))
			break;
		at += len;
	}
	return at;
}

} // namespace scope
