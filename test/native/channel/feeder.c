/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Description: the library's own writer (native/channel), fed with numbered records like those of
 * writer.c. Usage: feeder DIR OP…, done in order:
 *
 *   calm           one by one, each waits for the reader, until the ring is about to go back to its start
 *   back           two more than end that lap, without a reader
 *   fill:SIZE      until no ring has room
 *   bursts:COUNT:THREADS  COUNT records per thread, waits when full, a pause now and then
 *   leap:HOW       moves the head as for a leap over what is unread; 1: and writes its filler
 *   pause          prints "paused" and waits for a line
 *   kill
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "channel/chan.h"

static uint64_t numbered;

static int put(const struct sc_ctx *x, uint32_t thread, uint64_t n, uint32_t size)
{
	struct sc_record *r = sc_record_begin(x, SC_REC_TEXT, 1, size);
	uint8_t *p = r ? sc_record_payload(r) : NULL;

	if (!r)
		return 0;
	r->tid = thread;
	r->object = n;
	for (uint32_t i = 0; i < size; i++)
		p[i] = (uint8_t)(n * 31 + i + thread);
	sc_record_commit(x, r, size);
	return 1;
}

static void nap(long us)
{
	nanosleep(&(struct timespec){0, us * 1000}, NULL);
}

static void calm(const struct sc_ctx *x)
{
	do {
		put(x, 0, numbered++, 100);
		while (x->shard->tail != x->shard->head)
			nap(200);
	} while (x->shard->tail + 500 < sc_chan.ring_ready[0]);
}

static void back(const struct sc_ctx *x)
{
	for (uint64_t lap = x->shard->head / SC_RING_SIZE; x->shard->head / SC_RING_SIZE == lap;)
		put(x, 0, numbered++, 100);
	put(x, 0, numbered++, 100);
}

static void *bursts(void *arg)
{
	uint64_t *job = arg;
	struct sc_ctx x;

	sc_chan.threaded = 1;
	for (uint64_t i = 0; i < job[1];) {
		if (!sc_enter(&x))
			_exit(97);
		if (put(&x, (uint32_t)job[0], i, 8 + (uint32_t)(i * 7919 % 90)))
			i++;
		else
			nap(200);
		if (i % 7000 == 0)
			nap(3000);
	}
	return NULL;
}

static void burst_threads(uint64_t count, uint64_t threads)
{
	pthread_t thread[16];
	uint64_t job[16][2];

	for (uint64_t i = 0; i < threads && i < 16; i++) {
		job[i][0] = i;
		job[i][1] = count;
		pthread_create(&thread[i], NULL, bursts, job[i]);
	}
	for (uint64_t i = 0; i < threads && i < 16; i++)
		pthread_join(thread[i], NULL);
}

/* A leap of a thread that is killed before its record, or before its filler. */
static void leap(const struct sc_ctx *x, int filler)
{
	uint64_t head = x->shard->head;
	uint32_t at = head % SC_RING_SIZE;
	uint32_t skip = sc_chan.ring_filler[0] % SC_RING_SIZE + 8 - at;
	struct sc_record *r = (struct sc_record *)(sc_chan_ring(x->base, 0) + at);

	x->shard->head = head + skip + 152;
	if (!filler)
		return;
	r->type = SC_REC_PAD;
	r->len = skip;
}

static void pause_for_line(void)
{
	if (write(1, "paused\n", 7) != 7 || getchar() == EOF)
		_exit(98);
}

int main(int argc, char **argv)
{
	struct sc_chan_options o = {.dir = argv[1], .argc = 1, .argv = argv, .envp = argv + argc, .libc = "none"};
	struct sc_ctx x;

	if (argc < 2 || sc_chan_create(&o) != 0 || !sc_enter(&x))
		return 99;
	for (int i = 2; i < argc; i++) {
		uint64_t n[2] = {0, 1};

		sscanf(argv[i], "%*[a-z]:%" SCNu64 ":%" SCNu64, &n[0], &n[1]);
		if (!strncmp(argv[i], "calm", 4))
			calm(&x);
		else if (!strncmp(argv[i], "back", 4))
			back(&x);
		else if (!strncmp(argv[i], "fill", 4))
			while (put(&x, 0, numbered, (uint32_t)n[0]))
				numbered++;
		else if (!strncmp(argv[i], "bursts", 6))
			burst_threads(n[0], n[1]);
		else if (!strncmp(argv[i], "leap", 4))
			leap(&x, (int)n[0]);
		else if (!strncmp(argv[i], "pause", 5))
			pause_for_line();
		else if (!strncmp(argv[i], "kill", 4))
			kill(getpid(), SIGKILL);
	}
	return 0;
}
