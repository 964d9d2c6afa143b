/* SPDX-License-Identifier: Apache-2.0 */
/* What was taken from the rings and not yet committed by the consumer. */
#include "spool.h"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "clock.h"

namespace scope {
namespace {

constexpr uint64_t kCursorMagic = 0x3152535543435353ull; /* "SSCCUSR1" */
constexpr size_t kCursorSize = 4096;
/* Or a quarter of the file system, when that is less. */
constexpr uint64_t kKeepFree = 64 * 1024 * 1024;
constexpr uint64_t kLeastBytes = 2 * kBatchMax;
/* What is committed gives its pages back after so long; a segment that is filled sooner is used again as it is. */
constexpr uint64_t kKeepNs = kSecond;

std::vector<uint64_t> ListSegments(int dir)
{
	std::vector<uint64_t> bases;
	DIR *list = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	if (!list)
		return bases;
	while (struct dirent *entry = readdir(list)) {
		uint64_t base;
		int end = 0;
		if (sscanf(entry->d_name, "%16" SCNx64 ".seg%n", &base, &end) == 1 && end == 20 &&
		    entry->d_name[end] == '\0')
			bases.push_back(base);
	}
	closedir(list);
	std::sort(bases.begin(), bases.end());
	return bases;
}

} // namespace

int Spool::Open(int dir, uint64_t max_bytes, uint64_t from)
{
	max_bytes_ = std::max(max_bytes, kLeastBytes);
	if (mkdirat(dir, "spool", 0700) != 0 && errno != EEXIST)
		return -errno;
	dir_ = Descriptor(openat(dir, "spool", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
	if (!dir_.valid())
		return -errno;
	int rc = OpenCursor();
	if (rc == 0)
		rc = Load();
	if (rc != 0)
		return rc;
	if (from > committed())
		SkipTo(from);
	return 0;
}

int Spool::OpenCursor()
{
	lock_ = Descriptor(openat(dir_.get(), "cursor", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
	if (!lock_.valid())
		return -errno;
	/* Gone with the process, however it dies. */
	if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	int rc = posix_fallocate(lock_.get(), 0, kCursorSize);
	if (rc != 0)
		return -rc;
	rc = cursor_map_.Map(lock_.get(), kCursorSize);
	if (rc != 0)
		return rc;
	if (cursor()->magic.load(std::memory_order_acquire) != kCursorMagic) {
		cursor()->committed.store(0, std::memory_order_relaxed);
		cursor()->magic.store(kCursorMagic, std::memory_order_release);
	}
	cursor()->reader_pid.store(getpid(), std::memory_order_relaxed);
	committed_ = cursor()->committed.load(std::memory_order_relaxed);
	return 0;
}

/* Maps the segments that are there; the last one is written on. */
int Spool::Load()
{
	for (uint64_t base : ListSegments(dir_.get())) {
		auto segment = std::make_shared<Segment>();
		int rc = segment->Open(dir_.get(), base);
		if (rc == -EPROTO) {
			char name[32];
			Segment::Name(base, name);
			unlinkat(dir_.get(), name, 0);
			continue;
		}
		if (rc != 0)
			return rc;
		held_ += segment->held();
		segments_.push_back(segment);
	}
	if (segments_.empty()) {
		taken_ = visible_ = committed();
		return 0;
	}
	current_ = segments_.back();
	taken_ = committed();
	visible_ = current_->base() + current_->used();
	return 0;
}

void Spool::SkipTo(uint64_t from)
{
	while (taken() < from && Peek())
		Take();
	Commit();
}

/* A new segment at the end. */
int Spool::Append()
{
	uint64_t base = current_ ? current_->base() + kSegmentSize :
				   (committed() + kSegmentSize - 1) / kSegmentSize * kSegmentSize;
	std::shared_ptr<Segment> segment;
	{
		std::lock_guard<std::mutex> lock(mutex_);
		segment = std::exchange(spare_, nullptr);
	}
	int rc = segment ? segment->Reuse(dir_.get(), base) : -ENOENT;
	if (rc != 0) {
		if (segment) {
			segment->Unlink(dir_.get());
			held_ -= segment->held();
		}
		if (!Fits(kSegmentChunk))
			return -ENOBUFS;
		segment = std::make_shared<Segment>();
		rc = segment->Create(dir_.get(), base);
		if (rc != 0)
			return rc;
		held_ += segment->held();
	}
	current_ = segment;
	std::lock_guard<std::mutex> lock(mutex_);
	segments_.push_back(segment);
	return 0;
}

/*
 * Whether `need` more bytes fit: our own bound, and something of the file system stays free, because a
 * program that finds no memory for its channel goes unobserved (/dev/shm of a container: 64 MiB).
 */
bool Spool::Fits(size_t need) const
{
	struct statvfs fs;

	if (held() + need > max_bytes_)
		return false;
	/* The least that makes a spool at all is tried whatever is left. */
	if (held() + need <= kLeastBytes || fstatvfs(dir_.get(), &fs) != 0 || fs.f_blocks == 0)
		return true;
	uint64_t keep = std::min(static_cast<uint64_t>(fs.f_blocks) / 4 * fs.f_frsize, kKeepFree);
	return static_cast<uint64_t>(fs.f_bavail) * fs.f_frsize >= keep + need;
}

/* Makes room for `need` more bytes in the current segment. */
int Spool::Grow(size_t need)
{
	if (!current_ || current_->used() + need > kSegmentSize) {
		int rc = Append();
		if (rc != 0)
			return rc;
	}
	size_t end = current_->used() + need;
	size_t missing = current_->Missing(end);
	if (missing == 0)
		return 0;
	if (!Fits(missing))
		return -ENOBUFS;
	int rc = current_->Allocate(end);
	if (rc == 0)
		held_ += missing;
	return rc;
}

BatchHeader *Spool::Reserve(size_t bytes)
{
	int rc = Grow(sizeof(BatchHeader) + bytes);

	if (rc != 0)
		pressed_.store(true, std::memory_order_relaxed);
	last_error_.store(rc == -ENOBUFS ? 0 : -rc, std::memory_order_relaxed);
	if (rc != 0)
		return nullptr;
	auto *batch = reinterpret_cast<BatchHeader *>(current_->at(current_->used()));
	memset(batch, 0, sizeof *batch);
	return batch;
}

void Spool::Publish(BatchHeader *batch)
{
	size_t used = current_->used();

	batch->magic = kBatchMagic;
	batch->position = current_->base() + used;
	/* The batch is whole before it counts. Pairs with the acquire in Segment::used. */
	current_->header()->used.store(used + sizeof *batch + batch->bytes, std::memory_order_release);
}

void Spool::Show()
{
	/* Tails were stored before. Pairs with the acquire in visible(). */
	visible_.store(current_->base() + current_->used(), std::memory_order_release);
}

std::shared_ptr<Segment> Spool::Find(uint64_t position)
{
	std::lock_guard<std::mutex> lock(mutex_);

	for (const auto &segment : segments_) {
		/* The end of a segment belongs to it only when it is the last. */
		if (position < segment->base() + segment->used())
			return segment;
	}
	return nullptr;
}

/* The batch at or after `position`, which becomes its start; nullptr: none before `limit`. */
const BatchHeader *Spool::BatchAt(uint64_t &position, uint64_t limit)
{
	while (position < limit) {
		if (!reading_ || position < reading_->base() ||
		    position >= reading_->base() + reading_->used())
			reading_ = Find(position);
		if (!reading_)
			return nullptr;
		position = std::max(position, reading_->base() + sizeof(SegmentHeader));
		size_t offset = position - reading_->base();
		size_t used = reading_->used();
		if (position >= limit)
			return nullptr;
		if (offset < used && used - offset >= sizeof(BatchHeader)) {
			auto *batch = reinterpret_cast<const BatchHeader *>(reading_->at(offset));
			uint32_t bytes = batch->bytes;
			if (batch->magic == kBatchMagic && batch->position == position &&
			    bytes <= used - offset - sizeof(BatchHeader))
				return batch;
		}
		/* Someone wrote over it: nothing after it in this segment can be trusted. */
		last_error_.store(EILSEQ, std::memory_order_relaxed);
		position = reading_->base() + std::max(used, offset + 8);
	}
	return nullptr;
}

const BatchHeader *Spool::Peek()
{
	uint64_t position = taken();
	const BatchHeader *batch = BatchAt(position, visible());

	taken_.store(position, std::memory_order_release);
	return batch;
}

void Spool::Take()
{
	uint64_t position = taken();
	const BatchHeader *batch = BatchAt(position, visible());

	if (batch)
		taken_.store(position + sizeof *batch + batch->bytes, std::memory_order_release);
}

void Spool::Commit()
{
	uint64_t position = taken();

	committed_.store(position, std::memory_order_release);
	if (cursor())
		cursor()->committed.store(position, std::memory_order_release);
	bool pressed = pressed_.exchange(false, std::memory_order_relaxed);
	std::lock_guard<std::mutex> lock(mutex_);
	/* The last one stays: the writer goes on in it. */
	while (segments_.size() > 1 && segments_.front()->base() + segments_.front()->used() <= position) {
		Retire(segments_.front());
		segments_.pop_front();
	}
	uint64_t now = MonotonicNs();
	if (!pressed && now - punched_ns_ < kKeepNs)
		return;
	punched_ns_ = now;
	DropSpare();
	if (!segments_.empty() && position > segments_.front()->base())
		held_ -= segments_.front()->Punch(position - segments_.front()->base(), kSegmentChunk / 2);
}

/* Its pages serve the next segment when that comes soon: making new ones costs more than all else here. */
void Spool::Retire(std::shared_ptr<Segment> segment)
{
	if (reading_ == segment)
		reading_.reset();
	if (!spare_ && segment->whole()) {
		spare_ = std::move(segment);
		return;
	}
	segment->Unlink(dir_.get());
	held_ -= segment->held();
}

void Spool::DropSpare()
{
	if (!spare_)
		return;
	spare_->Unlink(dir_.get());
	held_ -= spare_->held();
	spare_.reset();
}

void Spool::ForEach(const std::function<void(const BatchHeader &)> &visit)
{
	uint64_t position = committed();

	while (const BatchHeader *batch = BatchAt(position, visible())) {
		uint32_t bytes = batch->bytes;
		visit(*batch);
		position += sizeof *batch + bytes;
	}
}

uint64_t Spool::waiting() const
{
	uint64_t from = taken(), to = visible();

	return to > from ? to - from : 0;
}

void Spool::Close()
{
	if (!cursor())
		return;
	std::lock_guard<std::mutex> lock(mutex_);
	while (!segments_.empty() && segments_.front()->base() + segments_.front()->used() <= committed()) {
		segments_.front()->Unlink(dir_.get());
		segments_.pop_front();
	}
	DropSpare();
	segments_.clear();
	current_.reset();
	reading_.reset();
	cursor()->reader_pid.store(0, std::memory_order_relaxed);
	cursor_map_.Unmap();
	lock_ = Descriptor();
	dir_ = Descriptor();
}

} // namespace scope
