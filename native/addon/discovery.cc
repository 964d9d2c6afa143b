/* SPDX-License-Identifier: Apache-2.0 */
/* Finds new channel files. */
#include "discovery.h"

#include <algorithm>
#include <cerrno>

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "clock.h"

namespace scope {
namespace {

/* Without inotify; with it the list is only a net below it. */
constexpr uint64_t kListOftenNs = 100 * kMillisecond;
constexpr uint64_t kListSeldomNs = 5 * kSecond;
/* A file that is still being made is looked at this often. */
constexpr uint64_t kRetryNs = 5 * kMillisecond;

} // namespace

void Discovery::Open(int dir, const std::string &path)
{
	dir_ = dir;
	inotify_ = Descriptor(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	if (inotify_.valid() &&
	    inotify_add_watch(inotify_.get(), path.c_str(), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
		inotify_ = Descriptor();
}

void Discovery::Consider(const char *name)
{
	int32_t pid;
	uint64_t tsc;

	if (ParseChannelName(name, pid, tsc) && !known_.count(name))
		fresh_ |= candidates_.insert(name).second;
}

void Discovery::ReadEvents()
{
	alignas(struct inotify_event) char block[16384];
	ssize_t got;

	while (inotify_.valid() && (got = read(inotify_.get(), block, sizeof block)) > 0) {
		for (char *at = block; at < block + got;) {
			auto *event = reinterpret_cast<struct inotify_event *>(at);
			at += sizeof *event + event->len;
			if (event->mask & IN_Q_OVERFLOW)
				list_ = true;
			else if (event->len > 0)
				Consider(event->name);
		}
	}
}

void Discovery::List()
{
	DIR *list = fdopendir(openat(dir_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	if (!list)
		return;
	while (struct dirent *entry = readdir(list))
		Consider(entry->d_name);
	closedir(list);
}

std::vector<std::shared_ptr<Channel>> Discovery::Poll(uint64_t now_ns, bool all)
{
	std::vector<std::shared_ptr<Channel>> found;

	ReadEvents();
	if (all || list_ ||
	    now_ns - last_list_ns_ > (inotify_.valid() ? kListSeldomNs : kListOftenNs)) {
		last_list_ns_ = now_ns;
		list_ = false;
		List();
	}
	if (candidates_.empty() || (!fresh_ && !all && now_ns - last_try_ns_ < kRetryNs))
		return found;
	last_try_ns_ = now_ns;
	fresh_ = false;
	for (auto it = candidates_.begin(); it != candidates_.end();) {
		int32_t pid = 0;
		uint64_t tsc = 0;
		ParseChannelName(it->c_str(), pid, tsc);
		auto channel = std::make_shared<Channel>(next_key_, *it, pid, tsc);
		int rc = channel->Open(dir_);
		if (rc == -EAGAIN) {
			++it;
			continue;
		}
		if (rc == 0) {
			next_key_++;
			known_.insert(*it);
			found.push_back(std::move(channel));
		}
		it = candidates_.erase(it);
	}
	/* Parents before children, an image before the one that it became. */
	std::sort(found.begin(), found.end(), [](const auto &a, const auto &b) { return a->tsc() < b->tsc(); });
	return found;
}

void Discovery::Forget(const std::string &name)
{
	known_.erase(name);
}

} // namespace scope
