/* SPDX-License-Identifier: Apache-2.0 */
/* What TypeScript sees of one channel. */
#include "channel_object.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "hub.h"

namespace scope {
namespace {

template <size_t N> Napi::String Text(Napi::Env env, const char (&field)[N])
{
	/* A copy first: the process may write while we look. */
	std::string copy(field, strnlen(field, N));

	return Napi::String::New(env, copy);
}

/* NUL-terminated strings back to back, the last one perhaps cut. */
Napi::Array Strings(Napi::Env env, const char *field, size_t used, size_t size)
{
	std::string copy(field, std::min(used, size));
	Napi::Array list = Napi::Array::New(env);
	uint32_t count = 0;

	for (size_t at = 0; at < copy.size();) {
		size_t end = std::min(copy.find('\0', at), copy.size());
		list.Set(count++, Napi::String::New(env, copy.substr(at, end - at)));
		at = end + 1;
	}
	return list;
}

Napi::String Hex(Napi::Env env, const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";
	std::string text;

	for (size_t i = 0; i < count; i++) {
		text += digits[bytes[i] >> 4];
		text += digits[bytes[i] & 15];
	}
	return Napi::String::New(env, text);
}

Napi::Object Header(Napi::Env env, const struct sc_header &from)
{
	Napi::Object header = Napi::Object::New(env);
	auto number = [&](const char *name, double value) {
		header.Set(name, Napi::Number::New(env, value));
	};

	number("pid", from.pid);
	number("ppid", from.ppid);
	number("uid", from.uid);
	number("gid", from.gid);
	number("startTsc", static_cast<double>(from.start_tsc));
	number("startTime", static_cast<double>(from.start_sec) + from.start_nsec / 1e9);
	number("monotonic", static_cast<double>(from.mono_ns) / 1e9);
	number("startCpu", static_cast<double>(from.start_cpu_ns) / 1e9);
	number("cpuBefore", static_cast<double>(from.before_cpu_ns) / 1e9);
	number("pidNs", static_cast<double>(from.pid_ns));
	number("origin", from.origin);
	number("parentStartTsc", static_cast<double>(from.parent_start_tsc));
	number("major", from.major);
	number("minor", from.minor);
	header.Set("bootId", Hex(env, from.boot_id, sizeof from.boot_id));
	return header;
}

Napi::Object Info(Napi::Env env, const struct sc_info &from)
{
	Napi::Object info = Napi::Object::New(env);

	info.Set("exe", Text(env, from.exe));
	info.Set("name", Text(env, from.name));
	info.Set("host", Text(env, from.host));
	info.Set("cgroup", Text(env, from.cgroup));
	info.Set("libc", Text(env, from.libc));
	info.Set("runtime", Text(env, from.runtime));
	info.Set("machineId", Text(env, from.machine_id));
	info.Set("cwd", Text(env, from.cwd));
	info.Set("argc", Napi::Number::New(env, from.argc));
	uint32_t argv = std::min(from.argv_len, SC_ARGV_MAX);
	info.Set("argv", Strings(env, from.text, argv, SC_ARGV_MAX));
	info.Set("env", Strings(env, from.text + argv, from.env_len, SC_ENV_MAX));
	return info;
}

} // namespace

Napi::Object DescribeChannel(Napi::Env env, const Channel &channel)
{
	Napi::Object object = Napi::Object::New(env);

	object.Set("key", Napi::Number::New(env, channel.key()));
	object.Set("name", Napi::String::New(env, channel.name()));
	object.Set("pid", Napi::Number::New(env, channel.pid()));
	object.Set("tsc", Napi::Number::New(env, static_cast<double>(channel.tsc())));
	object.Set("owner", Napi::Number::New(env, channel.map().owner()));
	if (channel.header() && !channel.failure()) {
		object.Set("header", Header(env, *channel.header()));
		object.Set("info", Info(env, *channel.info()));
	}
	return object;
}

void FillState(const Channel &channel, uint64_t taken, double *out)
{
	const struct sc_header *header = channel.header();
	bool ended = channel.ended.load(std::memory_order_acquire);
	uint64_t end = channel.end_position.load(std::memory_order_acquire);

	std::fill(out, out + kStateFields, 0.0);
	out[kStateEnded] = ended;
	out[kStateEndedAt] = static_cast<double>(channel.ended_ns.load(std::memory_order_relaxed)) / 1e9;
	out[kStateHostPid] = channel.host_pid.load(std::memory_order_relaxed);
	out[kStateDrained] = end != UINT64_MAX && taken >= end;
	if (!header)
		return;
	out[kStateState] = header->state.load(std::memory_order_acquire);
	out[kStateExitCode] = header->exit_code.load(std::memory_order_relaxed);
	out[kStateFlags] = header->flags;
	out[kStateAck] = header->ack.load(std::memory_order_relaxed);
}

Napi::Float64Array PackFds(Napi::Env env, const std::vector<FdRow> &rows)
{
	auto array = Napi::Float64Array::New(env, rows.size() * kFdFields);
	double *out = array.Data();

	for (const auto &[fd, entry] : rows) {
		const double values[kFdFields] = {static_cast<double>(fd),
						  static_cast<double>(entry.object),
						  static_cast<double>(entry.rx_bytes),
						  static_cast<double>(entry.tx_bytes),
						  static_cast<double>(entry.rx_ops),
						  static_cast<double>(entry.tx_ops),
						  static_cast<double>(entry.ticks),
						  static_cast<double>(entry.open_tsc),
						  static_cast<double>(entry.flags),
						  static_cast<double>(entry.kind),
						  static_cast<double>(entry.protocol)};
		out = std::copy(values, values + kFdFields, out);
	}
	return array;
}

void ReadControl(const struct sc_control &control, double *out)
{
	out[0] = control.mode.load(std::memory_order_relaxed);
	out[1] = control.want.load(std::memory_order_relaxed);
	out[2] = control.max_per_sec.load(std::memory_order_relaxed);
	out[3] = control.wait.load(std::memory_order_relaxed);
	out[4] = control.payload_max.load(std::memory_order_relaxed);
	out[5] = control.sample_ms.load(std::memory_order_relaxed);
}

void WriteControl(struct sc_control &control, const double *in)
{
	std::atomic<uint32_t> *fields[kControlFields] = {&control.mode,	       &control.want,
							 &control.max_per_sec, &control.wait,
							 &control.payload_max, &control.sample_ms};

	for (size_t i = 0; i < kControlFields; i++) {
		if (!std::isnan(in[i]))
			fields[i]->store(static_cast<uint32_t>(std::clamp(in[i], 0.0, 4294967295.0)),
					 std::memory_order_relaxed);
	}
	PublishControl(&control);
}

} // namespace scope
