/* SPDX-License-Identifier: Apache-2.0 */
/* Moves what was recorded from the rings of one channel into the spool. */
#include "drain.h"

#include <algorithm>
#include <cstring>

#include "check.h"
#include "clock.h"
#include "process.h"

namespace scope {
namespace {

/* A pass that moved so much is followed by the next one at once, without sleep. */
constexpr size_t kBusyBytes = 32 * 1024;

bool Earlier(const Found &a, const Found &b)
{
	return a.tsc < b.tsc;
}

/* Raises a loss counter of the reader to `value`: the same batch may come here twice. */
void RaiseTo(std::atomic<uint64_t> &counter, uint64_t value)
{
	if (counter.load(std::memory_order_relaxed) < value)
		counter.store(value, std::memory_order_relaxed);
}

bool Stuck(Channel &channel, uint64_t now_ns)
{
	for (uint32_t i = 0, bits = channel.Rings(); bits != 0; i++, bits >>= 1) {
		if ((bits & 1) && channel.ring(i).Stuck(now_ns))
			return true;
	}
	return false;
}

} // namespace

Drained Drainer::Drain(Channel &channel, bool gone, uint64_t now_ns)
{
	/* Asking /proc costs microseconds: only when a ring has been blocked for long. */
	WriterState writer = {gone, !gone && Stuck(channel, now_ns) && ProcessWatch::Running(channel),
			      now_ns, channel.header()->start_tsc, Cycles()};

	more_ = false;
	if (!Collect(channel, writer) || shards_ == 0)
		return Drained::kNothing;
	size_t bytes = Gather();
	BatchHeader *batch = spool_.Reserve(bytes);
	if (!batch)
		return Drained::kFull;
	Fill(*batch, channel);
	spool_.Publish(batch);
	Finish(channel, *batch);
	spool_.Show();
	return more_ || bytes >= kBusyBytes ? Drained::kAgain : Drained::kSome;
}

/* Fills found_ and taken_; false: the channel is beyond belief and was given up. */
bool Drainer::Collect(Channel &channel, const WriterState &writer)
{
	uint32_t bits = channel.Rings();
	uint32_t pending = 0;
	uint64_t cutoff = UINT64_MAX;

	for (uint32_t i = 0; i < SC_SHARDS; i++) {
		if ((bits & (1u << i)) && channel.ring(i).Pending())
			pending |= 1u << i;
	}
	shards_ = 0;
	if (pending == 0)
		return true;
	for (uint32_t i = 0; i < SC_SHARDS; i++) {
		found_[i].clear();
		if (!(pending & (1u << i)))
			continue;
		if (channel.ring(i).Collect(found_[i], writer, taken_[i]) != 0) {
			channel.Fail(channel.map().Broken() ? kTruncated : "impossible ring positions");
			return false;
		}
		cutoff = std::min(cutoff, taken_[i].cutoff);
		more_ |= taken_[i].lap;
	}
	for (uint32_t i = 0; i < SC_SHARDS; i++) {
		if (pending & (1u << i))
			Trim(i, cutoff);
	}
	for (uint32_t i = 0; i < SC_SHARDS; i++) {
		if ((pending & (1u << i)) && taken_[i].range.bytes != 0)
			shards_ |= 1u << i;
	}
	return true;
}

/* Leaves records younger than one that had to stay in another ring: order first. */
void Drainer::Trim(uint32_t shard, uint64_t cutoff)
{
	std::vector<Found> &found = found_[shard];
	Taken &taken = taken_[shard];

	/* The ring that set the cutoff, and one with gaps, keep what they have. */
	if (cutoff == UINT64_MAX || taken.cutoff == cutoff || taken.torn || taken.bad)
		return;
	for (size_t i = 0; i < found.size(); i++) {
		if (found[i].tsc > cutoff) {
			taken.range.bytes = static_cast<uint32_t>(found[i].position - taken.range.start);
			found.resize(i);
			return;
		}
	}
}

/* All rings in one list by time; its bytes. */
size_t Drainer::Gather()
{
	size_t bytes = 0;

	merged_.clear();
	for (uint32_t i = 0; i < SC_SHARDS; i++) {
		if (shards_ & (1u << i))
			merged_.insert(merged_.end(), found_[i].begin(), found_[i].end());
	}
	for (const Found &found : merged_)
		bytes += found.len;
	/* Stable: parts of one write have the same time and keep their order. */
	if (!std::is_sorted(merged_.begin(), merged_.end(), Earlier))
		std::stable_sort(merged_.begin(), merged_.end(), Earlier);
	return bytes;
}

void Drainer::Fill(BatchHeader &batch, const Channel &channel)
{
	auto *begin = reinterpret_cast<uint8_t *>(&batch + 1);
	uint8_t *at = begin;
	uint64_t torn = 0, bad = 0;

	for (const Found &found : merged_) {
		memcpy(at, found.at, found.len);
		/* The length that was checked, whatever the writer made of it since. */
		memcpy(at, &found.len, sizeof found.len);
		if (!SoundRecord(at, found.len)) {
			bad++;
			continue;
		}
		at += found.len;
		batch.records++;
	}
	for (uint32_t i = 0; i < SC_SHARDS; i++) {
		if (!(shards_ & (1u << i)))
			continue;
		batch.range[i] = taken_[i].range;
		torn += taken_[i].torn;
		bad += taken_[i].bad;
	}
	batch.shards = shards_;
	batch.bytes = static_cast<uint32_t>(at - begin);
	batch.pid = channel.pid();
	batch.start_tsc = channel.tsc();
	const struct sc_header *header = channel.header();
	batch.torn = header->lost[SC_LOST_TORN].load(std::memory_order_relaxed) + torn;
	batch.bad = header->lost[SC_LOST_BAD].load(std::memory_order_relaxed) + bad;
	records_.fetch_add(batch.records, std::memory_order_relaxed);
}

void Drainer::Finish(Channel &channel, const BatchHeader &batch)
{
	RaiseTo(channel.header()->lost[SC_LOST_TORN], batch.torn);
	RaiseTo(channel.header()->lost[SC_LOST_BAD], batch.bad);
	for (uint32_t i = 0; i < SC_SHARDS; i++) {
		if (batch.shards & (1u << i))
			channel.ring(i).Release(batch.range[i]);
	}
}

void Drainer::Recover(Channel &channel, const BatchHeader &batch)
{
	uint32_t bits = channel.Rings();

	RaiseTo(channel.header()->lost[SC_LOST_TORN], batch.torn);
	RaiseTo(channel.header()->lost[SC_LOST_BAD], batch.bad);
	for (uint32_t i = 0; i < SC_SHARDS; i++) {
		if (batch.shards & bits & (1u << i))
			channel.ring(i).Recover(batch.range[i]);
	}
}

} // namespace scope
