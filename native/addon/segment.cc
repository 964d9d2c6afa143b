/* SPDX-License-Identifier: Apache-2.0 */
/* One file of the spool. */
#include "segment.h"

#include <cerrno>
#include <cinttypes>
#include <cstdio>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace scope {
namespace {

constexpr size_t kPage = 4096;

size_t RoundUp(size_t value, size_t unit)
{
	return (value + unit - 1) / unit * unit;
}

} // namespace

void Segment::Name(uint64_t base, char (&name)[32])
{
	snprintf(name, sizeof name, "%016" PRIx64 ".seg", base);
}

int Segment::Create(int dir, uint64_t base)
{
	char name[32];

	Name(base, name);
	fd_ = Descriptor(openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
	if (!fd_.valid())
		return -errno;
	base_ = base;
	int rc = ftruncate(fd_.get(), kSegmentSize) != 0 ? -errno : map_.Map(fd_.get(), kSegmentSize);
	if (rc == 0)
		rc = Allocate(sizeof(SegmentHeader));
	if (rc != 0) {
		unlinkat(dir, name, 0);
		return rc;
	}
	Begin();
	return 0;
}

/* Publish: a file without the magic was never finished and holds nothing. */
void Segment::Begin()
{
	header()->base = base_;
	header()->used.store(sizeof(SegmentHeader), std::memory_order_relaxed);
	header()->magic.store(kSegmentMagic, std::memory_order_release);
}

int Segment::Reuse(int dir, uint64_t base)
{
	char from[32], to[32];

	Name(base_, from);
	Name(base, to);
	/* Killed from here to Begin, it is a file that holds nothing. */
	header()->magic.store(0, std::memory_order_seq_cst);
	if (renameat(dir, from, dir, to) != 0)
		return -errno;
	base_ = base;
	Begin();
	return 0;
}

int Segment::Open(int dir, uint64_t base)
{
	char name[32];
	struct stat st;

	Name(base, name);
	fd_ = Descriptor(openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
	if (!fd_.valid())
		return -errno;
	if (fstat(fd_.get(), &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size != static_cast<off_t>(kSegmentSize))
		return -EPROTO;
	int rc = map_.Map(fd_.get(), kSegmentSize);
	if (rc != 0)
		return rc;
	base_ = base;
	/* Pairs with the release in Create. */
	if (header()->magic.load(std::memory_order_acquire) != kSegmentMagic || header()->base != base)
		return -EPROTO;
	allocated_ = RoundUp(used(), kSegmentChunk);
	return 0;
}

void Segment::Unlink(int dir) const
{
	char name[32];

	Name(base_, name);
	unlinkat(dir, name, 0);
}

size_t Segment::used() const
{
	/* Pairs with the release in Spool::Publish: batches below are whole. */
	uint64_t used = header()->used.load(std::memory_order_acquire);

	if (used < sizeof(SegmentHeader) || used > kSegmentSize)
		return sizeof(SegmentHeader);
	return used;
}

size_t Segment::Missing(size_t end) const
{
	return end <= allocated_ ? 0 : RoundUp(end, kSegmentChunk) - allocated_;
}

int Segment::Allocate(size_t end)
{
	size_t missing = Missing(end);

	if (missing == 0)
		return 0;
	/* Pages in the file and in the mapping at once: no faults. Older kernels do not know it. */
	if (madvise(map_.base() + allocated_, missing, MADV_POPULATE_WRITE) != 0) {
		int rc = errno != EINVAL ? ENOSPC :
					   posix_fallocate(fd_.get(), static_cast<off_t>(allocated_.load()),
							   static_cast<off_t>(missing));
		if (rc != 0)
			return -rc;
	}
	allocated_ += missing;
	return 0;
}

size_t Segment::Punch(size_t end, size_t least)
{
	size_t from = kPage + punched_; /* the first page holds the header */
	size_t to = end / kPage * kPage;

	if (to <= from || to - from < least)
		return 0;
	if (fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from),
		      static_cast<off_t>(to - from)) != 0)
		return 0;
	punched_ += to - from;
	return to - from;
}

} // namespace scope
