/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One channel file, mapped. The drain thread moves the rings, the JavaScript thread reads counters and
 * writes control; what they share is atomic.
 */
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "mapping.h"
#include "ring.h"
#include "scope/channel.h"

namespace scope {

/* PID.TSC.chan; false: not a channel's name. */
bool ParseChannelName(const char *name, int32_t &pid, uint64_t &tsc);

struct FdRow {
	uint32_t fd;
	struct {
		uint64_t object, rx_bytes, tx_bytes, ticks, open_tsc;
		uint32_t rx_ops, tx_ops;
		uint16_t flags;
		uint8_t kind, protocol;
	} entry;
};

constexpr char kTruncated[] = "the file was truncated";

class Channel {
      public:
	Channel(uint32_t key, std::string name, int32_t pid, uint64_t tsc);

	/*
	 * Maps the file. 0; -EAGAIN: not now (still being made, or we lack descriptors); -ENOENT: gone. Any other trouble is no error here:
	 * the channel is then a failed one, with the reason in failure().
	 */
	int Open(int dir);

	uint32_t key() const
	{
		return key_;
	}
	const std::string &name() const
	{
		return name_;
	}
	int32_t pid() const
	{
		return pid_;
	}
	uint64_t tsc() const
	{
		return tsc_;
	}
	const Mapping &map() const
	{
		return map_;
	}
	/* nullptr when the file could not be mapped. */
	struct sc_header *header() const
	{
		return reinterpret_cast<struct sc_header *>(map_.base());
	}
	struct sc_info *info() const
	{
		return reinterpret_cast<struct sc_info *>(map_.base() + SC_INFO_OFF);
	}
	struct sc_shard *shard(uint32_t index) const
	{
		return reinterpret_cast<struct sc_shard *>(map_.base() + SC_SHARD_OFF) + index;
	}
	Ring &ring(uint32_t index)
	{
		return rings_[index];
	}
	/* Bits of the rings that exist, those new since the last call made ready. Drain thread. */
	uint32_t Rings();
	/* A ring has something between tail and head. Drain thread. */
	bool Pending();
	/*
	 * The same for one cache line: looks at the rings only when records were committed since, when
	 * something was left there, or when told to. An unfinished record shows in a thorough look only.
	 */
	bool Changed(bool thorough);
	/* The count of records with which Changed() will say no again; UINT64_MAX: there is none. Drain thread. */
	uint64_t Settled() const
	{
		return left_ ? UINT64_MAX : seen_;
	}

	/* Sums over the shards. */
	void Counters(double *out) const;
	void Calls(double *out) const;
	void Lost(double *out) const;
	/* Whether they are others than at the last call. JavaScript thread. */
	bool Losing();
	/* Descriptors in use. `dir` finds the file of those ≥ SC_FDS. */
	std::vector<FdRow> Fds(int dir) const;

	/* Gives the channel up: first reason wins. */
	void Fail(const char *reason);
	const char *failure() const
	{
		return failure_.load(std::memory_order_acquire);
	}

	std::atomic<bool> ended{false};	    /* no record is written any more */
	std::atomic<uint64_t> ended_ns{0};  /* CLOCK_REALTIME when that was noticed */
	std::atomic<int32_t> host_pid{0};   /* in our pid namespace; 0: not visible */
	uint64_t active_ns = 0;		    /* drain thread: when it last had something; 0: never looked */
	/* Spool position after its last batch; UINT64_MAX: more may come. */
	std::atomic<uint64_t> end_position{UINT64_MAX};

      private:
	uint32_t Shards() const;
	void SumShards(size_t offset, size_t count, uint32_t mapped, uint32_t others, double *out) const;

	const uint32_t key_;
	const std::string name_;
	const int32_t pid_;
	const uint64_t tsc_;
	Mapping map_;
	Ring rings_[SC_SHARDS];
	uint32_t attached_ = 0; /* bits of rings_ in use */
	uint64_t seen_ = 0;	/* header.records at the last look … */
	bool left_ = true;	/* … and whether the rings had something then */
	uint64_t losses_ = 0; /* all causes, at the last call of Losing */
	std::atomic<const char *> failure_{nullptr};
};

} // namespace scope
