/* SPDX-License-Identifier: Apache-2.0 */
/* The addon's Folder class: Reader for JavaScript. Typed by src/channel/addon.ts. */
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include <napi.h>

#include "reader.h"

namespace scope {

class Folder : public Napi::ObjectWrap<Folder> {
      public:
	static Napi::Function Define(Napi::Env env);
	explicit Folder(const Napi::CallbackInfo &info);
	~Folder() override;

      private:
	using Info = const Napi::CallbackInfo &;

	struct Waking {
		std::atomic<bool> pending{false}; /* a call is on its way */
		std::atomic<bool> live{true};	  /* the folder is open */
	};

	Napi::Value Open(Info info);
	Napi::Value Start(Info info);
	void CloseMethod(Info info);
	void Scan(Info info);
	Napi::Value Arrivals(Info info);
	Napi::Value State(Info info);
	void Counters(Info info);
	void Calls(Info info);
	void Lost(Info info);
	Napi::Value Fds(Info info);
	void GetControl(Info info);
	void SetControl(Info info);
	void SetFileWatch(Info info);
	Napi::Value Next(Info info);
	void Commit(Info info);
	Napi::Value Position(Info info);
	Napi::Value Release(Info info);
	void Stats(Info info);
	Napi::Value Endings(Info info);
	Napi::Value Losing(Info info);
	Napi::Value Far(Info info);
	void RemoveFar(Info info);

	void Shut();
	Reader &Use(Info info);
	void Learn();
	std::shared_ptr<Channel> Get(Info info);
	struct sc_control *ControlOf(Info info);
	double *Out(Info info, size_t index, size_t length);

	std::unique_ptr<Reader> reader_;
	Napi::ThreadSafeFunction wake_;
	bool started_ = false;
	std::shared_ptr<Waking> waking_; /* outlives us in calls that are on their way */
	std::unordered_map<uint32_t, std::shared_ptr<Channel>> channels_;
	std::map<std::pair<int32_t, uint64_t>, uint32_t> by_name_;
	std::vector<std::shared_ptr<Channel>> fresh_; /* learned, not yet told */
	uint64_t orphans_ = 0;
	/* Ends the thread when Node ends without close(). */
	std::optional<Napi::Env::CleanupHook<void (*)(Folder *), Folder>> cleanup_;
};

} // namespace scope
