/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Description: feeds the decoders of native/probe from a script on stdin and prints the records.
 * Lines: "new KIND FLAGS" (a connection; kind and flags of sc_fd), "want BITS", "rx|tx BYTES"
 * (a transfer; pieces of iovec separated by '|', bytes in hex), "tls rx|tx BYTES", "skip rx|tx N",
 * "end rx|tx", "close", "port N", "cap N", "fail N" (the next N records are lost), "base N" (the
 * number of the first descriptor).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "probe/stream_internal.h"

static struct sc_fd fds[8];
static uint32_t want, fail;
static uint64_t cap, objects;
static int base; /* number of the first descriptor */

uint32_t sc_probe_want(const struct sc_io *io)
{
	(void)io;
	return want;
}

uint64_t sc_probe_payload_max(const struct sc_io *io)
{
	(void)io;
	return cap;
}

void sc_probe_count(const struct sc_io *io, enum sc_counter counter, uint64_t n)
{
	(void)io;
	(void)counter;
	(void)n;
}

void *sc_probe_memory(uint64_t size)
{
	return calloc(1, size);
}

void sc_probe_memory_free(void *at, uint64_t size)
{
	(void)size;
	free(at);
}

/* No libraries are loaded here. */
_Atomic(uint32_t) sc_entries_pending;

void sc_entries_scan(void)
{
}

void sc_tls_note(const struct sc_io *io)
{
	(void)io;
}

static void print_bytes(const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (p[i] == '\n')
			printf("\\n");
		else if (p[i] == '\r')
			printf("\\r");
		else if (p[i] == '\\' || p[i] < ' ' || p[i] > '~')
			printf("\\x%02x", p[i]);
		else
			putchar(p[i]);
	}
}

static const char *type_name(uint16_t type)
{
	switch (type) {
#define X(name, n) \
	case n:    \
		return #name;
		SC_RECORD_LIST(X)
#undef X
	}
	return "?";
}

static bool print(const struct sc_io *io, uint16_t type, uint16_t flags, const struct sc_message *m,
		  const uint8_t *p, uint32_t n)
{
	if (fail) {
		fail--;
		return false;
	}
	printf("%s %s%s", io->tx ? "tx" : "rx", type_name(type), io->tls ? " TLS" : "");
	if (flags & SC_RF_CUT)
		printf(" CUT");
	if (m) {
		printf(" body=%llu", (unsigned long long)m->body);
		if (m->skip)
			printf(" skip=%u", m->skip);
		if (m->count)
			printf(" count=%u", m->count);
		printf("%s%s%s", m->flags & SC_MF_END ? " END" : "", m->flags & SC_MF_SYNC ? " SYNC" : "",
		       m->flags & SC_MF_SHORT ? " SHORT" : "");
	}
	if (n) {
		putchar(' ');
		print_bytes(p, n);
	}
	putchar('\n');
	return true;
}

bool sc_emit(const struct sc_io *io, uint16_t type, uint16_t flags, const struct sc_message *m,
	     const void *p, uint32_t n)
{
	return print(io, type, flags, m, p, n);
}

bool sc_emit_iov(const struct sc_io *io, uint16_t type, uint16_t flags, const struct sc_message *m,
		 uint64_t from, uint32_t n)
{
	uint8_t *all = malloc(n + 1);
	uint32_t at = 0;
	bool done;

	for (uint32_t i = 0; i < io->iovcnt; i++) {
		const uint8_t *p = io->iov[i].base;

		for (uint64_t k = 0; k < io->iov[i].len && at < n; k++) {
			if (from)
				from--;
			else
				all[at++] = p[k];
		}
	}
	done = print(io, type, flags, m, all, n);
	free(all);
	return done;
}

static unsigned nibble(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

static uint32_t unhex(const char *text, uint8_t *to)
{
	uint32_t n = 0;

	for (; text[0] && text[1]; text += 2)
		to[n++] = (uint8_t)(nibble(text[0]) << 4 | nibble(text[1]));
	return n;
}

/* Each piece is in memory of its own, so that a sanitizer sees a byte read too far. */
static void transfer(struct sc_fd *f, int fd, bool tls, bool tx, char *text)
{
	struct sc_iovec iov[64];
	struct sc_io io = {.f = f, .fd = base + fd, .tx = tx, .iov = iov, .tls = tls, .nr = 0};
	char *piece = strtok(text, "|");

	while (piece && io.iovcnt < 64) {
		uint8_t *p = malloc(strlen(piece) / 2 + 1);
		uint32_t n = unhex(piece, p);

		p = realloc(p, n ? n : 1);
		iov[io.iovcnt++] = (struct sc_iovec){p, n};
		io.len += n;
		piece = strtok(NULL, "|");
	}
	if (tx)
		f->tx_bytes += io.len;
	else
		f->rx_bytes += io.len;
	if (tls || sc_stream_wants(f, want))
		sc_stream_data(&io);
	for (uint32_t i = 0; i < io.iovcnt; i++)
		free((void *)iov[i].base);
}

static void run(char *line, int *fd)
{
	struct sc_fd *f = &fds[*fd];
	unsigned a = 0, b = 0;
	bool tls = false;

	if (strncmp(line, "tls ", 4) == 0) {
		tls = true;
		line += 4;
	}
	if (sscanf(line, "new %u %u", &a, &b) >= 1) {
		*fd = (*fd + 1) % 8;
		f = &fds[*fd];
		memset(f, 0, sizeof(*f));
		f->kind = (uint8_t)a;
		f->flags = (uint16_t)b;
		f->object = ++objects;
		puts("--");
	} else if (sscanf(line, "want %u", &want) == 1 || sscanf(line, "fail %u", &fail) == 1) {
		return;
	} else if (sscanf(line, "base %d", &base) == 1) {
		return;
	} else if (sscanf(line, "cap %u", &a) == 1) {
		cap = a;
	} else if (sscanf(line, "port %u", &a) == 1) {
		sc_stream_ports(f, want, 0, (uint16_t)a);
	} else if (sscanf(line, "skip tx %u", &a) == 1) {
		f->tx_bytes += a;
		sc_stream_skip(NULL, f, base + *fd, 1, a);
	} else if (strncmp(line, "end ", 4) == 0) {
		sc_stream_end(NULL, f, base + *fd, line[4] == 't');
	} else if (strncmp(line, "close", 5) == 0) {
		sc_stream_close(NULL, f, base + *fd);
		printf("protocol %u\n", f->protocol);
	} else if (line[0] == 'r' || line[0] == 't') {
		transfer(f, *fd, tls, line[0] == 't', line + 3);
	}
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;
	int fd = 0;

	want = SC_WANT_HTTP | SC_WANT_DNS | SC_WANT_STATSD;
	while (getline(&line, &size, stdin) > 0) {
		line[strcspn(line, "\n")] = 0;
		run(line, &fd);
	}
	free(line);
	return 0;
}
