/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the process behind a channel still writes to it: pidfds where the pid is visible, the
 * channel's own words and age where it is not. One thread.
 *
 *   visible (our pid namespace, or one below it: found by NSpid)    pidfd says it is gone
 *   not found in a namespace below ours whose processes we see       gone
 *   state EXEC, and a younger channel of the same process            this image is gone
 *   state EXEC, and /proc/PID/maps has our file no more               likewise
 *   not visible, state EXITED or EXEC, quiet for 2 s                 taken at its word
 *   not visible, quiet for `quiet_ns`                                taken for dead
 */
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "channel.h"

namespace scope {

class ProcessWatch {
      public:
	ProcessWatch();

	/* Without it nothing can be told: 0 or -errno. */
	int Ready() const
	{
		return epoll_.valid() ? 0 : -errno_;
	}

	void set_quiet_ns(uint64_t ns)
	{
		quiet_ns_ = ns;
	}

	/* Begins to watch. */
	void Add(const std::shared_ptr<Channel> &channel);
	void Forget(uint32_t key);

	/* Looks at what changed; sets Channel::ended. Cheap when nothing did. The number that ended. */
	int Poll(uint64_t now_ns);

	/* Not stopped by a signal or a debugger: an unfinished record will not be finished later. */
	static bool Running(const Channel &channel);

      private:
	struct Watched {
		std::shared_ptr<Channel> channel;
		Descriptor pidfd;
		uint64_t records = 0;	   /* header.records when last looked at … */
		uint64_t changed_ns = 0;   /* … and when it last changed */
		uint64_t exec_look_ns = 0; /* next look at /proc/PID/maps */
		bool invisible = false;
	};

	void Find(Watched &watched);
	int32_t HostPid(const Channel &channel);
	bool StartedBefore(int32_t pid, const Channel &channel) const;
	void Supersede(const Channel &younger);
	bool Slow(Watched &watched, uint64_t now_ns);
	void End(Watched &watched);

	Descriptor epoll_;
	int errno_ = 0;
	uint64_t own_pid_ns_ = 0;
	std::set<uint64_t> seen_pid_ns_; /* below ours: a process of it was found */
	uint64_t boot_offset_ns_ = 0; /* CLOCK_BOOTTIME - CLOCK_MONOTONIC */
	uint64_t quiet_ns_ = 24 * 3600 * 1000000000ull;
	uint64_t slow_look_ns_ = 0;
	int ended_ = 0;
	std::unordered_map<uint32_t, Watched> watched_;
};

} // namespace scope
