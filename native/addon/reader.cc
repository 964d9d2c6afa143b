/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of channels: discovery, liveness, the drain thread, the spool. */
#include "reader.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <utility>

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "priority.h"

namespace scope {
namespace {

/*
 * Longest sleep: what lies in a ring below its high-water mark waits no longer. A little more for each
 * channel, so that hundreds of idle ones cost what one does: below 1 % of a core.
 */
constexpr uint64_t kNapNs = 10 * kMillisecond;
constexpr uint64_t kNapPerChannelNs = kMillisecond / 12;
constexpr uint64_t kNapMostNs = 50 * kMillisecond;
/*
 * Where there are many, one that had nothing for a second is looked at in every fourth pass: of hundreds of channels most are
 * idle most of the time. One whose ring fills up rings the doorbell, and then all are looked at.
 */
constexpr size_t kFew = 64;
constexpr uint64_t kColdNs = kSecond;
constexpr uint64_t kColdPasses = 4;
/* Every so many passes the rings are looked at whatever the channel says of itself. */
constexpr uint64_t kThorough = 64;
/* A consumer that takes nothing for so long must not keep applications waiting. */
constexpr uint64_t kConsumerNs = 10 * kSecond;

} // namespace

Reader::~Reader()
{
	Close();
}

int Reader::Open(const std::string &path, const ReaderSetup &setup)
{
	path_ = path;
	setup_ = setup;
	if (setup.create && mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
		return -errno;
	dir_ = Descriptor(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (!dir_.valid())
		return -errno;
	if (!setup.far.path.empty()) {
		Descriptor far = OpenFar(setup.far);
		if (far.valid()) {
			home_ = std::exchange(dir_, std::move(far));
			path_ = "/proc/self/fd/" + std::to_string(dir_.get());
		}
	}
	int rc = hub_.Open(dir_.get(), setup.hub, setup.create);
	if (rc == 0)
		rc = watch_.Ready();
	if (rc != 0)
		return rc;
	watch_.set_quiet_ns(setup.quiet_ns);
	discovery_.Open(dir_.get(), path_);
	Scan();
	return 0;
}

int Reader::Start(std::function<void()> wake)
{
	int rc = spool_.Open(home_.valid() ? home_.get() : dir_.get(), setup_.spool_max, setup_.from);

	if (rc != 0) {
		spool_.Close();
		return rc;
	}
	Scan();
	Recover();
	wake_ = std::move(wake);
	Touch();
	hub_.Beat(MonotonicNs());
	stop_ = false;

	/* Signals are the main thread's; SIGBUS is synchronous and stays ours. */
	sigset_t all, old;
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	thread_ = std::thread([this] { Run(); });
	pthread_sigmask(SIG_SETMASK, &old, nullptr);
	return 0;
}

void Reader::RemoveFar()
{
	if (home_.valid())
		EmptyFar(dir_.get(), setup_.far);
}

/* A batch may have been published and its tails not moved when the last reader was killed. */
void Reader::Recover()
{
	std::map<std::pair<int32_t, uint64_t>, Channel *> by_name;

	for (const auto &channel : channels_) {
		if (!channel->failure())
			by_name[{channel->pid(), channel->tsc()}] = channel.get();
	}
	spool_.ForEach([&by_name](const BatchHeader &batch) {
		auto found = by_name.find({batch.pid, batch.start_tsc});
		if (found != by_name.end())
			Drainer::Recover(*found->second, batch);
	});
}

void Reader::Close()
{
	if (thread_.joinable()) {
		stop_ = true;
		hub_.Ring();
		thread_.join();
		hub_.get()->relay_beat_ns.store(0, std::memory_order_release);
		hub_.get()->relay_pid.store(0, std::memory_order_relaxed);
	}
	spool_.Close();
	std::lock_guard<std::mutex> lock(mutex_);
	working_.clear();
	channels_.clear();
	arrivals_.clear();
	released_.clear();
}

void Reader::Scan()
{
	std::lock_guard<std::mutex> lock(mutex_);

	if (Housekeep(MonotonicNs(), true))
		ended_.store(true, std::memory_order_release);
}

std::vector<std::shared_ptr<Channel>> Reader::Arrivals()
{
	std::lock_guard<std::mutex> lock(mutex_);

	return std::exchange(arrivals_, {});
}

/* New channels and ended processes; under mutex_. True: something for the consumer to see. */
bool Reader::Housekeep(uint64_t now_ns, bool all)
{
	auto found = discovery_.Poll(now_ns, all);

	for (auto &channel : found) {
		watch_.Add(channel);
		channels_.push_back(channel);
		arrivals_.push_back(channel);
		version_++;
	}
	return watch_.Poll(now_ns) > 0 || !found.empty();
}

void Reader::Run()
{
	pthread_setname_np(pthread_self(), "scope-drain");
	AskForPromptness();
	while (!stop_.load(std::memory_order_acquire)) {
		bool rung = hub_.Answer();
		uint64_t now = MonotonicNs();
		bool news, again = false;
		{
			std::lock_guard<std::mutex> lock(mutex_);
			news = Housekeep(now, false);
			if (working_version_ != version_)
				Adopt();
		}
		bool all = ended_.exchange(false, std::memory_order_acquire);
		news |= Pass(now, all || news || rung, again);
		Beat(now);
		/* After the first pass: until then a writer whose rings are full waits for us. */
		hub_.get()->relay_pid.store(getpid(), std::memory_order_relaxed);
		if (news)
			wake_();
		if (!again)
			hub_.Wait(std::min(kNapNs + working_.size() * kNapPerChannelNs, kNapMostNs));
	}
}

/* Takes over channels_; under mutex_. */
void Reader::Adopt()
{
	working_.clear();
	for (const auto &channel : channels_) {
		const struct sc_header *header = channel->header();
		working_.push_back({channel, header ? &header->records : nullptr, UINT64_MAX, channel->active_ns});
	}
	working_version_ = version_;
}

/* One look at every channel, or at those that may have something. True: something new for the consumer; again: more is there already. */
bool Reader::Pass(uint64_t now_ns, bool all, bool &again)
{
	bool news = false;
	size_t count = working_.size();
	uint64_t pass = passes_.load(std::memory_order_relaxed);

	full_ = false;
	thorough_ = pass % kThorough == 0;
	all |= thorough_ || count <= kFew;
	/* In the order they began: a parent before its children. Where a full spool ended the last pass it goes on. */
	size_t first = count ? turn_ % count : 0, i = 0;
	for (; i < count && !full_; i++) {
		size_t at = (first + i) % count;
		Working &one = working_[at];
		if (!all && at % kColdPasses != pass % kColdPasses && now_ns - one.active_ns > kColdNs)
			continue;
		if (!all && one.Idle())
			continue;
		bool had = PassOne(*one.channel, now_ns, again);
		one.seen = one.channel->Settled();
		if (!had)
			continue;
		one.active_ns = one.channel->active_ns = now_ns;
		news = true;
	}
	turn_ = full_ ? first + i - 1 : 0;
	passes_.fetch_add(1, std::memory_order_relaxed);
	if (full_) {
		fulls_.fetch_add(1, std::memory_order_relaxed);
		again = false;
	}
	if (!news)
		pass_ns_.store(MonotonicNs() - now_ns, std::memory_order_relaxed);
	return news;
}

bool Reader::PassOne(Channel &channel, uint64_t now_ns, bool &again)
{
	if (channel.end_position.load(std::memory_order_relaxed) != UINT64_MAX)
		return false;
	/* Before the rings: what was written before the end is seen below. */
	bool ended = channel.ended.load(std::memory_order_acquire);
	Drained result = Drained::kNothing;

	if (!channel.failure() && channel.Changed(ended || thorough_))
		result = drainer_.Drain(channel, ended, now_ns);
	if (channel.map().Broken())
		channel.Fail(kTruncated);
	if (result == Drained::kFull) {
		full_ = true;
		return false;
	}
	again |= result == Drained::kAgain;
	if (channel.failure() || (ended && !channel.Pending())) {
		if (!ended) {
			channel.ended_ns.store(SampleClocks().real_ns, std::memory_order_relaxed);
			channel.ended.store(true, std::memory_order_release);
		}
		channel.end_position.store(spool_.visible(), std::memory_order_release);
		endings_.fetch_add(1, std::memory_order_release);
		return true;
	}
	return result != Drained::kNothing;
}

void Reader::Beat(uint64_t now_ns)
{
	if (!full_ || now_ns - touched_ns_.load(std::memory_order_relaxed) < kConsumerNs)
		hub_.Beat(now_ns);
}

void Reader::Touch()
{
	touched_ns_.store(MonotonicNs(), std::memory_order_relaxed);
}

void Reader::Commit()
{
	spool_.Commit();
	auto done = std::partition(released_.begin(), released_.end(), [this](const auto &channel) {
		return channel->end_position.load(std::memory_order_relaxed) > spool_.committed();
	});
	for (auto it = done; it != released_.end(); ++it)
		Unlink(**it);
	released_.erase(done, released_.end());
}

void Reader::Release(const std::shared_ptr<Channel> &channel)
{
	{
		std::lock_guard<std::mutex> lock(mutex_);
		watch_.Forget(channel->key());
		auto found = std::find(channels_.begin(), channels_.end(), channel);
		if (found == channels_.end())
			return;
		channels_.erase(found);
		version_++;
	}
	if (channel->end_position.load(std::memory_order_acquire) <= spool_.committed())
		Unlink(*channel);
	else
		released_.push_back(channel);
}

/* Removes the file, if it still is the one that was mapped, and its table of high descriptors. */
void Reader::Unlink(const Channel &channel)
{
	struct stat st;
	std::string overflow = channel.name().substr(0, channel.name().rfind('.')) + ".fdx";

	if (fstatat(dir_.get(), channel.name().c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (channel.header() && st.st_ino != channel.map().inode())
		return;
	unlinkat(dir_.get(), channel.name().c_str(), 0);
	unlinkat(dir_.get(), overflow.c_str(), 0);
	std::lock_guard<std::mutex> lock(mutex_);
	discovery_.Forget(channel.name());
}

Reader::Stats Reader::stats() const
{
	return {drainer_.records(), passes_.load(std::memory_order_relaxed),
		fulls_.load(std::memory_order_relaxed), pass_ns_.load(std::memory_order_relaxed)};
}

} // namespace scope
