// SPDX-License-Identifier: Apache-2.0
// Description: fails as the argument says, five functions deep, with a second thread; or handles the signal itself.
#define _GNU_SOURCE
#include "check.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

static volatile int zero;
static sigjmp_buf out;

static void handler(int sig)
{
	(void)sig;
	siglongjmp(out, 1);
}

__attribute__((noinline)) static int innermost(const char *how)
{
	if (!strcmp(how, "null"))
		*(volatile int *)16 = 1;
	else if (!strcmp(how, "jump"))
		((void (*)(void))0x10)();
	else if (!strcmp(how, "divide"))
		return 7 / zero;
	else if (!strcmp(how, "illegal"))
		__builtin_trap();
	else if (!strcmp(how, "bus")) {
		FILE *f = fopen("short", "w+");
		char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(f), 0);
		return p[0];
	}
	return 0;
}

__attribute__((noinline)) static int middle(const char *how)
{
	volatile int depth = innermost(how);
	return depth + 1;
}

__attribute__((noinline)) static int outermost(const char *how)
{
	volatile int depth = middle(how);
	return depth + 1;
}

static pthread_barrier_t both;

__attribute__((noinline)) static void *idle(void *arg)
{
	pthread_barrier_wait(&both);
	for (;;)
		pause();
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t t;

	pthread_barrier_init(&both, NULL, 2);
	pthread_create(&t, NULL, idle, NULL);
	pthread_barrier_wait(&both);
	puts("begin");
	fflush(stdout);
	if (argc > 2) {
		signal(SIGSEGV, handler);
		if (sigsetjmp(out, 1) == 0)
			outermost(argv[1]);
		puts("handled");
		return 0;
	}
	return outermost(argv[1]);
}
