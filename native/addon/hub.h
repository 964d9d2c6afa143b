/* SPDX-License-Identifier: Apache-2.0 */
/* The hub of a folder: doorbell, control block for new channels, relay's heartbeat. */
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "mapping.h"
#include "scope/channel.h"

namespace scope {

/* What a new hub is made with; an existing one takes what is set. */
struct HubSetup {
	std::string libscope;
	std::string launcher;
	std::string plans;
	std::string file_watch; /* bytes of a struct sc_dfa, empty: none */
};

class Hub {
      public:
	/*
	 * Opens `hub` below `dir`; makes it first when `create` and absent (temp name, then link, so that
	 * nobody sees half of it and the first of two makers wins). 0, -ENOENT, -EPROTO (other version)
	 * or -errno.
	 */
	int Open(int dir, const HubSetup &setup, bool create);

	struct sc_hub *get() const
	{
		return reinterpret_cast<struct sc_hub *>(map_.base());
	}

	/* Stores paths and file watch; an empty field is left alone. */
	void Apply(const HubSetup &setup);

	/* Tells the library that a relay is alive. Once per pass. */
	void Beat(uint64_t now_ns);

	/* A pass begins: who rings from now on ends the next Wait. True: the doorbell was rung since the last one began. */
	bool Answer();
	/* Sleeps until the doorbell rings, at most `limit_ns`. */
	void Wait(uint64_t limit_ns);
	/* Ends a Wait of the drain thread. */
	void Ring();

      private:
	int Create(int dir, const HubSetup &setup, mode_t mode, bool replace);

	Mapping map_;
};

/* Raises the generation after changes of a control block: the library sees them whole. */
void PublishControl(struct sc_control *control);

/* What the library does when nobody said otherwise. */
void DefaultControl(struct sc_control *control);

} // namespace scope
