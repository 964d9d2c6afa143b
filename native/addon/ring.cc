/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's side of one shard's ring. */
#include "ring.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "check.h"
#include "clock.h"

namespace scope {
namespace {

constexpr uint64_t kMask = SC_RING_SIZE - 1;
/* So long an unfinished record holds back younger ones of other rings. */
constexpr uint64_t kOrderNs = 100 * kMillisecond;
/* Of a filler only this was ever written: len, type, flags. */
constexpr uint64_t kFillerHeader = 8;
/* A living thread that was interrupted between reserve and commit gets this long to come back. */
constexpr uint64_t kGraceNs = 3 * kSecond;

uint32_t LoadLength(const struct sc_record *record)
{
	/* Pairs with the release stores of steps 2 and 3: what a committed length covers is whole. */
	return record->len.load(std::memory_order_acquire);
}

/* Once, whatever the writer does meanwhile: what was checked is what is used. */
uint16_t LoadType(const struct sc_record *record)
{
	return *static_cast<const volatile uint16_t *>(&record->type);
}

/* Of after the pass began. A time that has not come yet is a lie, and must not block the ring. */
bool Younger(uint64_t tsc, const WriterState &writer)
{
	return tsc > writer.now_tsc && !writer.gone && tsc <= Cycles();
}

} // namespace

void Ring::Attach(struct sc_shard *shard, uint8_t *ring)
{
	shard_ = shard;
	ring_ = ring;
	tail_ = shard->tail.load(std::memory_order_acquire);
}

struct sc_record *Ring::At(uint64_t position) const
{
	return reinterpret_cast<struct sc_record *>(ring_ + (position & kMask));
}

int Ring::Collect(std::vector<Found> &found, const WriterState &writer, Taken &taken)
{
	uint64_t head = shard_->head.load(std::memory_order_acquire);
	uint64_t at = tail_, limit = head;

	taken = {{at, 0, UINT32_MAX}, 0, 0, UINT64_MAX, false};
	if (head - at >= 2 * SC_RING_SIZE || head % 8 != 0)
		return -EPROTO;
	/*
	 * The writer has leapt over what we have not read. One lap at a time: the filler it left there spans
	 * memory that is zero only when this lap is released.
	 */
	if (head - at > SC_RING_SIZE)
		limit = (at & ~kMask) + SC_RING_SIZE;
	while (at < limit) {
		struct sc_record *record = At(at);
		uint32_t len = LoadLength(record);
		uint16_t type = LoadType(record);

		if (len == 0 || (len & SC_LEN_BUSY)) {
			if (!GiveUp(at, writer))
				break;
			taken.torn++;
			at = Skip(at, limit, writer);
		} else if (!PlausibleLength(len, type, at & kMask, limit - at)) {
			taken.bad++;
			at = FindNext(at + 8, limit, writer);
		} else if (type == SC_REC_PAD) {
			if ((at & kMask) + len == SC_RING_SIZE)
				taken.range.filler = static_cast<uint32_t>(at - tail_);
			at += len;
		} else if (Younger(record->tsc, writer)) {
			break;
		} else {
			found.push_back({record->tsc, at, reinterpret_cast<uint8_t *>(record), len});
			at += len;
		}
	}
	taken.range.bytes = static_cast<uint32_t>(at - tail_);
	taken.lap = at == limit && limit != head;
	if (at != head && !(stuck_at_ == at && writer.now_ns - stuck_since_ns_ > kOrderNs))
		taken.cutoff = Oldest(at, head);
	return 0;
}

/* The least time of a whole record in [position, head); UINT64_MAX: there is none. */
uint64_t Ring::Oldest(uint64_t position, uint64_t head) const
{
	uint64_t oldest = UINT64_MAX;

	while (position < head) {
		uint64_t end = std::min(head, (position & ~kMask) + SC_RING_SIZE);
		struct sc_record *record = At(position);
		uint32_t len = LoadLength(record);
		uint16_t type = LoadType(record);

		bool busy = len & SC_LEN_BUSY;

		len &= ~SC_LEN_BUSY;
		if (!PlausibleLength(len, type, position & kMask, end - position))
			break;
		if (!busy && type != SC_REC_PAD)
			oldest = std::min(oldest, record->tsc);
		position += len;
	}
	return oldest;
}

/* Whether the unfinished record at `position` can be left behind. */
bool Ring::GiveUp(uint64_t position, const WriterState &writer)
{
	if (writer.gone)
		return true;
	if (stuck_at_ != position) {
		stuck_at_ = position;
		stuck_since_ns_ = writer.now_ns;
		return false;
	}
	/*
	 * Alive: a thread may have jumped out of a hook by longjmp from a signal handler. One that is
	 * stopped, or just not run by the kernel, comes back: hence the grace, and never while stopped.
	 */
	return writer.may_skip && writer.now_ns - stuck_since_ns_ > kGraceNs;
}

bool Ring::Stuck(uint64_t now_ns) const
{
	return stuck_at_ == tail_ && now_ns - stuck_since_ns_ > kGraceNs;
}

/* Position after the unfinished record at `position`. */
uint64_t Ring::Skip(uint64_t position, uint64_t head, const WriterState &writer) const
{
	struct sc_record *record = At(position);
	uint32_t len = LoadLength(record) & ~SC_LEN_BUSY;

	/* Reserved and marked: the length is known. The type may not be written yet. */
	if (len != 0 && PlausibleLength(len, SC_REC_NOTE, position & kMask, head - position))
		return position + len;
	/* Reserved only: memory is zero up to the next record. */
	return FindNext(position + 8, head, writer);
}

uint64_t Ring::FindNext(uint64_t position, uint64_t head, const WriterState &writer) const
{
	while (position < head && !Plausible(position, head, writer))
		position += 8;
	return std::min(position, head);
}

/* A record may begin here: everything its header says fits. */
bool Ring::Plausible(uint64_t position, uint64_t head, const WriterState &writer) const
{
	size_t offset = position & kMask;
	struct sc_record *record = At(position);
	uint32_t len = LoadLength(record);

	if (len == 0)
		return false;
	uint16_t type = LoadType(record); /* offset is a multiple of 8: 8 bytes are always there */
	if (len & SC_LEN_BUSY)
		return PlausibleLength(len & ~SC_LEN_BUSY, SC_REC_NOTE, offset, head - position);
	if (!KnownType(type) || !PlausibleLength(len, type, offset, head - position))
		return false;
	if (type == SC_REC_PAD)
		return offset + len == SC_RING_SIZE;
	return record->tsc >= writer.start_tsc && record->tsc <= writer.now_tsc &&
	       SoundRecord(reinterpret_cast<uint8_t *>(record), len);
}

void Ring::Zero(uint64_t start, uint64_t end)
{
	size_t offset = start & kMask;
	size_t bytes = end - start;
	size_t first = std::min<size_t>(bytes, SC_RING_SIZE - offset);

	memset(ring_ + offset, 0, first);
	memset(ring_, 0, bytes - first);
}

void Ring::Release(const RingRange &range)
{
	uint64_t end = range.end();

	if (range.filler < range.bytes) {
		uint64_t lap = (range.start & ~kMask) + SC_RING_SIZE;

		Zero(range.start, range.start + range.filler + kFillerHeader);
		Zero(std::min(lap, end), end);
	} else {
		Zero(range.start, end);
	}
	tail_ = end;
	/* Zeroes before the space is given back. Pairs with the acquire of tail in the writers' reserve. */
	shard_->tail.store(end, std::memory_order_release);
}

void Ring::Recover(const RingRange &range)
{
	/* Only the range that was being released: any other is done, or not ours. */
	if (tail_ >= range.start && tail_ < range.end() && range.bytes <= SC_RING_SIZE)
		Release(range);
}

} // namespace scope
