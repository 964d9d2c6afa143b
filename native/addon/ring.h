/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader's side of one shard's ring: which records can be taken, and how to get past one that will
 * never be finished. Drain thread only; contract of the ring: struct sc_shard.
 */
#pragma once

#include <cstdint>
#include <vector>

#include "scope/channel.h"
#include "segment.h"

namespace scope {

/* A committed record in a ring. */
struct Found {
	uint64_t tsc;
	uint64_t position; /* in its ring */
	const uint8_t *at;
	uint32_t len;
};

/* How a ring's writer may be treated. */
struct WriterState {
	bool gone;	    /* nobody writes any more: what is unfinished stays so */
	bool may_skip;	    /* alive and running: an unfinished record may be given up after a grace */
	uint64_t now_ns;
	uint64_t start_tsc; /* records are not older than this */
	uint64_t now_tsc;   /* when the pass began: later records wait for the next pass */
};

/* What Collect found in one ring. */
struct Taken {
	RingRange range; /* what the batch stands for */
	uint32_t torn;   /* records given up on the way */
	uint32_t bad;
	uint64_t cutoff; /* least tsc of what was left for the next pass; UINT64_MAX: nothing was */
	bool lap;	 /* ends with the lap: there is more */
};

class Ring {
      public:
	void Attach(struct sc_shard *shard, uint8_t *ring);

	/* There is something between tail and head. One load. */
	bool Pending() const
	{
		return shard_->head.load(std::memory_order_relaxed) != tail_;
	}

	/*
	 * Appends to `found` what can be taken and fills `taken`. 0, or -EPROTO when the positions are
	 * impossible. Moves nothing: Release does.
	 *
	 * Records younger than the pass are left: a thread whose ring is full writes to another one, and
	 * what it wrote there must not overtake what this pass did not see any more.
	 */
	int Collect(std::vector<Found> &found, const WriterState &writer, Taken &taken);

	/* An unfinished record has blocked the ring for the whole grace. */
	bool Stuck(uint64_t now_ns) const;

	/* Zeroes the range and gives it back to the writers. */
	void Release(const RingRange &range);

	/* Finishes a Release that a killed reader began. */
	void Recover(const RingRange &range);

	uint64_t tail() const
	{
		return tail_;
	}

      private:
	struct sc_record *At(uint64_t position) const;
	uint64_t FindNext(uint64_t position, uint64_t head, const WriterState &writer) const;
	bool Plausible(uint64_t position, uint64_t head, const WriterState &writer) const;
	uint64_t Oldest(uint64_t position, uint64_t head) const;
	bool GiveUp(uint64_t position, const WriterState &writer);
	uint64_t Skip(uint64_t position, uint64_t head, const WriterState &writer) const;
	void Zero(uint64_t start, uint64_t end);

	struct sc_shard *shard_ = nullptr;
	uint8_t *ring_ = nullptr;
	uint64_t tail_ = 0;	   /* our copy: the one in the file is the writer's to read */
	uint64_t stuck_at_ = UINT64_MAX; /* position of an unfinished record */
	uint64_t stuck_since_ns_ = 0;
};

} // namespace scope
