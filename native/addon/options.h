/* SPDX-License-Identifier: Apache-2.0 */
/* JavaScript values as the reader takes them. */
#pragma once

#include <string>

#include <napi.h>

#include "reader.h"

namespace scope {

/* The bytes of a typed array; empty for anything else. */
std::string BytesOf(const Napi::Value &value);

/* FolderOptions of src/channel/types.ts. */
ReaderSetup ReadSetup(const Napi::Object &options);

} // namespace scope
