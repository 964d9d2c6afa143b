/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log records of OTLP that stand for fs.open and fs.close: the bytes that src/records/otlp/logs.ts writes of their
 * events. What the records of a process or of all share comes from there, too: see src/relay/sources/file-logs.ts.
 */
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <napi.h>

#include "file_table.h"
#include "scope/channel.h"

namespace scope {

/* Where log records go, and what they have in common. */
struct LogRun {
	uint8_t *begin = nullptr;
	uint8_t *at = nullptr; /* nullptr: none are made */
	uint8_t *end = nullptr;
	uint64_t observed = 0; /* microseconds since the epoch */

	uint32_t used() const
	{
		return static_cast<uint32_t>(at - begin);
	}

	size_t room() const
	{
		return static_cast<size_t>(end - at);
	}
};

class FileLogs {
      public:
	explicit FileLogs(const Napi::Object &parts);

	/* The operation as an attribute, by system call number; the last one for all others. */
	static void SetOps(const Napi::Array &ops);

	/* Bytes of a record at most, for a path of so many: what is no UTF-8 makes three of one. */
	size_t Most(size_t path) const
	{
		return fixed_ + 3 * path;
	}
	/* The room must be Most(). */
	void Open(const struct sc_record &record, const OpenFile &file, uint64_t micros, LogRun &run) const;
	/* `mean`: whole nanoseconds of an operation. */
	void Close(const struct sc_record &record, const OpenFile &file, uint64_t micros, double mean,
		   LogRun &run) const;

      private:
	enum Key { kChannel, kFile, kPerms, kOwner, kGroup, kRxBytes, kRxOps, kTxBytes, kTxOps, kDuration, kKeys };

	uint8_t *Begin(std::string_view head, const struct sc_record &record, const OpenFile &file,
		       uint64_t micros, const LogRun &run) const;
	static void End(uint8_t *start, uint8_t *at, const struct sc_record &record, LogRun &run);
	uint8_t *Number(uint8_t *at, Key key, uint64_t value) const;
	uint8_t *Fraction(uint8_t *at, Key key, double value) const;
	uint8_t *Text(uint8_t *at, Key key, std::string_view first, std::string_view rest = {}) const;

	std::string open_head_, close_head_; /* attributes before the channel's, and the event's name */
	std::string prefix_;		     /* of every channel */
	std::string owner_;		     /* attributes of the process behind the path */
	std::array<std::string, kKeys> keys_; /* field `key` of a KeyValue; empty: the attribute is left out */
	size_t fixed_;			      /* of a record without its path, at most */
};

} // namespace scope
