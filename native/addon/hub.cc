/* SPDX-License-Identifier: Apache-2.0 */
/* The hub of a folder: doorbell, control block for new channels, relay's heartbeat. */
#include "hub.h"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

namespace scope {
namespace {

constexpr mode_t kOwner = 0600, kGroup = 0660, kAll = 0644;

template <size_t N> void StorePath(char (&field)[N], const std::string &text)
{
	if (text.empty() || text.size() >= N)
		return;
	memset(field, 0, N);
	memcpy(field, text.data(), text.size());
}

} // namespace

void DefaultControl(struct sc_control *control)
{
	constexpr uint32_t off = SC_WANT_PAYLOAD | SC_WANT_DETECT | SC_WANT_CALL_ERROR |
				 SC_WANT_CALL_OPEN | SC_WANT_CALL_STAT | SC_WANT_CALL_SEEK |
				 SC_WANT_CALL_IO | SC_WANT_OPEN_MODE | SC_WANT_MDNS;
	uint32_t all = 0;
#define X(name, bit) all |= SC_WANT_##name;
	SC_WANT_LIST(X)
#undef X
	control->mode.store(SC_MODE_RUN, std::memory_order_relaxed);
	control->want.store(all & ~off, std::memory_order_relaxed);
}

void PublishControl(struct sc_control *control)
{
	/* The fields stored before are seen by whoever acquires the new generation. */
	control->generation.fetch_add(1, std::memory_order_release);
}

/* Who shares the folder, by its mode: the group where it has the setgid bit; every user, with root; else its owner alone. */
static mode_t ModeOf(int dir)
{
	struct stat st;

	if (fstat(dir, &st) != 0)
		return kOwner;
	if ((st.st_mode & S_ISGID) && (st.st_mode & S_IWGRP))
		return kGroup;
	return (st.st_mode & S_IWOTH) && geteuid() == 0 ? kAll : kOwner;
}

int Hub::Open(int dir, const HubSetup &setup, bool create)
{
	mode_t mode = create ? ModeOf(dir) : kOwner;
	int rc = map_.Open(dir, "hub", sizeof(struct sc_hub));
	/* What a user made could be changed by that user while others believe it. */
	bool replace = rc == 0 && mode == kAll && map_.owner() != 0;
	if (replace)
		map_.Unmap();
	if (replace || (rc == -ENOENT && create)) {
		rc = Create(dir, setup, mode, replace);
		if (rc == 0 || rc == -EEXIST)
			rc = map_.Open(dir, "hub", sizeof(struct sc_hub));
	} else if (rc == 0) {
		Apply(setup);
	}
	/* One of root's programs may have come first. */
	if (rc == 0 && mode == kAll && fchmodat(dir, "hub", kAll, 0) != 0)
		rc = -errno;
	if (rc != 0)
		return rc == -EAGAIN || rc == -EINVAL ? -EPROTO : rc;
	/* Pairs with the release store of whoever made it; link() shows it whole. */
	if (get()->magic.load(std::memory_order_acquire) != SC_HUB_MAGIC ||
	    get()->major != SC_VERSION_MAJOR || get()->size != sizeof(struct sc_hub)) {
		map_.Unmap();
		return -EPROTO;
	}
	return 0;
}

int Hub::Create(int dir, const HubSetup &setup, mode_t mode, bool replace)
{
	char temp[64];
	snprintf(temp, sizeof temp, ".hub.%d.%llx", getpid(),
		 static_cast<unsigned long long>(MonotonicNs()));
	Descriptor fd(openat(dir, temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
	if (!fd.valid())
		return -errno;
	/* Pages now, so that a full tmpfs is an error here and no SIGBUS in an application. */
	int rc = -posix_fallocate(fd.get(), 0, sizeof(struct sc_hub));
	if (rc == 0 && mode != kOwner && fchmod(fd.get(), mode) != 0)
		rc = -errno;
	Mapping temporary;
	if (rc == 0)
		rc = temporary.Map(fd.get(), sizeof(struct sc_hub));
	if (rc == 0) {
		auto *hub = reinterpret_cast<struct sc_hub *>(temporary.base());
		hub->major = SC_VERSION_MAJOR;
		hub->minor = SC_VERSION_MINOR;
		hub->size = sizeof(struct sc_hub);
		DefaultControl(&hub->control);
		StorePath(hub->libscope, setup.libscope);
		StorePath(hub->launcher, setup.launcher);
		StorePath(hub->plans, setup.plans);
		if (setup.file_watch.size() == sizeof hub->file_watch)
			memcpy(&hub->file_watch, setup.file_watch.data(), sizeof hub->file_watch);
		hub->magic.store(SC_HUB_MAGIC, std::memory_order_release);
		if ((replace ? renameat(dir, temp, dir, "hub") : linkat(dir, temp, dir, "hub", 0)) != 0)
			rc = -errno;
	}
	unlinkat(dir, temp, 0);
	return rc;
}

void Hub::Apply(const HubSetup &setup)
{
	struct sc_hub *hub = get();

	StorePath(hub->libscope, setup.libscope);
	StorePath(hub->launcher, setup.launcher);
	StorePath(hub->plans, setup.plans);
	if (setup.file_watch.size() != sizeof hub->file_watch)
		return;
	/*
	 * A matcher may run over the table while it changes. 0 states first and the true number last:
	 * in between nothing matches, and every index in a mixed table stays within bounds.
	 */
	auto *states = reinterpret_cast<std::atomic<uint16_t> *>(&hub->file_watch.states);
	uint16_t count;
	memcpy(&count, setup.file_watch.data(), sizeof count);
	states->store(0, std::memory_order_seq_cst);
	memcpy(reinterpret_cast<char *>(&hub->file_watch) + sizeof count,
	       setup.file_watch.data() + sizeof count, sizeof hub->file_watch - sizeof count);
	states->store(count, std::memory_order_release);
}

void Hub::Beat(uint64_t now_ns)
{
	get()->relay_beat_ns.store(now_ns, std::memory_order_release);
}

bool Hub::Answer()
{
	/* Pairs with the exchange of who rings: what it recorded before is seen in this pass. */
	return get()->sleeping.exchange(SC_RELAY_AWAKE, std::memory_order_seq_cst) == SC_RELAY_RUNG;
}

void Hub::Wait(uint64_t limit_ns)
{
	struct sc_hub *hub = get();
	uint32_t seen = hub->doorbell.load(std::memory_order_acquire);
	uint32_t awake = SC_RELAY_AWAKE;
	struct timespec limit = {static_cast<time_t>(limit_ns / kSecond),
				 static_cast<long>(limit_ns % kSecond)};

	/*
	 * Whoever finds ASLEEP raises the doorbell behind `seen`, so that the kernel does not wait; who
	 * rang before finds AWAKE, and its RUNG is found here. No ring is lost.
	 */
	if (hub->sleeping.compare_exchange_strong(awake, SC_RELAY_ASLEEP, std::memory_order_seq_cst))
		syscall(SYS_futex, &hub->doorbell, FUTEX_WAIT, seen, &limit, nullptr, 0);
}

void Hub::Ring()
{
	struct sc_hub *hub = get();

	hub->sleeping.store(SC_RELAY_RUNG, std::memory_order_seq_cst);
	hub->doorbell.fetch_add(1, std::memory_order_seq_cst);
	syscall(SYS_futex, &hub->doorbell, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

} // namespace scope
