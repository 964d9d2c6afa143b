/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channel's writer against its own rules, in one process: records, overflow, limits, threads
 * with a reader, forks, descriptors. Prints "ok NAME" for each check that held.
 * Usage: ring_test DIR NAME
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "channel/chan.h"

#define NEED(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			printf("failed %s:%d %s\n", __FILE__, __LINE__, #cond);                    \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static const char *dir;

static void create(void)
{
	static char *argv[] = {"ring_test", "one", NULL};
	static char *envp[] = {"SCOPE_TAG_A=b", "HOME=/x", NULL};
	struct sc_chan_options o = {
		.dir = dir, .argc = 2, .argv = argv, .envp = envp, .libc = "none"};

	NEED(sc_chan_create(&o) == 0);
	sc_chan_header(sc_chan.base)->control.max_per_sec = 0;
}

static struct sc_ctx enter(void)
{
	struct sc_ctx x;

	NEED(sc_enter(&x));
	return x;
}

static int put(const struct sc_ctx *x, uint32_t size, uint64_t value)
{
	struct sc_record *r = sc_record_begin(x, SC_REC_TEXT, 7, size);

	if (!r)
		return 0;
	/* Nothing unread was there. */
	for (uint32_t i = 0; i < size; i++)
		NEED(((char *)sc_record_payload(r))[i] == 0);
	r->ret = (int64_t)value;
	memset(sc_record_payload(r), (int)value, size);
	sc_record_commit(x, r, size);
	return 1;
}

/* Takes what is committed in one ring as the relay does, most records at most. Returns the records. */
static uint64_t drain_some(unsigned n, void (*each)(const struct sc_record *r), uint64_t most)
{
	struct sc_shard *s = sc_chan_shard(sc_chan.base, n);
	char *ring = sc_chan_ring(sc_chan.base, n);
	uint64_t records = 0, tail = s->tail;

	while (records < most) {
		struct sc_record *r = (struct sc_record *)(ring + tail % SC_RING_SIZE);
		uint32_t len;

		if (tail == atomic_load_explicit(&s->head, memory_order_acquire))
			break;
		len = atomic_load_explicit(&r->len, memory_order_acquire);
		if (len == 0 || len & SC_LEN_BUSY)
			break;
		NEED(len % 8 == 0 && len <= SC_RING_SIZE - tail % SC_RING_SIZE);
		if (r->type != SC_REC_PAD) {
			records++;
			if (each)
				each(r);
		}
		memset((void *)r, 0, r->type == SC_REC_PAD ? 8 : len);
		tail += len;
		atomic_store_explicit(&s->tail, tail, memory_order_release);
	}
	return records;
}

static uint64_t drain(unsigned n, void (*each)(const struct sc_record *r))
{
	return drain_some(n, each, UINT64_MAX);
}

static void test_info(void)
{
	struct sc_info *info;
	struct sc_header *h;

	create();
	info = sc_chan_info(sc_chan.base);
	h = sc_chan_header(sc_chan.base);
	NEED(h->magic == SC_CHANNEL_MAGIC && h->pid == getpid() && h->state == SC_STATE_LIVE);
	NEED(h->start_sec > 1600000000 && h->pid_ns != 0);
	NEED(info->argc == 2 && strcmp(info->text + 10, "one") == 0 && info->argv_len == 14);
	NEED(strcmp(info->text + 14, "SCOPE_TAG_A=b") == 0 && info->env_len == 14);
	NEED(strstr(info->exe, "ring_test") && strcmp(info->name, "ring_test") == 0);
	NEED(info->cwd[0] == '/' && info->host[0]);
}

static uint64_t expected;
static void in_order(const struct sc_record *r)
{
	NEED((uint64_t)r->ret == expected++);
	NEED(r->used == 100 && r->tid == (uint32_t)gettid() && r->fd == 7);
	NEED(((const unsigned char *)(r + 1))[99] == (unsigned char)r->ret);
}

static void test_laps(void)
{
	struct sc_ctx x;

	create();
	x = enter();
	for (uint64_t i = 0; i < 100000; i++) {
		NEED(put(&x, 100, i));
		if (i % 700 == 0)
			drain(0, in_order);
	}
	drain(0, in_order);
	NEED(expected == 100000 && x.head->rings == 1 && x.head->records == 100000);
}

/* A relay that keeps up: the ring goes back to its start instead of growing. */
static void test_calm(void)
{
	struct sc_ctx x;

	create();
	x = enter();
	for (uint64_t i = 0; i < 100000; i++) {
		NEED(put(&x, 100, i));
		if (i % 20 == 0)
			drain(0, in_order);
	}
	drain(0, in_order);
	NEED(expected == 100000 && x.head->rings == 1 && sc_chan.ring_ready[0] <= SC_RING_PIECE);
}

static void test_overflow(void)
{
	struct sc_ctx x;
	uint64_t n = 0, found = 0;

	create();
	x = enter();
	while (put(&x, 1000, n))
		n++;
	NEED(x.head->rings == (1u << SC_SHARDS) - 1 && x.head->lost[SC_LOST_FULL] == 1);
	NEED(n >= SC_SHARDS * (SC_RING_SIZE / 1048 - 1));
	for (unsigned i = 0; i < SC_SHARDS; i++)
		if (x.head->rings & 1u << i)
			found += drain(i, NULL);
	NEED(found == n && put(&x, 1000, 0));
	NEED(!sc_record_begin(&x, SC_REC_TEXT, 1, SC_RECORD_MAX));
	NEED(x.head->lost[SC_LOST_BIG] == 1);
}

static uint64_t fill_up(const struct sc_ctx *x, uint32_t size, uint64_t n)
{
	uint64_t first = n;

	while (put(x, size, n))
		n++;
	return n - first;
}

static uint64_t last_of_ring;
static void ascending(const struct sc_record *r)
{
	NEED((uint64_t)r->ret > last_of_ring);
	last_of_ring = (uint64_t)r->ret;
}

static uint64_t drain_all(const struct sc_ctx *x)
{
	uint64_t found = 0;

	for (unsigned i = 0; i < SC_SHARDS; i++) {
		last_of_ring = 0;
		if (x->head->rings & 1u << i)
			found += drain(i, ascending);
	}
	return found;
}

/* Wherever calm writing has left the rings, a burst gets all their memory. */
static void test_burst(void)
{
	const uint64_t least = SC_SHARDS * (SC_RING_SIZE / 152 - 4);
	struct sc_ctx x;

	for (uint64_t calm = 1; calm < 500; calm += 11) {
		uint64_t n = 1, unread = 0;

		create();
		x = enter();
		for (uint64_t i = 0; i < calm; i++) {
			NEED(put(&x, 100, n++));
			if (++unread % 40 == 0)
				unread -= drain(0, NULL);
		}
		n = fill_up(&x, 100, n);
		NEED(n + unread >= least);
		NEED(drain_all(&x) == n + unread);
		/* And again, with all memory made; the reader stopped in the middle of the lap before. */
		n = 1;
		for (uint64_t i = 0; i < 3 * calm; i++)
			NEED(put(&x, 100, n++));
		for (unsigned i = 0; i < SC_SHARDS; i++)
			if (x.head->rings & 1u << i)
				n -= drain_some(i, NULL, calm);
		n = n - 1 + fill_up(&x, 100, 3 * calm + 1);
		NEED(n >= least && drain_all(&x) == n);
		sc_chan_leave(1);
	}
}

/* Any lengths, any ring, a reader that stops anywhere: nothing is lost, torn or overwritten. */
static void test_random(void)
{
	uint64_t n = 1, found = 0, seed = 1;
	struct sc_ctx x;

	create();
	x = enter();
	for (int i = 0; i < 400000; i++) {
		uint32_t dice;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		dice = (uint32_t)(seed >> 33);
		x.shard_nr = dice % 3;
		if (dice / 8 % 16)
			n += (uint64_t)put(&x, dice / 128 % (dice % 64 ? 300 : 30000), n);
		else
			found += drain_some(dice / 128 % SC_SHARDS, NULL, dice / 1024 % 30);
	}
NEED(x.head->rings == (1u << SC_SHARDS) - 1 && x.head->lost[SC_LOST_FULL] > 0);
	NEED(found + drain_all(&x) == n - 1);
}

static void test_limit(void)
{
	struct sc_ctx x;
	struct sc_record *r;
	int kept = 0;

	create();
	x = enter();
	x.head->control.max_per_sec = 50;
	for (int i = 0; i < 1000; i++) {
		r = sc_record_begin(&x, SC_REC_OPEN, 1, 0);
		if (r) {
			sc_record_commit(&x, r, 0);
			kept++;
		}
	}
	/* A second may end in between, but not twenty. */
	NEED(kept >= 50 && kept <= 1000 - (int)x.head->lost[SC_LOST_LIMIT]);
	NEED(x.head->lost[SC_LOST_LIMIT] > 0);
	NEED(put(&x, 10, 1)); /* text is never limited */
}

/* ---- threads ---- */

#define THREADS 12
#define EACH    20000

static _Atomic(int) running;
static uint64_t seen[THREADS];

static void *writer(void *arg)
{
	uint64_t self = (uint64_t)arg;
	struct sc_ctx x;

	for (uint64_t i = 0; i < EACH;) {
		NEED(sc_enter(&x));
		if (put(&x, 16, self << 32 | i))
			i++;
		sc_count(&x, SC_C_FS_OPEN, 1);
		sc_count_call(&x, 3);
	}
	running--;
	return NULL;
}

static void of_thread(const struct sc_record *r)
{
	uint64_t thread = (uint64_t)r->ret >> 32;

	NEED(thread < THREADS);
	seen[thread]++;
}

static void test_threads(void)
{
	pthread_t t[THREADS];
	uint64_t tries = 0, calls = 0;
	struct sc_ctx x;

	create();
	x = enter();
	sc_chan.threaded = 1;
	running = THREADS;
	for (uint64_t i = 0; i < THREADS; i++)
		NEED(pthread_create(&t[i], NULL, writer, (void *)i) == 0);
	while (running)
		for (unsigned i = 0; i < SC_SHARDS; i++)
			if (x.head->rings & 1u << i)
				drain(i, of_thread);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (unsigned i = 0; i < SC_SHARDS; i++) {
		if (!(x.head->rings & 1u << i))
			continue;
		drain(i, of_thread);
		tries += sc_chan_shard(x.base, i)->counter[SC_C_FS_OPEN];
		calls += sc_chan_shard(x.base, i)->calls[3];
	}
	for (int i = 0; i < THREADS; i++)
		NEED(seen[i] == EACH);
	NEED(tries == calls && tries == THREADS * EACH + x.head->lost[SC_LOST_FULL]);
	NEED(x.head->records == THREADS * EACH);
}

/* ---- fork ---- */

static void test_fork(void)
{
	char *parent;
	struct sc_ctx x;
	struct sc_fd *f;
	uint64_t object, start;
	int status;

	create();
	x = enter();
	parent = x.base;
	start = x.head->start_tsc;
	f = sc_fd_get(&x, 9);
	sc_fd_begin(&x, f, SC_KIND_FILE, 1);
	object = f->object;
	NEED(put(&x, 8, 1));
	sc_chan_snapshot(x.tp);
	if (fork() == 0) {
		struct sc_ctx y = enter();

		NEED(y.base != parent && y.head->pid == getpid());
		NEED(y.head->origin == SC_ORIGIN_FORK && y.head->parent_start_tsc == start);
		f = sc_fd_find(&y, 9);
		NEED(f && f->object == object && f->kind == SC_KIND_FILE && f->open_tsc == 0);
		NEED(y.shard->head == 0);
		/* A hook the fork interrupted still has the old view: it may write, and is not seen. */
		NEED(!put(&x, 8, 2));
		sc_count(&x, SC_C_FS_OPEN, 1000);
		NEED(put(&y, 8, 3));
		if (fork() == 0) {
			for (int i = 0; i < 6; i++) /* more generations than are kept mapped */
				if (fork() != 0) {
					wait(&status);
					_exit(WEXITSTATUS(status));
				} else {
					y = enter();
					NEED(put(&y, 8, 4));
				}
			_exit(5);
		}
		wait(&status);
		_exit(WEXITSTATUS(status));
	}
	wait(&status);
	NEED(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	sc_chan.fork_tp = 0;
	NEED(x.shard->counter[SC_C_FS_OPEN] == 0 && drain(0, NULL) == 1);
}

/* ---- descriptors ---- */

static void test_descriptors(void)
{
	struct rlimit limit = {100000, 100000};
	struct sc_ctx x;
	struct sc_fd *f;
	char path[600];

	setrlimit(RLIMIT_NOFILE, &limit);
	create();
	x = enter();
	NEED(!sc_fd_get(&x, -1) && !sc_fd_find(&x, 5) && !sc_fd_find(&x, 50000));
	for (int fd = 0; fd < 3000; fd += 37) {
		f = sc_fd_get(&x, fd);
		NEED(f);
		sc_fd_begin(&x, f, SC_KIND_FILE, 5);
		NEED(sc_fd_find(&x, fd) == f && f->object == (uint64_t)(1 + fd / 37));
	}
	NEED(x.head->fd_high == 2998 && !sc_fd_find(&x, 2000));
	NEED(!sc_fd_get(&x, 200000));
	snprintf(path, sizeof(path), "%s/%s.fdx", dir, sc_chan.name);
	NEED(access(path, R_OK) == 0);
	f = sc_fd_get(&x, 2000);
	sc_fd_begin(&x, f, SC_KIND_FILE, 5);
	f->object = sc_fd_find(&x, 37)->object;
	NEED(sc_fd_twin(&x, f, 2000) == sc_fd_find(&x, 37));
}

/* ---- no calls ---- */

/* A relay that sleeps is woken once; one in the middle of a pass finds that it was rung for. */
static void test_doorbell(void)
{
	struct sc_hub *hub;

	create();
	hub = sc_chan.hub;
	hub->doorbell = 7;
	hub->sleeping = SC_RELAY_AWAKE;
	sc_hub_ring();
	NEED(hub->sleeping == SC_RELAY_RUNG && hub->doorbell == 7);
	hub->sleeping = SC_RELAY_ASLEEP;
	sc_hub_ring();
	sc_hub_ring();
	NEED(hub->sleeping == SC_RELAY_RUNG && hub->doorbell == 8);
}

static void test_quiet(void)
{
	struct sc_ctx x;
	uint64_t n = 0;

	create();
	x = enter();
	sc_chan_quiet();
	sc_chan.quiet = 1;
	NEED(x.head->rings == (1u << SC_SHARDS) - 1 && x.head->fd_blocks == 0xffffffff);
	while (put(&x, 1000, n))
		n++;
	NEED(n >= SC_RING_TOTAL / 1048 * 9 / 10 && sc_chan.ring_total <= SC_RING_TOTAL);
	NEED(!sc_fd_get(&x, 5000) && sc_fd_get(&x, 1000));
}

static void test_watch(void)
{
	struct sc_dfa *d;

	create();
	d = &sc_chan.hub->file_watch;
	NEED(sc_hub_watches("/var/log/x", 10) && sc_hub_watches("a.log", 5));
	NEED(!sc_hub_watches("/etc/passwd", 11));
	d->states = 0xffff;
	NEED(sc_hub_watches("anything", 8));
	d->states = 1025; /* more than fit: nothing is believed */
	NEED(!sc_hub_watches("a.log", 5));
	d->states = 2;
	d->classes = 1;
	memset(d->class_of, 0, sizeof(d->class_of));
	memset(d->accept, 0, sizeof(d->accept));
	d->next[0] = 77;
	NEED(!sc_hub_watches("a.log", 5));
}

/* The newest calls have memory of their own, made with the first of them; long arguments, too. */
static void test_far(void)
{
	static char longest[9000], text[SC_ARGV_MAX], *argv[] = {"ring_test", longest, "unseen", NULL};
	static char *envp[] = {"SCOPE_X=y", NULL};
	int status;
	struct sc_chan_options o = {.dir = dir, .argc = 3, .argv = argv, .envp = envp, .libc = "none"};
	struct sc_info *info;
	struct sc_ctx x;

	memset(longest, 'x', sizeof(longest) - 1);
	NEED(sc_chan_create(&o) == 0);
	x = enter();
	info = sc_chan_info(x.base);
	NEED(info->argv_len == SC_ARGV_MAX && info->argc == 3 && info->text[SC_ARGV_MAX - 2] == 'x');
	NEED(strcmp(info->text + SC_ARGV_MAX, "SCOPE_X=y") == 0 && info->env_len == 10);
	memcpy(text, info->text, sizeof(text));
	NEED(x.head->far_calls == 0);
	sc_count_call(&x, SC_NEAR_CALLS - 1);
	NEED(x.head->far_calls == 0);
	sc_count_call(&x, 435);
	sc_count_call(&x, 435);
	sc_count_call(&x, SC_NR_MAX);
	NEED(x.head->far_calls == 1 && x.shard->calls[435] == 2 && x.shard->calls[SC_NEAR_CALLS - 1] == 1);
	if (fork() == 0) {
		x = enter();
		NEED(x.head->far_calls == 0 && sc_chan_info(x.base)->env_len == 10);
		NEED(memcmp(sc_chan_info(x.base)->text, text, sizeof(text)) == 0);
		sc_count_call(&x, 435);
		_exit(x.shard->calls[435] == 1 ? 7 : 8);
	}
	wait(&status);
	NEED(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void test_muted(void)
{
	struct sc_ctx x;

	create();
	x = enter();
	sc_mute(x.tp, 0);
	NEED(!sc_enter(&x));
	sc_count_muted(1);
	sc_unmute(x.tp);
	NEED(sc_enter(&x) && x.shard->calls[1] == 1);
	sc_fd_begin(&x, sc_fd_get(&x, 3), SC_KIND_FILE, 1);
	x.head->control.mode = SC_MODE_MUTED;
	NEED(!sc_enter(&x) && !sc_enter(&x));
	x.head->control.mode = SC_MODE_RUN;
	/* What was known of descriptors may be old: calls went by unseen. */
	NEED(sc_enter(&x) && !sc_fd_find(&x, 3) && put(&x, 8, 1));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} test[] = {{"info", test_info},     {"laps", test_laps}, {"calm", test_calm},
		    {"overflow", test_overflow}, {"burst", test_burst},
		    {"random", test_random}, {"limit", test_limit},
		    {"threads", test_threads},   {"fork", test_fork},
		    {"descriptors", test_descriptors}, {"doorbell", test_doorbell}, {"quiet", test_quiet},
		    {"watch", test_watch},   {"far", test_far}, {"muted", test_muted}};

	if (argc != 3)
		return 2;
	dir = argv[1];
	for (size_t i = 0; i < sizeof(test) / sizeof(*test); i++) {
		if (strcmp(test[i].name, argv[2]) != 0)
			continue;
		test[i].run();
		printf("ok %s\n", argv[2]);
		return 0;
	}
	return 2;
}
