/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Description: a stand-in for libscope.so that writes a channel as channel.h says and misbehaves on
 * command. Usage: writer DIR OP…, done in order:
 *
 *   write:COUNT:SIZE:THREADS  COUNT TEXT records per thread, numbered, in own shards; waits when full
 *   drop:COUNT:SIZE           the same in one thread; a full channel counts FULL
 *   spill:COUNT:SIZE          one thread that goes on in the next shard when its own is full; waits
 *   reserve:SIZE              moves the head, writes nothing
 *   busy:SIZE                 moves the head and marks the record busy
 *   raw:TYPE:LEN:USED         a committed record with this type, length field and used field
 *   head:N                    adds N to the head of shard 0
 *   count:INDEX:N             adds N to a counter; fd:FD adds an entry
 *   state:N  exit:CODE  kill  exec:PATH  fork:COUNT (children that write 1 record)  truncate:SIZE
 *   idle:COUNT                children with idle channels; "paused" when all are there
 *   pause                     prints "paused" and waits for a line
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "scope/channel.h"

static const char *dir;
static char path[PATH_MAX];
static char *base;
static struct sc_hub *hub;

static void die(const char *what)
{
	fprintf(stderr, "writer: %s: %s\n", what, strerror(errno));
	_exit(99);
}

static struct sc_header *header(void)
{
	return (struct sc_header *)base;
}

static struct sc_shard *shard(unsigned n)
{
	return (struct sc_shard *)(base + SC_SHARD_OFF) + n;
}

static void *map(const char *name, size_t size, int flags)
{
	int fd = open(name, O_RDWR | O_CLOEXEC | flags, 0600);
	void *at;

	if (fd < 0)
		die(name);
	if ((flags & O_CREAT) && (ftruncate(fd, (off_t)size) != 0 || posix_fallocate(fd, 0, (off_t)size)))
		die("allocate");
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		die("mmap");
	close(fd);
	return at;
}

static void open_hub(void)
{
	snprintf(path, sizeof path, "%s/hub", dir);
	hub = map(path, sizeof *hub, 0);
}

static void ring_doorbell(void)
{
	if (atomic_exchange(&hub->sleeping, SC_RELAY_RUNG) != SC_RELAY_ASLEEP)
		return;
	atomic_fetch_add(&hub->doorbell, 1);
	syscall(SYS_futex, &hub->doorbell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void open_channel(uint32_t origin)
{
	struct timespec now;
	struct stat st;
	uint64_t tsc = __builtin_ia32_rdtsc();
	struct sc_header *h;
	struct sc_info *info;
	FILE *boot;
	char id[64] = "";

	snprintf(path, sizeof path, "%s/%d.%" PRIx64 ".chan", dir, getpid(), tsc);
	base = map(path, SC_CHANNEL_SIZE, O_CREAT | O_EXCL);
	h = header();
	h->major = SC_VERSION_MAJOR;
	h->minor = SC_VERSION_MINOR;
	h->size = SC_CHANNEL_SIZE;
	h->pid = getpid();
	h->ppid = getppid();
	h->uid = getuid();
	h->gid = getgid();
	h->start_tsc = __builtin_ia32_rdtsc();
	clock_gettime(CLOCK_REALTIME, &now);
	h->start_sec = (uint64_t)now.tv_sec;
	h->start_nsec = (uint32_t)now.tv_nsec;
	clock_gettime(CLOCK_MONOTONIC, &now);
	h->mono_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	h->pid_ns = stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
	/* As seen by a relay that has no view of our pids. */
	if (getenv("WRITER_PID_NS"))
		h->pid_ns = strtoull(getenv("WRITER_PID_NS"), NULL, 10);
	h->origin = origin;
	h->control = hub->control;
	boot = fopen("/proc/sys/kernel/random/boot_id", "re");
	if (boot && fgets(id, sizeof id, boot)) {
		int n = 0;
		for (char *p = id; *p && n < 16; p++) {
			unsigned byte;
			if (*p != '-' && sscanf(p, "%2x", &byte) == 1) {
				h->boot_id[n++] = (uint8_t)byte;
				p++;
			}
		}
	}
	if (boot)
		fclose(boot);
	info = (struct sc_info *)(base + SC_INFO_OFF);
	strcpy(info->exe, "/usr/bin/writer");
	strcpy(info->name, "writer");
	strcpy(info->host, "host");
	memcpy(info->text, "writer\0an argument\0", 19);
	info->argc = 2;
	info->argv_len = 19;
	memcpy(info->text + 19, "OTEL_X=1\0SCOPE_TAG_a=b=c\0", 25);
	info->env_len = 25;
	atomic_store(&h->rings, (1u << SC_SHARDS) - 1);
	atomic_store(&h->fd_blocks, ~0u);
	atomic_store(&h->state, SC_STATE_LIVE);
	atomic_store(&h->magic, SC_CHANNEL_MAGIC);
}

/* Step 1 of the ring; NULL: full. */
static struct sc_record *reserve(unsigned n, uint32_t size)
{
	struct sc_shard *s = shard(n);
	char *ring = base + SC_RING_OFF + (size_t)n * SC_RING_SIZE;
	uint64_t head = atomic_load(&s->head), used;
	uint32_t at, pad;

	do {
		uint64_t tail = atomic_load(&s->tail);
		at = (uint32_t)(head % SC_RING_SIZE);
		pad = size > SC_RING_SIZE - at ? SC_RING_SIZE - at : 0;
		used = head - tail;
		if (used + pad + size > SC_RING_SIZE)
			return NULL;
	} while (!atomic_compare_exchange_weak(&s->head, &head, head + pad + size));
	if (pad) {
		struct sc_record *filler = (struct sc_record *)(ring + at);
		filler->type = SC_REC_PAD;
		atomic_store(&filler->len, pad);
		at = 0;
	}
	if (used <= SC_RING_SIZE / 2 && used + pad + size > SC_RING_SIZE / 2)
		ring_doorbell();
	return (struct sc_record *)(ring + at);
}

static uint32_t whole(uint32_t payload)
{
	return ((uint32_t)sizeof(struct sc_record) + payload + 7) & ~7u;
}

/* Payload: thread, sequence, then bytes that follow from both. */
static void fill(struct sc_record *r, uint32_t thread, uint64_t sequence, uint32_t payload, uint64_t tsc)
{
	uint8_t *p = (uint8_t *)(r + 1);

	atomic_store(&r->len, whole(payload) | SC_LEN_BUSY);
	r->type = SC_REC_TEXT;
	r->tsc = tsc;
	r->tid = thread;
	r->fd = 1;
	r->object = sequence;
	r->nr = 1;
	r->used = (uint16_t)payload;
	for (uint32_t i = 0; i < payload; i++)
		p[i] = (uint8_t)(sequence * 31 + i + thread);
	atomic_store(&r->len, whole(payload));
	atomic_fetch_add(&header()->records, 1);
}

struct job {
	uint32_t thread;
	uint64_t count;
	uint32_t size;
	int spill;
};

static void *write_all(void *arg)
{
	struct job *job = arg;
	const struct timespec nap = {0, 200000};

	for (uint64_t i = 0; i < job->count; i++) {
		/* Lengths vary, so that every alignment at the ring's end is met. */
		uint32_t size = 8 + (uint32_t)((i * 7919 + job->thread) % job->size);
		uint64_t tsc = __builtin_ia32_rdtsc();
		struct sc_record *r = NULL;

		while (!r) {
			for (unsigned n = 0; !r && n < (job->spill ? SC_SHARDS : 1); n++)
				r = reserve((job->thread + n) % SC_SHARDS, whole(size));
			if (!r) {
				ring_doorbell();
				nanosleep(&nap, NULL);
			}
		}
		fill(r, job->thread, i, size, tsc);
	}
	return NULL;
}

static void write_threads(uint64_t count, uint32_t size, uint32_t threads)
{
	pthread_t thread[64];
	struct job job[64];

	if (threads > 64)
		die("too many threads");
	for (uint32_t i = 0; i < threads; i++) {
		job[i] = (struct job){i, count, size, 0};
		pthread_create(&thread[i], NULL, write_all, &job[i]);
	}
	for (uint32_t i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
}

/* Until the reader has everything, 20 ms at most: then it is the spool that is full. */
static void let_reader_follow(void)
{
	const struct timespec nap = {0, 200000};

	for (int i = 0; i < 100 && atomic_load(&shard(0)->tail) != atomic_load(&shard(0)->head); i++)
		nanosleep(&nap, NULL);
}

static void write_or_drop(uint64_t count, uint32_t size)
{
	for (uint64_t i = 0; i < count; i++) {
		struct sc_record *r = reserve(0, whole(size));
		if (r)
			fill(r, 0, i, size, __builtin_ia32_rdtsc());
		else
			atomic_fetch_add(&header()->lost[SC_LOST_FULL], 1);
		if (i % 500 == 499)
			let_reader_follow();
	}
}

static void raw(uint32_t type, uint32_t len, uint32_t used)
{
	struct sc_record *r = reserve(0, whole(64));

	memset(r, 0x5a, whole(64));
	r->type = (uint16_t)type;
	r->tsc = __builtin_ia32_rdtsc();
	r->used = (uint16_t)used;
	atomic_store(&r->len, len);
}

static void fork_children(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (fork() == 0) {
			struct job job = {0, 1, 64, 0};
			open_channel(SC_ORIGIN_FORK);
			write_all(&job);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
}

static void pause_for_line(void)
{
	char c;

	if (write(1, "paused\n", 7) != 7)
		die("write");
	do {
		if (read(0, &c, 1) != 1)
			_exit(98);
	} while (c != '\n');
}

static void fork_idle(uint64_t count)
{
	int gate[2], ready[2];
	char c = 0;

	if (pipe(gate) != 0 || pipe(ready) != 0)
		die("pipe");
	for (uint64_t i = 0; i < count; i++) {
		if (fork() == 0) {
			close(gate[1]);
			open_channel(SC_ORIGIN_FORK);
			if (write(ready[1], "r", 1) != 1 || read(gate[0], &c, 1) < 0)
				_exit(97);
			_exit(0);
		}
	}
	for (uint64_t i = 0; i < count; i++) {
		if (read(ready[0], &c, 1) != 1)
			die("read");
	}
	pause_for_line();
	close(gate[1]);
	while (wait(NULL) > 0)
		;
}

static void perform(char *op)
{
	uint64_t n[3] = {0, 0, 1};
	char *colon = strchr(op, ':');
	char *text = colon ? colon + 1 : op + strlen(op);

	if (colon)
		*colon = '\0';
	sscanf(text, "%" SCNu64 ":%" SCNu64 ":%" SCNu64, &n[0], &n[1], &n[2]);
	if (!strcmp(op, "write"))
		write_threads(n[0], (uint32_t)n[1], (uint32_t)n[2]);
	else if (!strcmp(op, "drop"))
		write_or_drop(n[0], (uint32_t)n[1]);
	else if (!strcmp(op, "spill"))
		write_all(&(struct job){0, n[0], (uint32_t)n[1], 1});
	else if (!strcmp(op, "reserve"))
		reserve(0, whole((uint32_t)n[0]));
	else if (!strcmp(op, "busy"))
		atomic_store(&reserve(0, whole((uint32_t)n[0]))->len, whole((uint32_t)n[0]) | SC_LEN_BUSY);
	else if (!strcmp(op, "raw"))
		raw((uint32_t)n[0], (uint32_t)n[1], (uint32_t)n[2]);
	else if (!strcmp(op, "head"))
		atomic_fetch_add(&shard(0)->head, n[0]);
	else if (!strcmp(op, "count"))
		atomic_fetch_add(&shard(n[2] % SC_SHARDS)->counter[n[0]], n[1]);
	else if (!strcmp(op, "fd"))
		((struct sc_fd *)(base + SC_FD_OFF))[n[0]] = (struct sc_fd){.object = 7, .rx_bytes = 11, .kind = SC_KIND_TCP};
	else if (!strcmp(op, "state"))
		atomic_store(&header()->state, (uint32_t)n[0]);
	else if (!strcmp(op, "exit")) {
		atomic_store(&header()->exit_code, (int)n[0]);
		atomic_store(&header()->state, SC_STATE_EXITED);
		_exit((int)n[0]);
	} else if (!strcmp(op, "kill"))
		kill(getpid(), SIGKILL);
	else if (!strcmp(op, "exec"))
		execl(text, text, "1000", NULL);
	else if (!strcmp(op, "fork"))
		fork_children(n[0]);
	else if (!strcmp(op, "truncate") && truncate(path, (off_t)n[0]) != 0)
		die("truncate");
	else if (!strcmp(op, "again"))
		open_channel(SC_ORIGIN_LAUNCH);
	else if (!strcmp(op, "idle"))
		fork_idle(n[0]);
	else if (!strcmp(op, "pause"))
		pause_for_line();
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 99;
	dir = argv[1];
	open_hub();
	open_channel(SC_ORIGIN_LAUNCH);
	for (int i = 2; i < argc; i++)
		perform(argv[i]);
	return 0;
}
