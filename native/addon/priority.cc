/* SPDX-License-Identifier: Apache-2.0 */
/* How soon the kernel runs a thread that became ready. */
#include "priority.h"

#include <cstdint>

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

namespace scope {

void AskForPromptness()
{
	struct {
		uint32_t size = sizeof(*this);
		uint32_t policy = SCHED_OTHER;
		uint64_t flags = 0;
		int32_t nice = 0;
		uint32_t priority = 0;
		uint64_t runtime = kMillisecond / 10;
		uint64_t deadline = 0;
		uint64_t period = 0;
	} attributes;
	pid_t self = static_cast<pid_t>(syscall(SYS_gettid));

	attributes.nice = getpriority(PRIO_PROCESS, static_cast<id_t>(self));
	syscall(SYS_sched_setattr, self, &attributes, 0);
	setpriority(PRIO_PROCESS, static_cast<id_t>(self), attributes.nice - 10);
}

} // namespace scope
