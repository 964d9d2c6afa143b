/* SPDX-License-Identifier: Apache-2.0 */
/* Finds new channel files: inotify where there is one, the list of the folder otherwise. One thread. */
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "channel.h"

namespace scope {

class Discovery {
      public:
	/* `path` is the folder that `dir` has open. Works without inotify, by listing more often. */
	void Open(int dir, const std::string &path);

	/*
	 * Channels that are new and whole, oldest first; `all` lists the folder whatever inotify said.
	 * Cheap when nothing came.
	 */
	std::vector<std::shared_ptr<Channel>> Poll(uint64_t now_ns, bool all);

	/* The file was unlinked: the name may be used again. */
	void Forget(const std::string &name);

      private:
	void ReadEvents();
	void List();
	void Consider(const char *name);

	int dir_ = -1;
	Descriptor inotify_;
	std::set<std::string> known_;	 /* mapped, or refused */
	std::set<std::string> candidates_; /* seen, not whole yet */
	uint64_t last_list_ns_ = 0;
	uint64_t last_try_ns_ = 0;
	bool list_ = true;
	bool fresh_ = false; /* a candidate came since the last try */
	uint32_t next_key_ = 1;
};

} // namespace scope
