/* SPDX-License-Identifier: Apache-2.0 */
/* Moves what was recorded from the rings of one channel into the spool. Drain thread only. */
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "channel.h"
#include "spool.h"

namespace scope {

enum class Drained {
	kNothing,
	kSome,	/* a batch was published and shown */
	kAgain, /* the same, and so much that more must be expected */
	kFull,	/* the spool has no room; nothing was moved */
};

class Drainer {
      public:
	explicit Drainer(Spool &spool) : spool_(spool)
	{
	}

	/* At most one batch. `gone`: nobody writes to the channel any more. */
	Drained Drain(Channel &channel, bool gone, uint64_t now_ns);

	/* Finishes what a killed reader began with this batch of this channel. */
	static void Recover(Channel &channel, const BatchHeader &batch);

	/* Records moved since the beginning. */
	uint64_t records() const
	{
		return records_.load(std::memory_order_relaxed);
	}

      private:
	bool Collect(Channel &channel, const WriterState &writer);
	void Trim(uint32_t shard, uint64_t cutoff);
	size_t Gather();
	void Fill(BatchHeader &batch, const Channel &channel);
	void Finish(Channel &channel, const BatchHeader &batch);

	Spool &spool_;
	std::vector<Found> found_[SC_SHARDS];
	Taken taken_[SC_SHARDS];
	uint32_t shards_ = 0; /* bits of taken_ in use */
	bool more_ = false;   /* a ring was taken to the end of its lap only */
	std::vector<Found> merged_;
	std::atomic<uint64_t> records_{0};
};

} // namespace scope
