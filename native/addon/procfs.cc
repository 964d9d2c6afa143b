/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to /proc about other processes. */
#include "procfs.h"

#include <cctype>
#include <cstdio>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "mapping.h"

namespace scope::procfs {
namespace {

std::string Path(int32_t pid, const char *file)
{
	return pid == 0 ? std::string("/proc/self/") + file :
			  "/proc/" + std::to_string(pid) + "/" + file;
}

/* A whole file; false: it cannot be read. */
bool Read(const std::string &path, std::string &text)
{
	Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
	char block[16384];
	ssize_t got;

	text.clear();
	if (!fd.valid())
		return false;
	while ((got = read(fd.get(), block, sizeof block)) > 0)
		text.append(block, static_cast<size_t>(got));
	return got == 0;
}

/* What follows the command name of /proc/PID/stat, which may itself contain blanks and brackets. */
bool Stat(int32_t pid, std::string &rest)
{
	std::string text;

	if (!Read(Path(pid, "stat"), text))
		return false;
	size_t close = text.rfind(')');
	if (close == std::string::npos || close + 2 >= text.size())
		return false;
	rest = text.substr(close + 2);
	return true;
}

/* The first process that fits; 0: none. */
template <typename Fits> int32_t FindProcess(Fits fits)
{
	DIR *list = opendir("/proc");
	int32_t found = 0;

	if (!list)
		return 0;
	while (struct dirent *entry = found ? nullptr : readdir(list)) {
		if (!isdigit(static_cast<unsigned char>(entry->d_name[0])))
			continue;
		int32_t candidate = atoi(entry->d_name);
		if (fits(candidate))
			found = candidate;
	}
	closedir(list);
	return found;
}

/* The last pid of the NSpid line: the process's own name for itself. */
int32_t InnermostPid(int32_t pid)
{
	std::string text;

	if (!Read(Path(pid, "status"), text))
		return 0;
	size_t line = text.find("\nNSpid:");
	if (line == std::string::npos)
		return 0;
	size_t end = text.find('\n', line + 1);
	size_t last = text.find_last_of("\t ", end);
	return last == std::string::npos ? 0 : atoi(text.c_str() + last + 1);
}

} // namespace

uint64_t PidNamespace(int32_t pid)
{
	struct stat st;

	return stat(Path(pid, "ns/pid").c_str(), &st) == 0 ? st.st_ino : 0;
}

int32_t FindInNamespace(int32_t pid, uint64_t ns, bool &all)
{
	all = true;
	return FindProcess([pid, ns, &all](int32_t candidate) {
		uint64_t theirs = PidNamespace(candidate);
		/* One that ended since is no secret. */
		if (theirs == 0 && State(candidate) != 0)
			all = false;
		return theirs == ns && InnermostPid(candidate) == pid;
	});
}

int32_t FindByMap(int32_t pid, const std::string &file)
{
	Answer own = Maps(pid, file);

	if (own == Answer::kYes)
		return pid;
	int32_t found = FindProcess([pid, &file](int32_t candidate) {
		return InnermostPid(candidate) == pid && Maps(candidate, file) == Answer::kYes;
	});
	return found == 0 && own == Answer::kUnknown ? pid : found;
}

bool StartTime(int32_t pid, uint64_t &ns)
{
	constexpr int kField = 22 - 3; /* starttime, counted from the state */
	static const uint64_t tick_ns = kSecond / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
	std::string rest;

	if (!Stat(pid, rest))
		return false;
	size_t at = 0;
	for (int i = 0; i < kField; i++) {
		at = rest.find(' ', at);
		if (at == std::string::npos)
			return false;
		at++;
	}
	ns = strtoull(rest.c_str() + at, nullptr, 10) * tick_ns;
	return true;
}

char State(int32_t pid)
{
	std::string rest;

	if (!Stat(pid, rest))
		return 0;
	return rest[0] == 't' ? 'T' : rest[0];
}

Answer Has(int32_t pid, uid_t uid)
{
	unsigned long ids[4];
	std::string text;

	if (!Read(Path(pid, "status"), text))
		return Answer::kUnknown;
	size_t line = text.find("\nUid:");
	if (line == std::string::npos ||
	    sscanf(text.c_str() + line, "\nUid: %lu %lu %lu %lu", &ids[0], &ids[1], &ids[2], &ids[3]) != 4)
		return Answer::kUnknown;
	for (unsigned long id : ids) {
		if (id == uid)
			return Answer::kYes;
	}
	return Answer::kNo;
}

Answer Maps(int32_t pid, const std::string &name)
{
	std::string text;

	if (!Read(Path(pid, "maps"), text))
		return Answer::kUnknown;
	return text.find(name) != std::string::npos ? Answer::kYes : Answer::kNo;
}

} // namespace scope::procfs
