/* SPDX-License-Identifier: Apache-2.0 */
/* Entry of scope_addon.node: what TypeScript sees of the native half. */
#include <napi.h>

#include "clock.h"
#include "crc32c.h"
#include "file_lines.h"
#include "folder.h"
#include "layout.h"
#include "unixgram.h"

namespace {

/* clock(out): TSC, CLOCK_MONOTONIC and CLOCK_REALTIME in seconds, read together. */
void Clock(const Napi::CallbackInfo &info)
{
	auto out = info[0].As<Napi::Float64Array>();
	scope::ClockSample now = scope::SampleClocks();

	out[0] = static_cast<double>(now.cycles);
	out[1] = static_cast<double>(now.monotonic_ns) / 1e9;
	out[2] = static_cast<double>(now.real_ns) / 1e9;
}

Napi::Object Init(Napi::Env env, Napi::Object exports)
{
	exports.Set("layout", scope::MakeLayout(env));
	exports.Set("unixgram", scope::MakeUnixgram(env));
	exports.Set("Folder", scope::Folder::Define(env));
	exports.Set("FileLines", scope::FileLines::Define(env));
	exports.Set("crc32c", Napi::Function::New(env, scope::Crc32cOf));
	exports.Set("clock", Napi::Function::New(env, Clock));
	return exports;
}

} // namespace

NODE_API_MODULE(scope_addon, Init)
