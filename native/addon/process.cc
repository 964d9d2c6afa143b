/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the process behind a channel still writes to it. */
#include "process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "procfs.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace scope {
namespace {

constexpr uint64_t kSlowLookNs = 200 * kMillisecond;
/* Of more channels than this each is looked at less often: idle ones by the hundred must not cost. */
constexpr size_t kSlowLookMany = 64;
constexpr uint64_t kWordNs = 2 * kSecond;
constexpr uint64_t kExecLookNs = kSecond;
/* Starts are in clock ticks of 10 ms, and both clocks are read one after the other. */
constexpr uint64_t kStartSlackNs = 50 * kMillisecond;

} // namespace

ProcessWatch::ProcessWatch() : epoll_(epoll_create1(EPOLL_CLOEXEC)), own_pid_ns_(procfs::PidNamespace(0))
{
	errno_ = errno;
	boot_offset_ns_ = BootNs() - MonotonicNs();
}

/* The pid of a channel's process in our namespace; 0: not visible, -1: gone. */
int32_t ProcessWatch::HostPid(const Channel &channel)
{
	struct sc_header *header = channel.header();
	uint64_t their_ns = header->pid_ns;

	/* 0: it could not tell, without a /proc for example. Then who has its file mapped is it. */
	int32_t pid;
	if (their_ns == 0 || own_pid_ns_ == 0)
		pid = procfs::FindByMap(channel.pid(), channel.name());
	else if (their_ns == own_pid_ns_)
		pid = channel.pid();
	else {
		bool all;
		pid = procfs::FindInNamespace(channel.pid(), their_ns, all);
		if (pid > 0)
			seen_pid_ns_.insert(their_ns);
		else if (all && seen_pid_ns_.count(their_ns))
			return -1;
	}
	if (pid <= 0)
		return 0;
	if (!StartedBefore(pid, channel))
		return their_ns == 0 ? 0 : -1;
	/* Somebody else's process: the file's owner claims what is not his. */
	uid_t owner = channel.map().owner();
	if (owner != 0 && procfs::Has(pid, owner) == procfs::Answer::kNo)
		return 0;
	return pid;
}

/* The process is not younger than the channel: not another one that got the same pid. */
bool ProcessWatch::StartedBefore(int32_t pid, const Channel &channel) const
{
	uint64_t start_ns;

	/* A /proc that hides others: it exists, more cannot be told. */
	if (!procfs::StartTime(pid, start_ns))
		return kill(pid, 0) == 0 || errno == EPERM;
	return start_ns <= channel.header()->mono_ns + boot_offset_ns_ + kStartSlackNs;
}

void ProcessWatch::Find(Watched &watched)
{
	Channel &channel = *watched.channel;
	int32_t pid = HostPid(channel);

	if (pid < 0) {
		End(watched);
		return;
	}
	if (pid == 0) {
		watched.invisible = true;
		return;
	}
	watched.pidfd = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
	if (!watched.pidfd.valid()) {
		if (errno == ESRCH)
			End(watched);
		else
			watched.invisible = true;
		return;
	}
	channel.host_pid.store(pid, std::memory_order_release);
	struct epoll_event event = {};
	event.events = EPOLLIN;
	event.data.u32 = channel.key();
	if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, watched.pidfd.get(), &event) != 0)
		watched.invisible = true;
}

void ProcessWatch::Add(const std::shared_ptr<Channel> &channel)
{
	Watched &watched = watched_[channel->key()];

	watched.channel = channel;
	watched.changed_ns = MonotonicNs();
	if (channel->failure() || !channel->header()) {
		End(watched);
		return;
	}
	Supersede(*channel);
	Find(watched);
}

/* A younger image of the same process ends the older ones. */
void ProcessWatch::Supersede(const Channel &younger)
{
	for (auto &[key, watched] : watched_) {
		const Channel &old = *watched.channel;
		if (old.pid() != younger.pid() || old.ended || old.key() == younger.key() ||
		    !old.header() || old.header()->pid_ns != younger.header()->pid_ns)
			continue;
		/* Without a namespace to compare only the older image's own word counts. */
		bool exec = old.header()->state.load(std::memory_order_acquire) == SC_STATE_EXEC;
		if (old.header()->start_tsc < younger.header()->start_tsc &&
		    (younger.header()->pid_ns != 0 || exec))
			End(watched);
	}
}

void ProcessWatch::End(Watched &watched)
{
	Channel &channel = *watched.channel;

	if (channel.ended.load(std::memory_order_relaxed))
		return;
	channel.ended_ns.store(SampleClocks().real_ns, std::memory_order_relaxed);
	channel.ended.store(true, std::memory_order_release);
	watched.pidfd = Descriptor(); /* leaves the epoll set by itself */
	ended_++;
}

void ProcessWatch::Forget(uint32_t key)
{
	watched_.erase(key);
}

/* What no pidfd tells; every 200 ms. True: it ended. */
bool ProcessWatch::Slow(Watched &watched, uint64_t now_ns)
{
	struct sc_header *header = watched.channel->header();
	uint64_t records = header->records.load(std::memory_order_relaxed);
	uint32_t state = header->state.load(std::memory_order_acquire);

	if (records != watched.records) {
		watched.records = records;
		watched.changed_ns = now_ns;
		return false;
	}
	uint64_t quiet = now_ns - watched.changed_ns;
	if (watched.invisible) {
		bool said = state == SC_STATE_EXITED || state == SC_STATE_EXEC;
		return quiet > (said ? kWordNs : quiet_ns_);
	}
	if (state != SC_STATE_EXEC || quiet < kSlowLookNs || now_ns < watched.exec_look_ns)
		return false;
	/* Went on as something that is not observed: the new image has not mapped our file. */
	watched.exec_look_ns = now_ns + kExecLookNs;
	int32_t pid = watched.channel->host_pid.load(std::memory_order_relaxed);
	procfs::Answer mapped = procfs::Maps(pid, watched.channel->name());
	/* Not ours to read: a setuid program, or not even the same process. */
	return mapped == procfs::Answer::kNo ||
	       (mapped == procfs::Answer::kUnknown && quiet > kWordNs);
}

int ProcessWatch::Poll(uint64_t now_ns)
{
	struct epoll_event events[64];
	int count;

	do {
		count = epoll_wait(epoll_.get(), events, 64, 0);
		for (int i = 0; i < count; i++) {
			auto found = watched_.find(events[i].data.u32);
			if (found != watched_.end())
				End(found->second);
		}
	} while (count == 64);
	if (now_ns - slow_look_ns_ >= kSlowLookNs * (1 + watched_.size() / kSlowLookMany)) {
		slow_look_ns_ = now_ns;
		for (auto &[key, watched] : watched_) {
			if (!watched.channel->ended.load(std::memory_order_relaxed) &&
			    Slow(watched, now_ns))
				End(watched);
		}
	}
	int ended = ended_;
	ended_ = 0;
	return ended;
}

bool ProcessWatch::Running(const Channel &channel)
{
	int32_t pid = channel.host_pid.load(std::memory_order_relaxed);

	return pid == 0 || procfs::State(pid) != 'T';
}

} // namespace scope
