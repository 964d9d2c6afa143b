/* SPDX-License-Identifier: Apache-2.0 */
/* SIGBUS handler over a fixed table of ranges: no lock and no allocation, as a handler must. */
#include "guard.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>

#include <sys/mman.h>

namespace scope::guard {
namespace {

constexpr int kSlots = 16384;
constexpr uintptr_t kPage = 4096;

struct Range {
	std::atomic<uintptr_t> low;
	std::atomic<uintptr_t> high; /* 0: free. Stored after low, so that high > 0 means low is valid. */
	std::atomic<uint32_t> hits;
};

Range ranges[kSlots];
std::atomic<int> used{0}; /* slots ever used: how far the handler looks */
struct sigaction previous;
std::mutex mutex;
bool installed;

void PassOn(int signal, siginfo_t *info, void *context)
{
	if ((previous.sa_flags & SA_SIGINFO) && previous.sa_sigaction) {
		previous.sa_sigaction(signal, info, context);
		return;
	}
	/* Not ours and nobody else's: the default, on return to the faulting instruction. */
	struct sigaction fallback = {};
	fallback.sa_handler = SIG_DFL;
	sigaction(signal, &fallback, nullptr);
}

void OnBus(int signal, siginfo_t *info, void *context)
{
	int saved = errno;
	uintptr_t at = reinterpret_cast<uintptr_t>(info->si_addr);
	/* Pairs with the release in Add: slots below `used` are whole. */
	int count = used.load(std::memory_order_acquire);

	for (int i = 0; i < count; i++) {
		uintptr_t high = ranges[i].high.load(std::memory_order_acquire);

		if (at >= high || at < ranges[i].low.load(std::memory_order_relaxed))
			continue;
		void *page = reinterpret_cast<void *>(at & ~(kPage - 1));
		ranges[i].hits.fetch_add(1, std::memory_order_relaxed);
		if (mmap(page, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) != MAP_FAILED) {
			errno = saved;
			return;
		}
	}
	errno = saved;
	PassOn(signal, info, context);
}

void Install()
{
	struct sigaction action = {};

	action.sa_sigaction = OnBus;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
	sigemptyset(&action.sa_mask);
	installed = sigaction(SIGBUS, &action, &previous) == 0;
}

} // namespace

int Add(void *base, size_t size)
{
	std::lock_guard<std::mutex> lock(mutex);

	if (!installed)
		Install();
	for (int i = 0; i < kSlots; i++) {
		if (ranges[i].high.load(std::memory_order_relaxed))
			continue;
		uintptr_t low = reinterpret_cast<uintptr_t>(base);
		ranges[i].hits.store(0, std::memory_order_relaxed);
		ranges[i].low.store(low, std::memory_order_relaxed);
		/* Publish: low before high. Pairs with the acquire of high in OnBus. */
		ranges[i].high.store(low + size, std::memory_order_release);
		if (i >= used.load(std::memory_order_relaxed))
			used.store(i + 1, std::memory_order_release);
		return i;
	}
	return -ENOSPC;
}

void Remove(int slot)
{
	if (slot >= 0)
		ranges[slot].high.store(0, std::memory_order_release);
}

uint32_t Hits(int slot)
{
	return slot < 0 ? 0 : ranges[slot].hits.load(std::memory_order_relaxed);
}

} // namespace scope::guard
