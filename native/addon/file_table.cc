/* SPDX-License-Identifier: Apache-2.0 */
#include "file_table.h"

namespace scope {
namespace {

/* For the case that the records of closes were lost. */
constexpr size_t kMost = 65536;
/* Closed files that are still remembered. */
constexpr size_t kClosedKept = 256;
constexpr size_t kSpare = 512;

} // namespace

FileTable::FileTable(const std::shared_ptr<FileTable> &parent) : parent_(parent)
{
	if (!parent)
		return;
	for (const auto &[object, file] : parent->files_) {
		if (!file.closed)
			files_.emplace(object, file);
	}
}

const OpenFile *FileTable::Find(uint64_t object) const
{
	auto found = files_.find(object);

	if (found != files_.end())
		return &found->second;
	std::shared_ptr<FileTable> parent = parent_.lock();
	return parent ? parent->Find(object) : nullptr;
}

OpenFile &FileTable::Opened(uint64_t object)
{
	if (files_.size() >= kMost)
		files_.erase(files_.begin());
	/* Objects only grow: most new ones belong at the end. */
	auto at = files_.end();
	if (spare_.empty()) {
		at = files_.try_emplace(at, object);
	} else {
		spare_.back().key() = object;
		at = files_.insert(at, std::move(spare_.back()));
		spare_.pop_back();
	}
	OpenFile &file = at->second;
	file.kind = file.perms = file.owner = file.group = 0;
	file.closed = file.doubtful = false;
	file.path.clear();
	file.quoted.clear();
	return file;
}

void FileTable::Closed(uint64_t object)
{
	auto found = files_.find(object);

	if (found == files_.end())
		return;
	found->second.closed = true;
	closed_.push_back(object);
}

void FileTable::Forget()
{
	for (; closed_.size() > kClosedKept; closed_.pop_front()) {
		auto node = files_.extract(closed_.front());
		if (!node.empty() && spare_.size() < kSpare)
			spare_.push_back(std::move(node));
	}
}

} // namespace scope
