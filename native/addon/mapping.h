/* SPDX-License-Identifier: Apache-2.0 */
/* One file mapped shared and writable, guarded against truncation. Owned by one object, any thread. */
#pragma once

#include <cstddef>
#include <cstdint>

#include <sys/types.h>

namespace scope {

/* A descriptor that closes itself. */
class Descriptor {
      public:
	explicit Descriptor(int fd = -1) : fd_(fd)
	{
	}
	~Descriptor();
	Descriptor(Descriptor &&other) noexcept;
	Descriptor &operator=(Descriptor &&other) noexcept;
	int get() const
	{
		return fd_;
	}
	bool valid() const
	{
		return fd_ >= 0;
	}

      private:
	int fd_;
};

class Mapping {
      public:
	Mapping() = default;
	~Mapping();
	Mapping(const Mapping &) = delete;
	Mapping &operator=(const Mapping &) = delete;

	/*
	 * Maps a regular file of exactly `size` bytes below `dir`; links are not followed. 0, -errno of
	 * open or mmap, -EAGAIN when the file is shorter, -EINVAL when it is longer or not a file.
	 */
	int Open(int dir, const char *name, size_t size);

	/* Maps an open file that is `size` bytes long; does not take the descriptor. 0 or -errno. */
	int Map(int fd, size_t size);
	void Unmap();

	uint8_t *base() const
	{
		return base_;
	}
	size_t size() const
	{
		return size_;
	}
	uid_t owner() const
	{
		return owner_;
	}
	ino_t inode() const
	{
		return inode_;
	}
	/* The file itself, for reads that must not allocate a page in a hole; -1 after Map. */
	int fd() const
	{
		return fd_.get();
	}
	/* The file became shorter under us. */
	bool Broken() const;

      private:
	uint8_t *base_ = nullptr;
	size_t size_ = 0;
	int slot_ = -1;
	uid_t owner_ = 0;
	ino_t inode_ = 0;
	Descriptor fd_;
};

} // namespace scope
