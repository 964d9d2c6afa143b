/* SPDX-License-Identifier: Apache-2.0 */
/* One file mapped shared and writable, guarded against truncation. */
#include "mapping.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard.h"

namespace scope {

Descriptor::~Descriptor()
{
	if (fd_ >= 0)
		close(fd_);
}

Descriptor::Descriptor(Descriptor &&other) noexcept : fd_(std::exchange(other.fd_, -1))
{
}

Descriptor &Descriptor::operator=(Descriptor &&other) noexcept
{
	std::swap(fd_, other.fd_);
	return *this;
}

Mapping::~Mapping()
{
	Unmap();
}

int Mapping::Open(int dir, const char *name, size_t size)
{
	/* O_NONBLOCK: a FIFO under this name must not block us; fstat refuses it below. */
	Descriptor fd(openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
	if (!fd.valid())
		return -errno;
	struct stat st;
	if (fstat(fd.get(), &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > static_cast<off_t>(size))
		return -EINVAL;
	if (st.st_size < static_cast<off_t>(size))
		return -EAGAIN;
	owner_ = st.st_uid;
	inode_ = st.st_ino;
	int rc = Map(fd.get(), size);
	if (rc == 0)
		fd_ = std::move(fd);
	return rc;
}

int Mapping::Map(int fd, size_t size)
{
	void *base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	int slot = guard::Add(base, size);
	if (slot < 0) {
		munmap(base, size);
		return slot;
	}
	base_ = static_cast<uint8_t *>(base);
	size_ = size;
	slot_ = slot;
	return 0;
}

void Mapping::Unmap()
{
	if (!base_)
		return;
	/* Out of the table first: the address may be someone else's right after munmap. */
	guard::Remove(slot_);
	munmap(base_, size_);
	base_ = nullptr;
	slot_ = -1;
	fd_ = Descriptor();
}

bool Mapping::Broken() const
{
	return guard::Hits(slot_) > 0;
}

} // namespace scope
