/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was taken from the rings and not yet committed by the consumer: segment files on tmpfs, bounded.
 * One writer (the drain thread) and one reader (the JavaScript thread); positions count bytes for ever.
 *
 *    committed ≤ taken ≤ visible ≤ end
 *
 * A batch is written in three steps: Publish makes it part of the spool (it survives kill -9 from here
 * on), then the caller moves the ring tails, then Show lets Peek see it. So whatever Peek returned has
 * left the rings, and a batch whose tails were not moved lies between committed and end, where
 * recovery finds it.
 */
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "segment.h"

namespace scope {

/* Most bytes of records in one batch: all rings of a channel, full. */
constexpr size_t kBatchMax = SC_SHARDS * SC_RING_SIZE;
static_assert(2 * kBatchMax < kSegmentSize);

class Spool {
      public:
	/*
	 * Opens `spool` below the folder, makes it when absent and locks it. 0, -EBUSY when another
	 * process has the lock, or -errno. Batches before `from` count as committed.
	 */
	int Open(int dir, uint64_t max_bytes, uint64_t from);
	/* Removes files that hold nothing and unlocks. */
	void Close();

	/* Writer: room for a batch with up to `bytes` of records; nullptr: the spool is full. */
	BatchHeader *Reserve(size_t bytes);
	/* Writer: the reserved batch is whole with the `bytes` in its header. */
	void Publish(BatchHeader *batch);
	/* Writer: everything published may be taken. */
	void Show();

	/* Reader: the batch at `taken`; nullptr: none. Checked: it lies within the spool. */
	const BatchHeader *Peek();
	/* Reader: go past the batch that Peek returned. */
	void Take();
	/* Reader: what was taken is kept elsewhere. */
	void Commit();

	/* Every batch from committed to end. Before the writer starts. */
	void ForEach(const std::function<void(const BatchHeader &)> &visit);

	uint64_t taken() const
	{
		return taken_.load(std::memory_order_acquire);
	}
	uint64_t committed() const
	{
		return committed_.load(std::memory_order_acquire);
	}
	/* Position after the last shown batch. */
	uint64_t visible() const
	{
		return visible_.load(std::memory_order_acquire);
	}
	uint64_t held() const
	{
		return held_.load(std::memory_order_relaxed);
	}
	uint64_t max_bytes() const
	{
		return max_bytes_;
	}
	/* Bytes between taken and visible. */
	uint64_t waiting() const;
	int last_error() const
	{
		return last_error_.load(std::memory_order_relaxed);
	}

      private:
	struct Cursor {
		std::atomic<uint64_t> magic;
		std::atomic<uint64_t> committed;
		std::atomic<int32_t> reader_pid;
	};

	int OpenCursor();
	int Load();
	int Append();
	bool Fits(size_t need) const;
	int Grow(size_t need);
	void SkipTo(uint64_t from);
	void Retire(std::shared_ptr<Segment> segment);
	void DropSpare();
	const BatchHeader *BatchAt(uint64_t &position, uint64_t limit);
	std::shared_ptr<Segment> Find(uint64_t position);
	Cursor *cursor() const
	{
		return reinterpret_cast<Cursor *>(cursor_map_.base());
	}

	Descriptor dir_;
	Descriptor lock_;
	Mapping cursor_map_;
	uint64_t max_bytes_ = 0;
	std::mutex mutex_; /* segments_ only */
	std::deque<std::shared_ptr<Segment>> segments_;
	std::shared_ptr<Segment> current_; /* writer: the last of segments_ */
	std::shared_ptr<Segment> reading_; /* reader: where Peek was last */
	std::shared_ptr<Segment> spare_;   /* committed; the next one, under mutex_ */
	uint64_t punched_ns_ = 0;	   /* reader: when pages were given back last */
	std::atomic<bool> pressed_{false}; /* there was no room: everything is given back at once */
	std::atomic<uint64_t> committed_{0};
	std::atomic<uint64_t> taken_{0};
	std::atomic<uint64_t> visible_{0};
	std::atomic<uint64_t> held_{0};
	std::atomic<int> last_error_{0};
};

} // namespace scope
