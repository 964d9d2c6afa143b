/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file of the spool: batches back to back. Pages are allocated before they are touched and given
 * back when what they hold is committed.
 *
 *   0   SegmentHeader, 64 bytes
 *   64  batch: BatchHeader, records      repeated up to `used`
 */
#pragma once

#include <atomic>
#include <cstdint>

#include "mapping.h"
#include "scope/channel.h"

namespace scope {

constexpr size_t kSegmentSize = 4 * 1024 * 1024;
constexpr size_t kSegmentChunk = 256 * 1024;
constexpr uint64_t kSegmentMagic = 0x324c4f4f50534353ull; /* "SCSPOOL2" */
constexpr uint32_t kBatchMagic = 0x48435442u;		  /* "BTCH" */

struct SegmentHeader {
	std::atomic<uint64_t> magic; /* stored last */
	uint64_t base;		     /* spool position of this file's first byte */
	std::atomic<uint64_t> used;  /* end of the last whole batch */
	uint8_t pad[40];
};
static_assert(sizeof(SegmentHeader) == 64);

/*
 * Positions [start, start + bytes) of one ring. Of the filler that ends a lap only the header is the reader's: behind
 * it records of the next lap may lie already.
 */
struct RingRange {
	uint64_t start;
	uint32_t bytes;
	uint32_t filler; /* where in the range it begins; not below bytes: there is none */

	uint64_t end() const
	{
		return start + bytes;
	}
};

/*
 * What one pass took from one channel. The ring ranges make it possible to finish a pass that was
 * killed between the copy and the store of the tails.
 */
struct BatchHeader {
	uint32_t magic;
	uint32_t bytes;	   /* of records that follow */
	uint64_t position; /* of this header */
	uint64_t start_tsc; /* with pid: the channel's file name */
	int32_t pid;
	uint32_t records;
	uint64_t torn;	   /* sc_header.lost[TORN] and [BAD] after this pass */
	uint64_t bad;
	uint32_t shards;   /* bit per range in use */
	uint32_t reserved[3];
	RingRange range[SC_SHARDS];
};
static_assert(sizeof(BatchHeader) == 64 + 16 * SC_SHARDS);

class Segment {
      public:
	/* Makes the file for `base` in folder `dir`. 0 or -errno; nothing is left behind on failure. */
	int Create(int dir, uint64_t base);
	/* Opens an existing one. -EPROTO: never finished, or not ours. */
	int Open(int dir, uint64_t base);
	/* A segment of which nothing is wanted any more becomes the one for `base`, its pages and all. 0 or -errno. */
	int Reuse(int dir, uint64_t base);
	void Unlink(int dir) const;

	uint64_t base() const
	{
		return base_;
	}
	SegmentHeader *header() const
	{
		return reinterpret_cast<SegmentHeader *>(map_.base());
	}
	/* End of the last whole batch, never beyond the file whatever the file says. */
	size_t used() const;
	uint8_t *at(size_t offset) const
	{
		return map_.base() + offset;
	}
	/* Bytes that must still be allocated so that `end` can be written. */
	size_t Missing(size_t end) const;
	/* Allocates pages up to `end`, in chunks. 0 or -errno. */
	int Allocate(size_t end);
	/* Gives pages below `end` back, if enough have gathered. Bytes freed. */
	size_t Punch(size_t end, size_t least);
	/* Worth to be used again: written to its end, and no pages were given back. */
	bool whole() const
	{
		return punched_ == 0 && allocated_ > kSegmentSize / 2;
	}
	/* Bytes on tmpfs. */
	size_t held() const
	{
		return allocated_ - punched_;
	}

	static void Name(uint64_t base, char (&name)[32]);

      private:
	void Begin();

	Mapping map_;
	Descriptor fd_;
	uint64_t base_ = 0;
	std::atomic<size_t> allocated_{0};
	std::atomic<size_t> punched_{0}; /* of the pages after the first */
};

} // namespace scope
