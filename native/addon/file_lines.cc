/* SPDX-License-Identifier: Apache-2.0 */
#include "file_lines.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "json.h"

namespace scope {
namespace {

/* A standard stream that the program did not open is no file of its. */
constexpr int32_t kFirstFileFd = 3;
/* Digits of the object in `_channel`, at least: src/relay/sources/channel-id.ts. */
constexpr unsigned kObjectDigits = 6;
/* What stands behind the values, by system call number; the last one for all others. */
std::vector<std::string> line_ends;
/* All numbers and names of members of a line together are shorter. */
constexpr size_t kNumbers = 512;
/* Escapes make at most so many bytes of one. */
constexpr size_t kEscape = 6;

std::string Text(const Napi::Object &parts, const char *name)
{
	auto bytes = parts.Get(name).As<Napi::Uint8Array>();
	return {reinterpret_cast<const char *>(bytes.Data()), bytes.ByteLength()};
}

std::string_view Path(const struct sc_record &record, size_t before)
{
	return {reinterpret_cast<const char *>(&record + 1) + before, record.used - before};
}

/* 0o644 -> 644 */
uint32_t Octal(uint32_t mode)
{
	return ((mode >> 9) & 7) * 1000 + ((mode >> 6) & 7) * 100 + ((mode >> 3) & 7) * 10 + (mode & 7);
}

/* What a byte of a path may be. */
enum : uint8_t {
	kEscaped = 1, /* does not stand for itself in JSON */
	kSecret = 2,  /* whatever follows, there may be a secret */
	kKey = 4,     /* a key that can be told by itself may begin here */
};

struct Classes {
	uint8_t of[256];

	constexpr Classes() : of()
	{
		for (unsigned c = 0; c < 256; c++)
			of[c] = json::IsPlain(static_cast<unsigned char>(c)) ? 0 : kEscaped;
		for (unsigned char c : {'=', ':', ' '})
			of[c] |= kSecret;
		for (unsigned char c : {'A', 'e', 'g', 'x'})
			of[c] |= kKey;
	}
};
constexpr Classes kClasses;

bool MayBeginKey(std::string_view text)
{
	for (std::string_view key : {"AKIA", "ASIA", "AIza", "eyJ", "github_pat_", "xox"}) {
		if (text.starts_with(key))
			return true;
	}
	return text.size() > 3 && text.starts_with("gh") && text[3] == '_';
}

bool HoldsKey(std::string_view path)
{
	for (; !path.empty(); path.remove_prefix(1)) {
		if ((kClasses.of[static_cast<unsigned char>(path.front())] & kKey) && MayBeginKey(path))
			return true;
	}
	return false;
}

/*
 * A path and what is to be known of it: its JSON, and whether src/routing/secrets.ts could find anything in it: an assignment,
 * an argument, or the beginning of a key that can be told by itself. Says yes too often, never too seldom.
 */
void Name(OpenFile &file, std::string_view path)
{
	unsigned found = 0;

	for (char c : path)
		found |= kClasses.of[static_cast<unsigned char>(c)];
	file.path = path;
	file.doubtful = (found & kSecret) || ((found & kKey) && HoldsKey(path));
	file.plain = !(found & kEscaped);
	if (!file.plain) {
		file.quoted = json::Quote(path);
		return;
	}
	file.quoted.reserve(path.size() + 2);
	((file.quoted = '"') += path) += '"';
}

uint8_t *Member(uint8_t *at, std::string_view name, uint64_t value)
{
	return json::Integer(json::Bytes(at, name), value);
}

uint64_t Whole(const Napi::Value &value)
{
	return static_cast<uint64_t>(value.As<Napi::Number>().DoubleValue());
}

Napi::Object Describe(Napi::Env env, const OpenFile &file)
{
	Napi::Object out = Napi::Object::New(env);
	out.Set("path", file.path);
	out.Set("kind", file.kind);
	out.Set("perms", file.perms);
	out.Set("owner", file.owner);
	out.Set("group", file.group);
	return out;
}

} // namespace

Napi::Function FileLines::Define(Napi::Env env)
{
	return DefineClass(env, "FileLines",
			   {
				   StaticMethod("setEnds", &FileLines::SetEnds),
				   StaticMethod("setOps", &FileLines::SetOps),
				   InstanceMethod("setLogs", &FileLines::SetLogs),
				   InstanceMethod("encode", &FileLines::Encode),
				   InstanceMethod("get", &FileLines::Get),
				   InstanceMethod("set", &FileLines::Set),
				   InstanceMethod("list", &FileLines::List),
			   });
}

/* new FileLines(parts, parent?) */
FileLines::FileLines(Info info) : Napi::ObjectWrap<FileLines>(info)
{
	auto parts = info[0].As<Napi::Object>();
	std::shared_ptr<FileTable> parent;

	open_ = {Text(parts, "openHead"), Text(parts, "openMiddle"), Text(parts, "openTail")};
	close_ = {Text(parts, "closeHead"), Text(parts, "closeMiddle"), Text(parts, "closeTail")};
	owner_ = Text(parts, "owner");
	enhance_ = parts.Get("enhance").ToBoolean();
	if (info[1].IsObject())
		parent = Unwrap(info[1].As<Napi::Object>())->files_;
	files_ = std::make_shared<FileTable>(parent);
}

/* FileLines.setEnds(ends): before the first encode(). */
void FileLines::SetEnds(Info info)
{
	auto ends = info[0].As<Napi::Array>();

	line_ends.clear();
	for (uint32_t i = 0; i < ends.Length(); i++)
		line_ends.push_back(ends.Get(i).As<Napi::String>().Utf8Value());
}

/* FileLines.setOps(ops): before the first encode() that makes log records. */
void FileLines::SetOps(Info info)
{
	FileLogs::SetOps(info[0].As<Napi::Array>());
}

/* setLogs(parts): encode() can make log records from now on. */
void FileLines::SetLogs(Info info)
{
	logs_.emplace(info[0].As<Napi::Object>());
}

/*
 * encode(batch, from, clock, out, marks, doubts, logs?, log_marks?, observed?): the lines of opens and closes from this
 * offset on, one after the other in `out`. marks[i] is where the i-th one's line ends; it may be empty. doubts[i] is 1 when
 * its path may hold a secret. With `logs` their log records, too, observed at this time (microseconds). Returns how many
 * there are; it ends early when one of the arrays is full.
 */
Napi::Value FileLines::Encode(Info info)
{
	auto batch = info[0].As<Napi::Uint8Array>();
	auto clock = info[2].As<Napi::Float64Array>();
	auto out = info[3].As<Napi::Uint8Array>();
	auto marks = info[4].As<Napi::Uint32Array>();
	auto doubts = info[5].As<Napi::Uint8Array>();
	const uint8_t *bytes = batch.Data();
	uint32_t *log_marks = nullptr;
	size_t size = batch.ByteLength(), most = std::min(marks.ElementLength(), doubts.ElementLength());
	size_t fixed = open_.head.size() + open_.middle.size() + open_.tail.size() + close_.head.size() +
		       close_.middle.size() + close_.tail.size() + owner_.size() + kNumbers;
	uint32_t count = 0;
	Run run = {clock[0], clock[1], clock[2], clock[3], out.Data(), out.Data() + out.ByteLength(), false, {}};

	if (logs_ && info[6].IsTypedArray()) {
		auto logs = info[6].As<Napi::Uint8Array>();
		auto ends = info[7].As<Napi::Uint32Array>();

		run.logs = {logs.Data(), logs.Data(), logs.Data() + logs.ByteLength(), Whole(info[8])};
		log_marks = ends.Data();
		most = std::min(most, ends.ElementLength());
	}
	files_->Forget();
	for (size_t at = Whole(info[1]); at + sizeof(struct sc_record) <= size && count < most;) {
		const auto &record = *reinterpret_cast<const struct sc_record *>(bytes + at);
		uint32_t len = record.len;
		bool fits = true;

		if (record.type == SC_REC_OPEN || record.type == SC_REC_CLOSE) {
			bool close = record.type == SC_REC_CLOSE;
			const OpenFile *known = close ? files_->Find(record.object) : nullptr;
			size_t path = kEscape * record.used + (known ? known->quoted.size() : 0);

			fits = static_cast<size_t>(run.end - run.at) >= fixed + path &&
			       (!log_marks ||
				run.logs.room() >= logs_->Most(record.used + (known ? known->path.size() : 0)));
			if (fits && close)
				Close(record, known, run);
			else if (fits)
				Open(record, run);
			if (!fits)
				break;
			if (log_marks)
				log_marks[count] = run.logs.used();
			doubts[count] = run.doubtful;
			marks[count++] = static_cast<uint32_t>(run.at - out.Data());
		}
		at += len != 0 ? len : sizeof(struct sc_record);
	}
	return Napi::Number::New(info.Env(), count);
}

/* Microseconds since the epoch. */
uint64_t FileLines::TimeOf(const struct sc_record &record, const Run &run)
{
	double seconds = run.real + (static_cast<double>(record.tsc) - run.tsc) * run.real_per_tick;
	double rounded = std::floor(seconds * 1e6 + 0.5);

	/* What a hostile record or header claims must not overflow the conversion. */
	return rounded >= 0 && rounded < 9e15 ? static_cast<uint64_t>(rounded) : 0;
}

void FileLines::Begin(const Source &source, const struct sc_record &record, const OpenFile &file,
		      uint64_t micros, Run &run) const
{
	uint8_t *at = json::Bytes(run.at, source.head);

	run.doubtful = file.doubtful;
	at = json::Digits(at, record.object, kObjectDigits);
	at = json::Bytes(at, source.middle);
	at = json::Decimal(at, micros, 6);
	at = json::Bytes(at, source.tail);
	at = json::Bytes(at, file.quoted);
	at = json::Bytes(at, owner_);
	at = Member(at, ",\"file_perms\":", file.perms);
	at = Member(at, ",\"file_owner\":", file.owner);
	run.at = Member(at, ",\"file_group\":", file.group);
}

void FileLines::End(const struct sc_record &record, Run &run) const
{
	const std::string &end = record.nr < line_ends.size() ? line_ends[record.nr] : line_ends.back();
	run.at = json::Bytes(run.at, end);
}

void FileLines::Open(const struct sc_record &record, Run &run)
{
	const auto &info = *reinterpret_cast<const struct sc_open *>(&record + 1);

	if (record.ret < 0)
		return;
	OpenFile &file = files_->Opened(record.object);
	Name(file, Path(record, sizeof info));
	file.kind = info.kind;
	if (enhance_ && info.mode != 0) {
		file.perms = Octal(info.mode & 07777);
		file.owner = info.uid;
		file.group = info.gid;
	}
	uint64_t micros = TimeOf(record, run);
	Begin(open_, record, file, micros, run);
	End(record, run);
	if (run.logs.at)
		logs_->Open(record, file, micros, run.logs);
}

void FileLines::Close(const struct sc_record &record, const OpenFile *known, Run &run)
{
	const auto &info = *reinterpret_cast<const struct sc_close *>(&record + 1);
	std::string_view path = Path(record, sizeof info);
	OpenFile unnamed;

	files_->Closed(record.object);
	if (!known && (record.fd < kFirstFileFd || path.empty()))
		return;
	/* Open before the records began: the close tells its path. */
	if (!known)
		Name(unnamed, path);
	const OpenFile &file = known ? *known : unnamed;
	uint64_t micros = TimeOf(record, run);
	Begin(close_, record, file, micros, run);
	uint64_t ops = static_cast<uint64_t>(info.rx_ops) + info.tx_ops;
	double nanos = static_cast<double>(info.ticks) * run.nanos_per_tick;
	uint8_t *at = Member(run.at, ",\"file_read_bytes\":", info.rx_bytes);
	at = Member(at, ",\"file_read_ops\":", info.rx_ops);
	at = Member(at, ",\"file_write_bytes\":", info.tx_bytes);
	at = Member(at, ",\"file_write_ops\":", info.tx_ops);
	at = json::Bytes(at, ",\"duration\":");
	double mean = ops == 0 ? 0 : std::floor(nanos / static_cast<double>(ops) + 0.5);
	mean = mean < 9e15 ? mean : 0;
	run.at = json::Decimal(at, static_cast<uint64_t>(mean), 3);
	End(record, run);
	if (run.logs.at)
		logs_->Close(record, file, micros, mean, run.logs);
}

Napi::Value FileLines::Get(Info info)
{
	const OpenFile *file = files_->Find(Whole(info[0]));
	return file ? Describe(info.Env(), *file) : info.Env().Undefined();
}

/* set(object, file) */
void FileLines::Set(Info info)
{
	auto from = info[1].As<Napi::Object>();
	OpenFile &file = files_->Opened(Whole(info[0]));

	Name(file, from.Get("path").As<Napi::String>().Utf8Value());
	file.kind = from.Get("kind").ToNumber().Uint32Value();
	file.perms = from.Get("perms").ToNumber().Uint32Value();
	file.owner = from.Get("owner").ToNumber().Uint32Value();
	file.group = from.Get("group").ToNumber().Uint32Value();
}

/* list(most): [object, file] of what is open, the longest open first. */
Napi::Value FileLines::List(Info info)
{
	Napi::Env env = info.Env();
	Napi::Array out = Napi::Array::New(env);
	uint64_t most = Whole(info[0]);

	for (const auto &[object, file] : files_->all()) {
		if (out.Length() >= most)
			break;
		if (file.closed)
			continue;
		Napi::Array pair = Napi::Array::New(env, 2);
		pair.Set(0u, Napi::Number::New(env, static_cast<double>(object)));
		pair.Set(1u, Describe(env, file));
		out.Set(out.Length(), pair);
	}
	return out;
}

} // namespace scope
