/* SPDX-License-Identifier: Apache-2.0 */
/* A channel folder in another mount namespace, made by `scope attach` (native/launch/far.c). Any thread. */
#pragma once

#include <cstdint>
#include <string>

#include "mapping.h"

namespace scope {

struct FarPlace {
	int32_t pid = 0;       /* whose root showed it; may have ended */
	uint64_t mount_ns = 0; /* inode of its namespace */
	uint64_t device = 0;   /* of the folder … */
	uint64_t inode = 0;
	std::string path;      /* … as processes there call it */
};

/* The one line of a session's file `far`; an empty path when it is none. */
FarPlace ParseFar(const std::string &line);

/*
 * Opens the folder through a process that still shows it. Only that very folder: a path in somebody else's root leads
 * where he wants it to. Not valid when nobody shows it any more.
 */
Descriptor OpenFar(const FarPlace &place);

/* Removes what we made in the folder, and the folder. Nothing else in it is touched, nor followed. */
void EmptyFar(int dir, const FarPlace &place);

} // namespace scope
