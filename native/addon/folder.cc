/* SPDX-License-Identifier: Apache-2.0 */
/* The addon's Folder class: Reader for JavaScript. */
#include "folder.h"

#include <cerrno>
#include <cstring>

#include "channel_object.h"
#include "check.h"
#include "options.h"

namespace scope {
Napi::Function Folder::Define(Napi::Env env)
{
	return DefineClass(env, "Folder",
			   {
				   InstanceMethod("open", &Folder::Open),
				   InstanceMethod("start", &Folder::Start),
				   InstanceMethod("close", &Folder::CloseMethod),
				   InstanceMethod("scan", &Folder::Scan),
				   InstanceMethod("arrivals", &Folder::Arrivals),
				   InstanceMethod("state", &Folder::State),
				   InstanceMethod("counters", &Folder::Counters),
				   InstanceMethod("calls", &Folder::Calls),
				   InstanceMethod("lost", &Folder::Lost),
				   InstanceMethod("fds", &Folder::Fds),
				   InstanceMethod("control", &Folder::GetControl),
				   InstanceMethod("setControl", &Folder::SetControl),
				   InstanceMethod("setFileWatch", &Folder::SetFileWatch),
				   InstanceMethod("next", &Folder::Next),
				   InstanceMethod("commit", &Folder::Commit),
				   InstanceMethod("position", &Folder::Position),
				   InstanceMethod("release", &Folder::Release),
				   InstanceMethod("stats", &Folder::Stats),
				   InstanceMethod("endings", &Folder::Endings),
				   InstanceMethod("losing", &Folder::Losing),
				   InstanceMethod("far", &Folder::Far),
				   InstanceMethod("removeFar", &Folder::RemoveFar),
			   });
}

Folder::Folder(const Napi::CallbackInfo &info)
	: Napi::ObjectWrap<Folder>(info), reader_(std::make_unique<Reader>())
{
}

Folder::~Folder()
{
	Shut();
}

Napi::Value Folder::Open(Info info)
{
	ReaderSetup setup = ReadSetup(info[1].As<Napi::Object>());
	int rc = Use(info).Open(info[0].As<Napi::String>().Utf8Value(), setup);
	return Napi::Number::New(info.Env(), rc);
}

Napi::Value Folder::Start(Info info)
{
	Napi::Env env = info.Env();

	if (started_)
		return Napi::Number::New(env, -EALREADY);
	wake_ = Napi::ThreadSafeFunction::New(env, info[0].As<Napi::Function>(), "scope.wake", 0, 1);
	wake_.Unref(env);
	waking_ = std::make_shared<Waking>();
	int rc = Use(info).Start([wake = wake_, waking = waking_] {
		/* One call on its way is enough: the consumer takes all there is. */
		if (waking->pending.exchange(true, std::memory_order_acq_rel))
			return;
		auto call = [waking](Napi::Env, Napi::Function callback) {
			waking->pending.store(false, std::memory_order_release);
			if (waking->live)
				callback.Call({});
		};
		if (wake.NonBlockingCall(call) != napi_ok)
			waking->pending.store(false, std::memory_order_release);
	});
	if (rc != 0) {
		wake_.Release();
		return Napi::Number::New(env, rc);
	}
	started_ = true;
	cleanup_.emplace(env.AddCleanupHook(+[](Folder *folder) { folder->Shut(); }, this));
	return Napi::Number::New(env, 0);
}

void Folder::Shut()
{
	if (!reader_)
		return;
	/* The thread ends first: nobody calls wake_ after this. */
	reader_->Close();
	if (started_) {
		started_ = false;
		waking_->live = false;
		wake_.Release();
	}
	channels_.clear();
	by_name_.clear();
	fresh_.clear();
	reader_.reset();
}

Reader &Folder::Use(Info info)
{
	if (!reader_)
		throw Napi::Error::New(info.Env(), "the folder is closed");
	return *reader_;
}

void Folder::CloseMethod(Info info)
{
	Shut();
	if (cleanup_) {
		cleanup_->Remove(info.Env());
		cleanup_.reset();
	}
}

void Folder::Scan(Info info)
{
	Use(info).Scan();
}

/* Takes over what the reader found. */
void Folder::Learn()
{
	for (auto &channel : reader_->Arrivals()) {
		channels_[channel->key()] = channel;
		by_name_[{channel->pid(), channel->tsc()}] = channel->key();
		fresh_.push_back(channel);
	}
}

Napi::Value Folder::Arrivals(Info info)
{
	Use(info);
	Learn();
	auto list = Napi::Array::New(info.Env(), fresh_.size());
	for (size_t i = 0; i < fresh_.size(); i++)
		list.Set(static_cast<uint32_t>(i), DescribeChannel(info.Env(), *fresh_[i]));
	fresh_.clear();
	return list;
}

std::shared_ptr<Channel> Folder::Get(Info info)
{
	auto found = channels_.find(info[0].As<Napi::Number>().Uint32Value());

	Use(info);
	if (found == channels_.end())
		throw Napi::Error::New(info.Env(), "the channel was released");
	return found->second;
}

double *Folder::Out(Info info, size_t index, size_t length)
{
	auto array = info[index].As<Napi::Float64Array>();

	if (array.ElementLength() < length)
		throw Napi::RangeError::New(info.Env(), "array too short");
	return array.Data();
}

Napi::Value Folder::State(Info info)
{
	auto channel = Get(info);

	FillState(*channel, reader_->spool().taken(), Out(info, 1, kStateFields));
	const char *failure = channel->failure();
	return failure ? Napi::String::New(info.Env(), failure) : info.Env().Undefined();
}

void Folder::Counters(Info info)
{
	Get(info)->Counters(Out(info, 1, SC_COUNTERS));
}

void Folder::Calls(Info info)
{
	Get(info)->Calls(Out(info, 1, SC_NR_MAX));
}

void Folder::Lost(Info info)
{
	Get(info)->Lost(Out(info, 1, SC_LOST_MAX));
}

Napi::Value Folder::Fds(Info info)
{
	return PackFds(info.Env(), Get(info)->Fds(reader_->dir()));
}

/* Key 0: the hub. nullptr: a channel without a mapping. */
struct sc_control *Folder::ControlOf(Info info)
{
	if (info[0].As<Napi::Number>().Uint32Value() == 0)
		return &Use(info).hub().get()->control;
	auto channel = Get(info);
	return channel->header() && !channel->failure() ? &channel->header()->control : nullptr;
}

void Folder::GetControl(Info info)
{
	if (const struct sc_control *control = ControlOf(info))
		ReadControl(*control, Out(info, 1, kControlFields));
}

void Folder::SetControl(Info info)
{
	if (struct sc_control *control = ControlOf(info))
		WriteControl(*control, Out(info, 1, kControlFields));
}

void Folder::SetFileWatch(Info info)
{
	HubSetup setup;

	setup.file_watch = BytesOf(info[0]);
	Use(info).hub().Apply(setup);
}

/*
 * next(key, out): fills `out` with the next batch, and key[0]. Its length; 0: there is none; negative: so many bytes are needed.
 */
Napi::Value Folder::Next(Info info)
{
	Spool &spool = Use(info).spool();
	auto out = info[1].As<Napi::Uint8Array>();

	reader_->Touch();
	while (const BatchHeader *batch = started_ ? spool.Peek() : nullptr) {
		auto found = by_name_.find({batch->pid, batch->start_tsc});
		if (found == by_name_.end()) {
			Learn();
			found = by_name_.find({batch->pid, batch->start_tsc});
		}
		/* To private memory, then checked: the spool's files are as writable as the channels. */
		uint32_t bytes = batch->bytes;
		if (bytes > out.ByteLength())
			return Napi::Number::New(info.Env(), -static_cast<double>(bytes));
		memcpy(out.Data(), batch + 1, bytes);
		spool.Take();
		size_t sound = SoundBytes(out.Data(), bytes);
		if (found == by_name_.end()) {
			orphans_ += bytes > 0;
			continue;
		}
		if (sound == 0)
			continue;
		info[0].As<Napi::Uint32Array>()[0] = found->second;
		return Napi::Number::New(info.Env(), static_cast<double>(sound));
	}
	return Napi::Number::New(info.Env(), 0);
}

void Folder::Commit(Info info)
{
	Use(info).Touch();
	if (started_)
		reader_->Commit();
}

Napi::Value Folder::Position(Info info)
{
	return Napi::Number::New(info.Env(), static_cast<double>(Use(info).spool().taken()));
}

/* False: it has not ended, or not everything was taken. */
Napi::Value Folder::Release(Info info)
{
	auto channel = Get(info);

	if (channel->end_position.load(std::memory_order_acquire) > reader_->spool().taken())
		return Napi::Boolean::New(info.Env(), false);
	channels_.erase(channel->key());
	by_name_.erase({channel->pid(), channel->tsc()});
	reader_->Release(channel);
	return Napi::Boolean::New(info.Env(), true);
}

Napi::Value Folder::Endings(Info info)
{
	return Napi::Number::New(info.Env(), static_cast<double>(Use(info).endings()));
}

/* losing(keys): one cache line of each channel, where a call for each would cost ten times as much. */
Napi::Value Folder::Losing(Info info)
{
	auto keys = info[0].As<Napi::Uint32Array>();
	size_t count = 0;

	for (auto &[key, channel] : channels_) {
		if (count == keys.ElementLength())
			break;
		if (channel->Losing())
			keys[count++] = key;
	}
	return Napi::Number::New(info.Env(), static_cast<double>(count));
}

/* A path to the far folder as long as this one is open; undefined: the channels are in the folder itself. */
Napi::Value Folder::Far(Info info)
{
	Reader &reader = Use(info);

	if (!reader.IsFar())
		return info.Env().Undefined();
	return Napi::String::New(info.Env(), "/proc/self/fd/" + std::to_string(reader.dir()));
}

void Folder::RemoveFar(Info info)
{
	Use(info).RemoveFar();
}

void Folder::Stats(Info info)
{
	double *out = Out(info, 0, 10);
	Spool &spool = Use(info).spool();
	Reader::Stats stats = reader_->stats();
	const uint64_t values[] = {spool.waiting(), spool.held(),  spool.max_bytes(),
				   stats.full,	    stats.records, stats.passes,
				   orphans_,	    static_cast<uint64_t>(spool.last_error()),
				   stats.pass_ns,
				   reader_->hub().get()->refused.load(std::memory_order_relaxed)};

	for (uint64_t value : values)
		*out++ = static_cast<double>(value);
}

} // namespace scope
