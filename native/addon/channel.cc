/* SPDX-License-Identifier: Apache-2.0 */
/* One channel file, mapped. */
#include "channel.h"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace scope {
namespace {

constexpr uint32_t kFdsPerBlock = 32;
static_assert(SC_COUNTERS <= SC_NR_MAX);
constexpr uint32_t kAllShards = (1u << SC_SHARDS) - 1;
/* A hostile length of the overflow file must not cost us memory. */
constexpr off_t kFdxMax = (1 << 20) * static_cast<off_t>(sizeof(struct sc_fd));

uint64_t Load(const std::atomic<uint64_t> &value)
{
	/* Counters stand alone: no order with anything else is needed. */
	return value.load(std::memory_order_relaxed);
}

void AppendFd(std::vector<FdRow> &rows, uint32_t fd, const struct sc_fd &from)
{
	uint64_t object = from.object.load(std::memory_order_acquire);

	if (object == 0)
		return;
	rows.push_back({fd,
			{object, Load(from.rx_bytes), Load(from.tx_bytes), Load(from.ticks), from.open_tsc,
			 from.rx_ops.load(std::memory_order_relaxed),
			 from.tx_ops.load(std::memory_order_relaxed),
			 from.flags.load(std::memory_order_relaxed), from.kind, from.protocol}});
}

/* Entries of PID.TSC.fdx, read so that holes cost nothing. */
void AppendOverflow(std::vector<FdRow> &rows, int dir, const std::string &name)
{
	std::string path = name.substr(0, name.rfind('.')) + ".fdx";
	Descriptor fd(openat(dir, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
	struct stat st;

	if (!fd.valid() || fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode))
		return;
	off_t end = std::min(st.st_size, kFdxMax);
	off_t at = 0;
	alignas(struct sc_fd) char block[4096];
	while (at < end && (at = lseek(fd.get(), at, SEEK_DATA)) >= 0 && at < end) {
		at -= at % static_cast<off_t>(sizeof(struct sc_fd));
		ssize_t got = pread(fd.get(), block, sizeof block, at);
		if (got < static_cast<ssize_t>(sizeof(struct sc_fd)))
			return;
		size_t count = static_cast<size_t>(got) / sizeof(struct sc_fd);
		for (size_t i = 0; i < count; i++) {
			size_t index = static_cast<size_t>(at) / sizeof(struct sc_fd) + i;
			AppendFd(rows, static_cast<uint32_t>(SC_FDS + index),
				 reinterpret_cast<struct sc_fd *>(block)[i]);
		}
		at += static_cast<off_t>(count * sizeof(struct sc_fd));
	}
}

} // namespace

bool ParseChannelName(const char *name, int32_t &pid, uint64_t &tsc)
{
	int end = 0;

	return sscanf(name, "%9" SCNd32 ".%16" SCNx64 ".chan%n", &pid, &tsc, &end) == 2 && end > 0 &&
	       name[end] == '\0' && pid > 0;
}

Channel::Channel(uint32_t key, std::string name, int32_t pid, uint64_t tsc)
	: key_(key), name_(std::move(name)), pid_(pid), tsc_(tsc)
{
}

int Channel::Open(int dir)
{
	int rc = map_.Open(dir, name_.c_str(), SC_CHANNEL_SIZE);

	if (rc == -EAGAIN || rc == -ENOENT)
		return rc;
	/* Short of descriptors, memory or slots now: nothing is wrong with the file. */
	if (rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM || rc == -ENOSPC)
		return -EAGAIN;
	if (rc != 0) {
		Fail(rc == -EINVAL   ? "not a channel file (type or size)"
		     : rc == -EACCES ? "another user's, and not shared (see the folder's mode)"
				     : "cannot be mapped");
		return 0;
	}
	/* Pairs with the release store of the library: the header before it is whole. */
	uint64_t magic = header()->magic.load(std::memory_order_acquire);
	if (magic == 0) {
		map_.Unmap();
		return -EAGAIN;
	}
	if (magic != SC_CHANNEL_MAGIC)
		Fail("wrong magic");
	else if (header()->major != SC_VERSION_MAJOR)
		Fail("made by another version of the library");
	else if (header()->size != SC_CHANNEL_SIZE)
		Fail("impossible size in the header");
	return 0;
}

void Channel::Fail(const char *reason)
{
	const char *none = nullptr;

	failure_.compare_exchange_strong(none, reason, std::memory_order_acq_rel);
}

uint32_t Channel::Rings()
{
	/* Pairs with the release of the bit after the ring was allocated. */
	uint32_t bits = header()->rings.load(std::memory_order_acquire) & kAllShards;
	uint32_t fresh = bits & ~attached_;

	for (uint32_t i = 0; fresh != 0 && i < SC_SHARDS; i++) {
		if (fresh & (1u << i))
			rings_[i].Attach(shard(i), map_.base() + SC_RING_OFF + i * SC_RING_SIZE);
	}
	attached_ |= fresh;
	return attached_;
}

bool Channel::Pending()
{
	uint32_t bits = Rings();

	for (uint32_t i = 0; bits != 0; i++, bits >>= 1) {
		if ((bits & 1) && rings_[i].Pending())
			return true;
	}
	return false;
}

bool Channel::Changed(bool thorough)
{
	/* The count is raised after the commit: a record counted here is seen in its ring below. */
	uint64_t records = header()->records.load(std::memory_order_acquire);

	if (!thorough && !left_ && records == seen_)
		return false;
	seen_ = records;
	left_ = Pending();
	return left_;
}

/*
 * Adds `count` values at `offset` of every shard: of those that are real for sure, and of others, which may still
 * have counters. These are read through the file, because touching a hole of the mapping would allocate its page.
 */
void Channel::SumShards(size_t offset, size_t count, uint32_t mapped, uint32_t others, double *out) const
{
	uint64_t copy[SC_NR_MAX];

	std::fill(out, out + count, 0.0);
	if (!header() || map_.Broken())
		return;
	for (uint32_t i = 0; i < SC_SHARDS; i++) {
		size_t at = SC_SHARD_OFF + i * sizeof(struct sc_shard) + offset;
		if (mapped & (1u << i)) {
			auto *values = reinterpret_cast<std::atomic<uint64_t> *>(map_.base() + at);
			for (size_t n = 0; n < count; n++)
				copy[n] = Load(values[n]);
		} else if (!(others & (1u << i)) ||
			   pread(map_.fd(), copy, count * sizeof *copy, static_cast<off_t>(at)) !=
				   static_cast<ssize_t>(count * sizeof *copy)) {
			continue;
		}
		for (size_t n = 0; n < count; n++)
			out[n] += static_cast<double>(static_cast<int64_t>(copy[n]));
	}
}

/* Shards whose first page is there for sure. */
uint32_t Channel::Shards() const
{
	return header() ? header()->rings.load(std::memory_order_acquire) | 1 : 0;
}

void Channel::Counters(double *out) const
{
	SumShards(offsetof(struct sc_shard, counter), SC_COUNTERS, Shards(), kAllShards, out);
}

void Channel::Calls(double *out) const
{
	uint32_t far = header() ? header()->far_calls.load(std::memory_order_acquire) : 0;

	SumShards(offsetof(struct sc_shard, calls), SC_NEAR_CALLS, Shards(), kAllShards, out);
	SumShards(offsetof(struct sc_shard, calls) + SC_NEAR_CALLS * sizeof(uint64_t), SC_NR_MAX - SC_NEAR_CALLS, far, 0,
		  out + SC_NEAR_CALLS);
}

void Channel::Lost(double *out) const
{
	for (uint32_t i = 0; i < SC_LOST_MAX; i++)
		out[i] = header() ? static_cast<double>(Load(header()->lost[i])) : 0;
}

bool Channel::Losing()
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < SC_LOST_MAX && header(); i++)
		sum += Load(header()->lost[i]);
	return std::exchange(losses_, sum) != sum;
}

std::vector<FdRow> Channel::Fds(int dir) const
{
	std::vector<FdRow> rows;

	if (!header() || map_.Broken())
		return rows;
	/* Pairs with the release of the bit after the block was allocated. */
	uint32_t blocks = header()->fd_blocks.load(std::memory_order_acquire);
	auto *table = reinterpret_cast<const struct sc_fd *>(map_.base() + SC_FD_OFF);
	for (uint32_t fd = 0; fd < SC_FDS; fd++) {
		if (blocks & (1u << (fd / kFdsPerBlock)))
			AppendFd(rows, fd, table[fd]);
	}
	if (header()->fd_high.load(std::memory_order_relaxed) > SC_FDS)
		AppendOverflow(rows, dir, name_);
	return rows;
}

} // namespace scope
