/* SPDX-License-Identifier: Apache-2.0 */
/* A channel folder in another mount namespace. */
#include "far.h"

#include <cctype>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace scope {
namespace {

Descriptor Try(const std::string &process, const FarPlace &place)
{
	std::string path = process + "/root" + place.path;
	Descriptor dir(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct stat st;

	if (dir.valid() && fstat(dir.get(), &st) == 0 && st.st_dev == place.device && st.st_ino == place.inode)
		return dir;
	return Descriptor();
}

bool IsIn(const std::string &process, uint64_t mount_ns)
{
	struct stat st;

	return stat((process + "/ns/mnt").c_str(), &st) == 0 && st.st_ino == mount_ns;
}

bool EndsIn(const char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);

	return n > k && strcmp(name + n - k, suffix) == 0;
}

template <typename Is> void RemoveFiles(int dir, Is is_ours)
{
	DIR *list = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));

	if (!list)
		return;
	while (struct dirent *entry = readdir(list)) {
		if (is_ours(entry->d_name))
			unlinkat(dir, entry->d_name, 0);
	}
	closedir(list);
}

} // namespace

FarPlace ParseFar(const std::string &line)
{
	FarPlace place;
	int at = 0;

	if (sscanf(line.c_str(), "%" SCNd32 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %n", &place.pid, &place.mount_ns,
		   &place.device, &place.inode, &at) != 4 || line[static_cast<size_t>(at)] != '/')
		return {};
	place.path = line.substr(static_cast<size_t>(at), line.find('\n') - static_cast<size_t>(at));
	return place;
}

Descriptor OpenFar(const FarPlace &place)
{
	Descriptor found = Try("/proc/" + std::to_string(place.pid), place);
	DIR *list = found.valid() ? nullptr : opendir("/proc");

	if (!list)
		return found;
	while (struct dirent *entry = found.valid() ? nullptr : readdir(list)) {
		std::string process = std::string("/proc/") + entry->d_name;
		if (isdigit(static_cast<unsigned char>(entry->d_name[0])) && IsIn(process, place.mount_ns))
			found = Try(process, place);
	}
	closedir(list);
	return found;
}

void EmptyFar(int dir, const FarPlace &place)
{
	Descriptor plans(openat(dir, "plans", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
	Descriptor up(openat(dir, "..", O_PATH | O_CLOEXEC));

	if (plans.valid())
		RemoveFiles(plans.get(), [](const char *name) { return strstr(name, ".plan") != nullptr; });
	unlinkat(dir, "plans", AT_REMOVEDIR);
	RemoveFiles(dir, [](const char *name) {
		return EndsIn(name, ".chan") || EndsIn(name, ".fdx") || EndsIn(name, ".plan") || !strcmp(name, "hub") ||
		       !strcmp(name, "notes");
	});
	unlinkat(up.get(), place.path.substr(place.path.rfind('/') + 1).c_str(), AT_REMOVEDIR);
}

} // namespace scope
