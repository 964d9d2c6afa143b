/* SPDX-License-Identifier: Apache-2.0 */
/* What TypeScript sees of one channel. JavaScript thread. */
#pragma once

#include <napi.h>

#include "channel.h"

namespace scope {

/* {key, name, pid, owner, header, info}: read once, every length bounded. */
Napi::Object DescribeChannel(Napi::Env env, const Channel &channel);

/* Indices of what FillState stores. */
enum StateField {
	kStateState,
	kStateEnded,
	kStateEndedAt,
	kStateHostPid,
	kStateDrained,
	kStateExitCode,
	kStateFlags,
	kStateAck,
	kStateFields
};

/* `taken`: how far the consumer is in the spool. */
void FillState(const Channel &channel, uint64_t taken, double *out);

/* Rows of kFdFields numbers. */
Napi::Float64Array PackFds(Napi::Env env, const std::vector<FdRow> &rows);
constexpr size_t kFdFields = 11;

/* Control block as six numbers in the order of ChannelControl in src/channel; NaN: left alone. */
constexpr size_t kControlFields = 6;
void ReadControl(const struct sc_control &control, double *out);
void WriteControl(struct sc_control &control, const double *in);

} // namespace scope
