/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of fs.open and fs.close, from records to NDJSON: by far the most frequent events, whose bytes are mostly the
 * same for all of a process. The addon's FileLines class, one for each image. Typed by src/channel/addon.ts.
 */
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <napi.h>

#include "file_logs.h"
#include "file_table.h"
#include "scope/channel.h"

namespace scope {

class FileLines : public Napi::ObjectWrap<FileLines> {
      public:
	static Napi::Function Define(Napi::Env env);
	explicit FileLines(const Napi::CallbackInfo &info);

      private:
	using Info = const Napi::CallbackInfo &;

	/* What the lines of one source share. */
	struct Source {
		std::string head;   /* up to the value of `_channel`, its prefix included */
		std::string middle; /* from there to the value of `_time` */
		std::string tail;   /* from there to the value of `file` */
	};

	/* TSC to time, and where lines go. */
	struct Run {
		double tsc, real, real_per_tick, nanos_per_tick;
		uint8_t *at, *end;
		bool doubtful = false; /* the last line's path may hold a secret */
		LogRun logs;
	};

	static void SetEnds(Info info);
	static void SetOps(Info info);
	void SetLogs(Info info);
	Napi::Value Encode(Info info);
	Napi::Value Get(Info info);
	void Set(Info info);
	Napi::Value List(Info info);

	void Open(const struct sc_record &record, Run &run);
	void Close(const struct sc_record &record, const OpenFile *known, Run &run);
	static uint64_t TimeOf(const struct sc_record &record, const Run &run);
	void Begin(const Source &source, const struct sc_record &record, const OpenFile &file, uint64_t micros,
		   Run &run) const;
	void End(const struct sc_record &record, Run &run) const;

	Source open_, close_;
	std::string owner_;		/* `,"proc_uid":…` of the process */
	bool enhance_ = false;
	std::shared_ptr<FileTable> files_;
	std::optional<FileLogs> logs_;
};

} // namespace scope
