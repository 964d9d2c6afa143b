/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a channel file as it is and prints it as lines, for the native tests: state, counters that
 * are not zero, calls by number, records in order of time. Takes nothing out of the rings.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "scope/channel.h"
#include "base/calls.h"

static const char *const counter_name[] = {
#define X(name) #name,
	SC_COUNTER_LIST(X)
#undef X
};

static const char *type_name(unsigned type)
{
	switch (type) {
#define X(name, n)                                                                                 \
	case n:                                                                                    \
		return #name;
		SC_RECORD_LIST(X)
#undef X
	}
	return "?";
}

static const struct sc_record *found[1 << 16];
static size_t records;

static int by_time(const void *a, const void *b)
{
	const struct sc_record *x = *(const struct sc_record *const *)a;
	const struct sc_record *y = *(const struct sc_record *const *)b;

	return x->tsc < y->tsc ? -1 : x->tsc > y->tsc;
}

static void collect(const char *base, unsigned n)
{
	const struct sc_shard *s = (const struct sc_shard *)(base + SC_SHARD_OFF) + n;
	const char *ring = base + SC_RING_OFF + (size_t)n * SC_RING_SIZE;

	for (uint64_t at = s->tail; at < s->head;) {
		const struct sc_record *r = (const void *)(ring + at % SC_RING_SIZE);
		uint32_t len = r->len;

		if (len == 0 || len & SC_LEN_BUSY || len % 8 || len > SC_RING_SIZE) {
			printf("torn ring=%u at=%lu len=%x\n", n, (unsigned long)at, len);
			return;
		}
		if (r->type != SC_REC_PAD && records < sizeof(found) / sizeof(*found))
			found[records++] = r;
		at += len;
	}
}

static void print_text(const char *p, size_t n)
{
	for (size_t i = 0; i < n && i < 200; i++) {
		if (p[i] == '\n')
			printf("\\n");
		else
			putchar(p[i] >= 32 && p[i] < 127 ? p[i] : '.');
	}
}

static void print_record(const struct sc_record *r)
{
	const char *p = (const char *)(r + 1);

	printf("record %s fd=%d object=%lu ret=%ld nr=%s tid=%u flags=%u used=%u ", type_name(r->type),
	       r->fd, (unsigned long)r->object, (long)r->ret,
	       r->nr == 0xffff ? "-" : sc_call_name(r->nr), r->tid, r->flags, r->used);
	switch (r->type) {
	case SC_REC_OPEN:
		if (((const struct sc_open *)p)->mode)
			printf("mode=%o uid=%u ", ((const struct sc_open *)p)->mode,
			       ((const struct sc_open *)p)->uid);
		print_text(p + sizeof(struct sc_open), r->used - sizeof(struct sc_open));
		break;
	case SC_REC_CLOSE: {
		const struct sc_close *c = (const void *)p;

		printf("rx=%lu/%u tx=%lu/%u ", (unsigned long)c->rx_bytes, c->rx_ops,
		       (unsigned long)c->tx_bytes, c->tx_ops);
		print_text(p + sizeof(*c), r->used - sizeof(*c));
		break;
	}
	case SC_REC_CONN_OPEN:
	case SC_REC_CONN_CLOSE: {
		const struct sc_conn *c = (const void *)p;

		printf("family=%u type=%u %u.%u.%u.%u:%u %u.%u.%u.%u:%u", c->family, c->type,
		       c->local[0], c->local[1], c->local[2], c->local[3], c->local_port,
		       c->remote[0], c->remote[1], c->remote[2], c->remote[3], c->remote_port);
		if (r->type == SC_REC_CONN_CLOSE) {
			const struct sc_close *e = (const void *)(c + 1);

			printf(" rx=%lu tx=%lu", (unsigned long)e->rx_bytes, (unsigned long)e->tx_bytes);
		}
		break;
	}
	case SC_REC_EXIT: {
		const struct sc_exit *e = (const void *)p;

		printf("rss=%lu vm=%lu threads=%u fds=%u children=%u", (unsigned long)e->rss_kib,
		       (unsigned long)e->vm_kib, e->threads, e->fds, e->children);
		break;
	}
	case SC_REC_NOTE:
		printf("code=%u arg=%u", ((const struct sc_note *)p)->code, ((const struct sc_note *)p)->arg);
		break;
	default:
		print_text(p, r->used);
	}
	printf("\n");
}

static void print_channel(const char *base)
{
	char num[16];
	const struct sc_header *h = (const void *)base;
	const struct sc_info *info = (const void *)(base + SC_INFO_OFF);
	const struct sc_shard *s = (const void *)(base + SC_SHARD_OFF);

	printf("channel pid=%d ppid=%d state=%u flags=%u origin=%u rings=%x exe=%s host=%s libc=%s argc=%u "
	       "argv0=%s records=%lu\n",
	       h->pid, h->ppid, h->state, h->flags, h->origin, h->rings, info->exe, info->host,
	       info->libc, info->argc, info->text, (unsigned long)h->records);
	for (int i = 0; i < SC_LOST_MAX; i++)
		if (h->lost[i])
			printf("lost %d %lu\n", i, (unsigned long)h->lost[i]);
	for (unsigned c = 0; c < SC_COUNTERS; c++) {
		long sum = 0;

		for (unsigned n = 0; n < SC_SHARDS; n++)
			sum += (long)s[n].counter[c];
		if (sum)
			printf("counter %s %ld\n", counter_name[c], sum);
	}
	for (unsigned nr = 0; nr < SC_NR_MAX; nr++) {
		unsigned long sum = 0;

		for (unsigned n = 0; n < SC_SHARDS; n++)
			sum += s[n].calls[nr];
		if (sum)
			printf("calls %s %lu\n", sc_call_name(nr) ? sc_call_name(nr) : (snprintf(num, sizeof(num), "nr%u", nr), num), sum);
	}
	for (unsigned n = 0; n < SC_SHARDS; n++)
		if (h->rings & 1u << n)
			collect(base, n);
	qsort(found, records, sizeof(*found), by_time);
	for (size_t i = 0; i < records; i++)
		print_record(found[i]);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY);
		struct stat st;
		char *base;

		if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < SC_CHANNEL_SIZE)
			return 1;
		base = mmap(NULL, SC_CHANNEL_SIZE, PROT_READ, MAP_SHARED, fd, 0);
		if (base == MAP_FAILED || ((struct sc_header *)base)->magic != SC_CHANNEL_MAGIC)
			return 2;
		records = 0;
		print_channel(base);
		munmap(base, SC_CHANNEL_SIZE);
		close(fd);
	}
	return 0;
}
