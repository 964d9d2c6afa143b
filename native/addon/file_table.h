/* SPDX-License-Identifier: Apache-2.0 */
/* What a process image has open by path, from its records. JavaScript thread. */
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace scope {

struct OpenFile {
	std::string path;   /* as the program passed it */
	std::string quoted; /* as a JSON string */
	uint32_t kind = 0;  /* enum sc_kind */
	uint32_t perms = 0; /* octal digits read as a decimal number: 0644 is 644; 0: unknown */
	uint32_t owner = 0;
	uint32_t group = 0;
	bool closed = false;
	bool plain = false;    /* every byte of the path stands for itself */
	bool doubtful = false; /* the path may hold a secret: see MayHoldSecret */
};

class FileTable {
      public:
	/* A fork's: what is open in `parent`, which may be null, is open here by the same objects. */
	explicit FileTable(const std::shared_ptr<FileTable> &parent);

	/* By object; what a forked image does not know itself, its parent may. nullptr: nobody does. */
	const OpenFile *Find(uint64_t object) const;
	/* A file that has nothing of what was known by this object but the memory of a path. */
	OpenFile &Opened(uint64_t object);
	/* Stays known for the records that come after: see Forget. */
	void Closed(uint64_t object);
	/* Closed files but for the last ones: a child may still hold them. */
	void Forget();

	/* The longest open first: objects only grow. */
	const std::map<uint64_t, OpenFile> &all() const
	{
		return files_;
	}

      private:
	/* Lives as long as its image does in JavaScript: a chain of forks is no chain of owners. */
	std::weak_ptr<FileTable> parent_;
	std::map<uint64_t, OpenFile> files_;
	std::deque<uint64_t> closed_;
	/* Forgotten files: the next ones take their memory. */
	std::vector<std::map<uint64_t, OpenFile>::node_type> spare_;
};

} // namespace scope
