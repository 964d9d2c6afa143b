/* SPDX-License-Identifier: Apache-2.0 */
/* Entry of scope_addon.node: what TypeScript sees of the native half. */
#include <napi.h>

#include "layout.h"
#include "unixgram.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports)
{
	exports.Set("layout", scope::MakeLayout(env));
	exports.Set("unixgram", scope::MakeUnixgram(env));
	return exports;
}

} // namespace

NODE_API_MODULE(scope_addon, Init)
