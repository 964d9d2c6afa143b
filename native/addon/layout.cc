/* SPDX-License-Identifier: Apache-2.0 */
/* Hands channel.h to TypeScript, so that no offset and no number is typed twice. */
#include "layout.h"

#include <cstddef>

#include "scope/channel.h"

namespace scope {
namespace {

struct Entry {
	const char *name;
	uint32_t value;
};

template <size_t N> Napi::Object Table(Napi::Env env, const Entry (&entries)[N])
{
	Napi::Object table = Napi::Object::New(env);
	for (const Entry &entry : entries)
		table.Set(entry.name, Napi::Number::New(env, entry.value));
	table.Freeze();
	return table;
}

constexpr Entry kWant[] = {
#define X(name, bit) {#name, SC_WANT_##name},
	SC_WANT_LIST(X)
#undef X
};
constexpr Entry kLost[] = {
#define X(name, n) {#name, SC_LOST_##name},
	SC_LOST_LIST(X)
#undef X
};
constexpr Entry kCounter[] = {
#define X(name) {#name, SC_C_##name},
	SC_COUNTER_LIST(X)
#undef X
};
constexpr Entry kKind[] = {
#define X(name, n) {#name, SC_KIND_##name},
	SC_KIND_LIST(X)
#undef X
};
constexpr Entry kRecord[] = {
#define X(name, n) {#name, SC_REC_##name},
	SC_RECORD_LIST(X)
#undef X
};
constexpr Entry kNote[] = {
#define X(name, n) {#name, SC_NOTE_##name},
	SC_NOTE_LIST(X)
#undef X
};
constexpr Entry kState[] = {{"EMPTY", SC_STATE_EMPTY},
			    {"LIVE", SC_STATE_LIVE},
			    {"EXITED", SC_STATE_EXITED},
			    {"EXEC", SC_STATE_EXEC},
			    {"DETACHED", SC_STATE_DETACHED}};
constexpr Entry kMode[] = {{"RUN", SC_MODE_RUN}, {"MUTED", SC_MODE_MUTED}};
constexpr Entry kOrigin[] = {
	{"LAUNCH", SC_ORIGIN_LAUNCH}, {"FORK", SC_ORIGIN_FORK}, {"ATTACH", SC_ORIGIN_ATTACH}};
constexpr Entry kHeaderFlag[] = {{"SECCOMP", SC_HF_SECCOMP},
				 {"IO_URING", SC_HF_IO_URING},
				 {"GO", SC_HF_GO},
				 {"STATIC", SC_HF_STATIC},
				 {"NO_PLAN", SC_HF_NO_PLAN}};
constexpr Entry kFdFlag[] = {{"CONSOLE", SC_FF_CONSOLE},
			     {"WATCHED", SC_FF_WATCHED},
			     {"SERVER", SC_FF_SERVER},
			     {"CLIENT", SC_FF_CLIENT},
			     {"CONNECTING", SC_FF_CONNECTING},
			     {"LISTEN", SC_FF_LISTEN},
			     {"ANNOUNCED", SC_FF_ANNOUNCED},
			     {"REMOTE_END", SC_FF_REMOTE_END},
			     {"INET6", SC_FF_INET6},
			     {"TLS", SC_FF_TLS},
			     {"FOUND", SC_FF_FOUND},
			     {"NAMED", SC_FF_NAMED}};
constexpr Entry kProtocol[] = {{"UNKNOWN", SC_PROTO_UNKNOWN}, {"NONE", SC_PROTO_NONE},
			       {"HTTP1", SC_PROTO_HTTP1},     {"HTTP2", SC_PROTO_HTTP2},
			       {"DNS", SC_PROTO_DNS},	      {"STATSD", SC_PROTO_STATSD},
			       {"TLS", SC_PROTO_TLS},	      {"WEBSOCKET", SC_PROTO_WEBSOCKET}};
constexpr Entry kRecordFlag[] = {{"CUT", SC_RF_CUT},	   {"MORE", SC_RF_MORE}, {"TX", SC_RF_TX},
				 {"TLS", SC_RF_TLS},	   {"SERVER", SC_RF_SERVER},
				 {"CLIENT", SC_RF_CLIENT}, {"LATE", SC_RF_LATE}};

constexpr Entry kMessageFlag[] = {
	{"END", SC_MF_END}, {"SYNC", SC_MF_SYNC}, {"SHORT", SC_MF_SHORT}};

#define FIELD(type, name) {#name, offsetof(struct type, name)}
#define SIZE(type) {"size", sizeof(struct type)}

constexpr Entry kRecordAt[] = {SIZE(sc_record),	       FIELD(sc_record, len),	FIELD(sc_record, type),
			       FIELD(sc_record, flags), FIELD(sc_record, tsc),	FIELD(sc_record, tid),
			       FIELD(sc_record, fd),	FIELD(sc_record, object), FIELD(sc_record, ret),
			       FIELD(sc_record, ticks), FIELD(sc_record, nr),	FIELD(sc_record, used)};
constexpr Entry kOpenAt[] = {SIZE(sc_open),	 FIELD(sc_open, flags), FIELD(sc_open, mode),
			     FIELD(sc_open, uid), FIELD(sc_open, gid),	 FIELD(sc_open, dirfd),
			     FIELD(sc_open, kind)};
constexpr Entry kCloseAt[] = {SIZE(sc_close),	       FIELD(sc_close, rx_bytes),
			      FIELD(sc_close, tx_bytes), FIELD(sc_close, rx_ops),
			      FIELD(sc_close, tx_ops),	 FIELD(sc_close, ticks),
			      FIELD(sc_close, life_ticks)};
constexpr Entry kConnAt[] = {SIZE(sc_conn),		  FIELD(sc_conn, family),
			     FIELD(sc_conn, type),	  FIELD(sc_conn, local_port),
			     FIELD(sc_conn, remote_port), FIELD(sc_conn, local),
			     FIELD(sc_conn, remote),	  FIELD(sc_conn, flags),
			     FIELD(sc_conn, protocol),	  FIELD(sc_conn, app)};
constexpr Entry kExitAt[] = {SIZE(sc_exit),	      FIELD(sc_exit, utime_us), FIELD(sc_exit, stime_us),
			     FIELD(sc_exit, rss_kib), FIELD(sc_exit, vm_kib),	FIELD(sc_exit, threads),
			     FIELD(sc_exit, fds),     FIELD(sc_exit, children), FIELD(sc_exit, flags)};
constexpr Entry kNoteAt[] = {SIZE(sc_note), FIELD(sc_note, code), FIELD(sc_note, arg)};
constexpr Entry kMessageAt[] = {SIZE(sc_message), FIELD(sc_message, body), FIELD(sc_message, skip),
				FIELD(sc_message, flags), FIELD(sc_message, count)};
constexpr Entry kDfaAt[] = {SIZE(sc_dfa),	    FIELD(sc_dfa, states), FIELD(sc_dfa, classes),
			    FIELD(sc_dfa, class_of), FIELD(sc_dfa, accept), FIELD(sc_dfa, next)};
constexpr Entry kControlAt[] = {
	SIZE(sc_control),	     FIELD(sc_control, generation),  FIELD(sc_control, mode),
	FIELD(sc_control, want),     FIELD(sc_control, max_per_sec), FIELD(sc_control, wait),
	FIELD(sc_control, payload_max), FIELD(sc_control, sample_ms)};
constexpr Entry kFdAt[] = {SIZE(sc_fd),		    FIELD(sc_fd, object), FIELD(sc_fd, rx_bytes),
			   FIELD(sc_fd, tx_bytes),  FIELD(sc_fd, rx_ops), FIELD(sc_fd, tx_ops),
			   FIELD(sc_fd, ticks),	    FIELD(sc_fd, open_tsc), FIELD(sc_fd, flags),
			   FIELD(sc_fd, kind),	    FIELD(sc_fd, protocol)};
constexpr Entry kLimits[] = {{"channelSize", SC_CHANNEL_SIZE}, {"shards", SC_SHARDS},
			     {"ringSize", SC_RING_SIZE},       {"fds", SC_FDS},
			     {"calls", SC_NR_MAX},	       {"recordMax", SC_RECORD_MAX},
			     {"textMax", SC_TEXT_MAX},	       {"pathMax", SC_PATH_MAX},
			     {"counters", SC_COUNTERS},	       {"lost", SC_LOST_MAX},
			     {"major", SC_VERSION_MAJOR},      {"minor", SC_VERSION_MINOR}};

} // namespace

Napi::Object MakeLayout(Napi::Env env)
{
	Napi::Object enums = Napi::Object::New(env);
	enums.Set("want", Table(env, kWant));
	enums.Set("lost", Table(env, kLost));
	enums.Set("counter", Table(env, kCounter));
	enums.Set("kind", Table(env, kKind));
	enums.Set("record", Table(env, kRecord));
	enums.Set("note", Table(env, kNote));
	enums.Set("state", Table(env, kState));
	enums.Set("mode", Table(env, kMode));
	enums.Set("origin", Table(env, kOrigin));
	enums.Set("headerFlag", Table(env, kHeaderFlag));
	enums.Set("fdFlag", Table(env, kFdFlag));
	enums.Set("protocol", Table(env, kProtocol));
	enums.Set("recordFlag", Table(env, kRecordFlag));
	enums.Set("messageFlag", Table(env, kMessageFlag));

	Napi::Object offsets = Napi::Object::New(env);
	offsets.Set("record", Table(env, kRecordAt));
	offsets.Set("open", Table(env, kOpenAt));
	offsets.Set("close", Table(env, kCloseAt));
	offsets.Set("conn", Table(env, kConnAt));
	offsets.Set("exit", Table(env, kExitAt));
	offsets.Set("note", Table(env, kNoteAt));
	offsets.Set("message", Table(env, kMessageAt));
	offsets.Set("dfa", Table(env, kDfaAt));
	offsets.Set("control", Table(env, kControlAt));
	offsets.Set("fd", Table(env, kFdAt));

	Napi::Object layout = Napi::Object::New(env);
	layout.Set("enums", enums);
	layout.Set("offsets", offsets);
	layout.Set("limits", Table(env, kLimits));
	return layout;
}

} // namespace scope
