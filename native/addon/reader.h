/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder of channels: discovery, liveness, the drain thread, the spool. Knows nothing of JavaScript.
 *
 *   drain thread   housekeeping (under mutex_), rings -> spool, wakes the consumer
 *   consumer       everything public; one thread
 */
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "channel.h"
#include "discovery.h"
#include "drain.h"
#include "far.h"
#include "hub.h"
#include "process.h"
#include "spool.h"

namespace scope {

struct ReaderSetup {
	HubSetup hub;
	FarPlace far; /* the channels lie in another mount namespace; path empty: they do not */
	bool create = false;
	uint64_t spool_max = 0;
	uint64_t from = 0;
	uint64_t quiet_ns = 0;
};

class Reader {
      public:
	Reader() : drainer_(spool_)
	{
	}
	~Reader();

	/*
	 * Opens folder and hub, finds the channels that are there. A far place that is gone for good is as an empty folder:
	 * what is in the spool is still to be had. 0, -ENOENT (no hub), -EPROTO or -errno.
	 */
	int Open(const std::string &path, const ReaderSetup &setup);

	/*
	 * Becomes the one reader: finishes what a killed one began, starts the thread. `wake` is called
	 * on it when the consumer has something to look at. 0, -EBUSY or -errno.
	 */
	int Start(std::function<void()> wake);

	/* Stops the thread, unmaps everything. Takes a pass at most. Safe twice. */
	void Close();

	/* Looks for channels and for processes that ended, now. */
	void Scan();

	/* Channels found since the last call, oldest first. */
	std::vector<std::shared_ptr<Channel>> Arrivals();

	/* The channel is forgotten, and unlinked once its records are committed. */
	void Release(const std::shared_ptr<Channel> &channel);

	void Commit();

	Spool &spool()
	{
		return spool_;
	}
	Hub &hub()
	{
		return hub_;
	}
	int dir() const
	{
		return dir_.get();
	}
	/* The channels are elsewhere than the spool. */
	bool IsFar() const
	{
		return home_.valid();
	}
	/* Removes a far folder with all of ours in it; the caller knows that nobody uses it any more. */
	void RemoveFar();
	/* The consumer is alive: without this the heartbeat stops once the spool is full. */
	void Touch();

	/* Channels that reached their end position so far. */
	uint64_t endings() const
	{
		/* Pairs with the release in PassOne: their end positions are seen. */
		return endings_.load(std::memory_order_acquire);
	}

	struct Stats {
		uint64_t records, passes, full, pass_ns;
	};
	Stats stats() const;

      private:
	void Run();
	bool Housekeep(uint64_t now_ns, bool all);
	void Adopt();
	bool Pass(uint64_t now_ns, bool all, bool &again);
	bool PassOne(Channel &channel, uint64_t now_ns, bool &again);
	void Recover();
	void Beat(uint64_t now_ns);
	void Unlink(const Channel &channel);

	std::string path_;
	ReaderSetup setup_;
	Descriptor dir_;  /* hub, channels */
	Descriptor home_; /* spool, when that is another folder */
	Hub hub_;
	Spool spool_;
	Drainer drainer_;

	std::mutex mutex_; /* the five below */
	Discovery discovery_;
	ProcessWatch watch_;
	std::vector<std::shared_ptr<Channel>> channels_;
	std::vector<std::shared_ptr<Channel>> arrivals_;
	uint64_t version_ = 0; /* of channels_ */

	struct Working {
		std::shared_ptr<Channel> channel;
		const std::atomic<uint64_t> *records; /* of its header; nullptr: it has none */
		uint64_t seen;			      /* their value when nothing was left; UINT64_MAX: look closer */
		uint64_t active_ns;		      /* when it last had something */

		/* One cache line tells that there is nothing, where nobody has ended. */
		bool Idle() const
		{
			/* Pairs as in Channel::Changed. */
			return records && records->load(std::memory_order_acquire) == seen;
		}
	};
	std::vector<Working> working_; /* the thread's copy of channels_ */
	uint64_t working_version_ = 0;
	size_t turn_ = 0; /* where the next pass begins */
	bool full_ = false;
	bool thorough_ = false;

	std::vector<std::shared_ptr<Channel>> released_; /* consumer: to be unlinked */
	std::function<void()> wake_;
	std::thread thread_;
	std::atomic<bool> stop_{false};
	std::atomic<bool> ended_{false}; /* by a look of the consumer: the next pass is for all */
	std::atomic<uint64_t> touched_ns_{0};
	std::atomic<uint64_t> endings_{0};
	std::atomic<uint64_t> passes_{0};
	std::atomic<uint64_t> fulls_{0};
	std::atomic<uint64_t> pass_ns_{0}; /* the last pass that moved nothing */
};

} // namespace scope
