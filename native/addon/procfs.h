/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to /proc about other processes. Any thread. */
#pragma once

#include <cstdint>
#include <string>

#include <sys/types.h>

namespace scope::procfs {

enum class Answer { kYes, kNo, kUnknown };

/* Inode of the pid namespace of a process (0: our own); 0: not to be had. */
uint64_t PidNamespace(int32_t pid);

/*
 * Our pid of the process that calls itself `pid` in namespace `ns`; 0: not visible. Walks /proc. `all` is set when every
 * process was asked: the namespaces of other users' processes may be hidden from us.
 */
int32_t FindInNamespace(int32_t pid, uint64_t ns, bool &all);

/*
 * The same where the namespace is not known: who calls itself `pid` and has the file mapped; `pid` itself when its
 * mappings are not ours to read.
 */
int32_t FindByMap(int32_t pid, const std::string &file);

/* When a process started, nanoseconds of CLOCK_BOOTTIME. false: no such process. */
bool StartTime(int32_t pid, uint64_t &ns);

/* 'R', 'S', 'T' (stopped or traced) …; 0: no such process. */
char State(int32_t pid);

/* Whether one of its four user ids is `uid`: its channel was made with one of them. */
Answer Has(int32_t pid, uid_t uid);

/* Whether a process has a file of this name mapped. */
Answer Maps(int32_t pid, const std::string &name);

} // namespace scope::procfs
