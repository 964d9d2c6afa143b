// SPDX-License-Identifier: Apache-2.0
// Description: 2,000 threads that read all the time are cancelled; each must run its destructor.
#include <atomic>
#include <cstdio>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

static int zero;
static std::atomic<int> destroyed, started;

struct Guard {
	~Guard()
	{
		destroyed++;
	}
};

static void *run(void *)
{
	Guard guard;
	char c;

	started = 1;
	for (;;)
		if (read(zero, &c, 1) != 1)
			return nullptr;
}

int main()
{
	zero = open("/dev/zero", O_RDONLY);
	alarm(120);
	for (int i = 0; i < 2000; i++) {
		pthread_t t;
		void *result = nullptr;

		started = 0;
		if (pthread_create(&t, nullptr, run, nullptr))
			return 1;
		while (!started)
			;
		for (volatile int k = 0; k < i % 97 * 10; k++)
			;
		pthread_cancel(t);
		pthread_join(t, &result);
		if (result != PTHREAD_CANCELED)
			return 2;
	}
	std::printf("destroyed %d\n", destroyed.load());
	return 0;
}
