/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of channel.h as JavaScript objects: every list by name, every offset by offsetof. */
#pragma once

#include <napi.h>

namespace scope {

/* { enums: {want: {OPEN: 1, …}, …}, offsets: {record: {size, tsc, …}, …}, sizes: {…} }, frozen. */
Napi::Object MakeLayout(Napi::Env env);

} // namespace scope
