/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams over unix sockets, which Node has no module for. JS thread only. */
#pragma once
#include <napi.h>

namespace scope {

/*
 * { open(path): fd, send(fd, bytes): 0 or errno, close(fd) }. `path` with a leading '@' is abstract.
 * open throws an Error with the system's text; send never blocks (EAGAIN when the peer's queue is full).
 */
Napi::Object MakeUnixgram(Napi::Env env);

} // namespace scope
