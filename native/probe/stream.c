/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of connections: whose state they belong to, which protocol they speak, which decoder
 * takes them. State is a static table by descriptor; its pages become real as descriptors are used.
 *
 * Longer than other files: one set of rules on who owns a state, followed by everything that takes or gives it.
 */
#include "probe/entries.h"
#include "probe/stream_internal.h"

/* Transfers of a connection joined late that may pass before it is left alone. */
#define LATE_TRIES 1000u
#define MAKING     UINT64_MAX

static struct sc_stream streams[SC_STREAMS];
static _Atomic(struct sc_stream *) blocks[SC_STREAM_BLOCKS]; /* of the descriptors from SC_STREAMS on */
static _Atomic(uint32_t) any_block; /* a fork looks at the pages of blocks[] only then */
static uint32_t high; /* descriptors ever used of the static ones, plus 1; for sc_stream_fork() */

static struct sc_stream *make_block(uint32_t block)
{
	uint64_t size = SC_STREAM_BLOCK * sizeof(struct sc_stream);
	struct sc_stream *made = sc_probe_memory(size), *other = NULL;

	/* Release: its zeroes are there before the pointer. Pairs with the acquire in state_of(). */
	atomic_store_explicit(&any_block, 1, memory_order_relaxed);
	if (!made || atomic_compare_exchange_strong_explicit(&blocks[block], &other, made,
							     memory_order_acq_rel,
							     memory_order_acquire))
		return made;
	sc_probe_memory_free(made, size);
	return other;
}

/* The state of a descriptor, whosever it is; NULL: there is none (and none was to be made). */
static struct sc_stream *state_of(int32_t fd, bool make)
{
	uint32_t i = (uint32_t)fd, block;
	struct sc_stream *at;

	if (sc_likely(i < SC_STREAMS))
		return &streams[i];
	i -= SC_STREAMS;
	block = i / SC_STREAM_BLOCK;
	if (block >= SC_STREAM_BLOCKS)
		return NULL;
	at = atomic_load_explicit(&blocks[block], memory_order_acquire);
	if (!at && make)
		at = make_block(block);
	return at ? at + i % SC_STREAM_BLOCK : NULL;
}

static bool enter_flow(struct sc_flow *w)
{
	/* Acquire: sees what the last holder did. Pairs with leave_flow(). */
	return !atomic_exchange_explicit(&w->busy, 1, memory_order_acquire);
}

static void leave_flow(struct sc_flow *w)
{
	atomic_store_explicit(&w->busy, 0, memory_order_release);
}

static void reset_flow(struct sc_flow *w, bool late)
{
	uint16_t hold = w->hold;
	uint64_t total = w->total;

	memset(&w->phase, 0, sizeof(*w) - offsetof(struct sc_flow, phase));
	w->hold = hold;
	sc_hold_free(w);
	w->total = total;
	w->phase = late ? SC_PH_LOST : SC_PH_START;
	w->flags = late ? SC_FL_SYNC : 0;
}

static void reset_stream(struct sc_stream *st, const struct sc_fd *f, bool late)
{
	int i;

	st->late = late;
	st->tries = 0;
	st->protocol = f->protocol == SC_PROTO_DNS ? SC_PROTO_DNS : SC_PROTO_UNKNOWN;
	atomic_store_explicit(&st->asked, 0, memory_order_relaxed);
	atomic_store_explicit(&st->answered, 0, memory_order_relaxed);
	for (i = 0; i < 2; i++)
		reset_flow(&st->flow[i], late && st->protocol != SC_PROTO_DNS);
}

/* Bytes moved before these ones, that nobody looked at. */
static bool joined_late(const struct sc_fd *f, uint64_t len)
{
	return f->flags & SC_FF_FOUND || f->rx_bytes + f->tx_bytes > len;
}

/* The state of a connection, made at its first bytes; NULL: there is none. */
static struct sc_stream *stream_of(struct sc_fd *f, int32_t fd, uint64_t len)
{
	uint64_t owner, object = f->object;
	struct sc_stream *st;
	_Atomic(uint64_t) *slot;

	st = object ? state_of(fd, true) : NULL;
	if (!st)
		return NULL;
	slot = (_Atomic(uint64_t) *)&st->object;
	owner = atomic_load_explicit(slot, memory_order_acquire);
	if (owner == object)
		return st;
	if (owner == MAKING || !atomic_compare_exchange_strong_explicit(slot, &owner, MAKING,
									memory_order_acquire,
									memory_order_relaxed))
		return NULL;
	if ((uint32_t)fd < SC_STREAMS && (uint32_t)fd >= high)
		high = (uint32_t)fd + 1;
	st->flow[0].total = 0;
	st->flow[1].total = 0;
	reset_stream(st, f, joined_late(f, len));
	f->proto_state = (uint32_t)fd + 1;
	st->session = NULL;
	/* Release: the state is there before its owner is. Pairs with the acquire above. */
	atomic_store_explicit(slot, object, memory_order_release);
	return st;
}

static void set_protocol(const struct sc_pass *pass, uint8_t protocol)
{
	pass->st->protocol = protocol;
	pass->io->f->protocol = protocol;
}

/* No protocol we know. One joined late may be in the middle of a message of one we do. */
static void decide_none(const struct sc_pass *pass)
{
	if (pass->st->late && pass->st->tries++ < LATE_TRIES)
		return;
	set_protocol(pass, SC_PROTO_NONE);
}

static void decide(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	struct sc_stream *st = pass->st;

	switch (sc_sniff(p, n)) {
	case SC_SNIFF_MORE:
		if (st->late)
			decide_none(pass);
		else
			st->protocol = SC_PROTO_HTTP1;
		break;
	case SC_SNIFF_REQUEST:
	case SC_SNIFF_RESPONSE:
		set_protocol(pass, SC_PROTO_HTTP1);
		break;
	case SC_SNIFF_PREFACE:
		pass->w->flags |= SC_FL_PREFACE;
		sc_http2_begin(pass, 0);
		break;
	case SC_SNIFF_SETTINGS:
		sc_http2_begin(pass, 0);
		st->flow[!pass->io->tx].flags |= SC_FL_PREFACE;
		break;
	case SC_SNIFF_TLS:
		set_protocol(pass, SC_PROTO_TLS);
		break;
	case SC_SNIFF_STATSD:
		set_protocol(pass, SC_PROTO_STATSD);
		break;
	default:
		if (st->late && sc_sniff_frames(p, n))
			sc_http2_begin(pass, 0);
		else
			decide_none(pass);
	}
}

/* The first bytes of a transfer on a direction that lost its place. */
static void resync(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	if (pass->st->protocol == SC_PROTO_HTTP1)
		sc_http1_sync(pass, p, n);
	else if (pass->st->protocol == SC_PROTO_HTTP2 && sc_sniff_frames(p, n))
		pass->w->phase = SC_PH_FRAME;
}

static void take(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	switch (pass->st->protocol) {
	case SC_PROTO_HTTP1:
		sc_http1_take(pass, p, n);
		break;
	case SC_PROTO_HTTP2:
		sc_http2_take(pass, p, n);
		break;
	case SC_PROTO_WEBSOCKET:
		sc_websocket_take(pass, p, n);
		break;
	case SC_PROTO_DNS:
		sc_dns_take(pass, p, n);
		break;
	case SC_PROTO_STATSD:
		sc_statsd_take(pass, p, n);
		break;
	default:
		break;
	}
}

static void flush(const struct sc_pass *pass)
{
	sc_http1_flush(pass);
	if (pass->st->protocol == SC_PROTO_HTTP2)
		sc_http2_flush(pass);
}

/* Which want bit a protocol needs. */
static uint32_t wanted_by(uint8_t protocol)
{
	switch (protocol) {
	case SC_PROTO_DNS:
		return SC_WANT_DNS;
	case SC_PROTO_STATSD:
		return SC_WANT_STATSD;
	default:
		return SC_WANT_HTTP | SC_WANT_STATSD;
	}
}

static void look(const struct sc_pass *pass)
{
	const struct sc_io *io = pass->io;
	uint64_t left = io->len;
	uint32_t i;

	for (i = 0; i < io->iovcnt && left; i++) {
		const uint8_t *p = io->iov[i].base;
		uint64_t n = io->iov[i].len < left ? io->iov[i].len : left;

		if (n == 0)
			continue;
		left -= n;
		if (pass->st->protocol == SC_PROTO_UNKNOWN)
			decide(pass, p, n);
		if (i == 0 && pass->w->phase == SC_PH_LOST)
			resync(pass, p, n);
		take(pass, p, n);
	}
	flush(pass);
}

static bool is_datagram(const struct sc_fd *f)
{
	return f->kind == SC_KIND_UDP || f->kind == SC_KIND_UNIX_DGRAM;
}

/* Plaintext comes for the first time: what was seen of the ciphertext is forgotten. */
static void begin_tls(struct sc_stream *st, struct sc_fd *f)
{
	atomic_fetch_or_explicit(&f->flags, SC_FF_TLS, memory_order_relaxed);
	f->protocol = SC_PROTO_UNKNOWN;
	reset_stream(st, f, f->flags & SC_FF_FOUND);
}

void sc_stream_data(const struct sc_io *io)
{
	struct sc_fd *f = io->f;
	uint32_t want = sc_probe_want(io);
	struct sc_pass pass = {.io = io};

	if (f->flags & SC_FF_TLS && !io->tls) {
		sc_tls_note(io);
		return;
	}
	if (is_datagram(f) && !(want & (SC_WANT_PAYLOAD | SC_WANT_DETECT))) {
		sc_datagram(io, want);
		return;
	}
	pass.st = stream_of(f, io->fd, io->len);
	if (!pass.st)
		return;
	if (io->tls && !(f->flags & SC_FF_TLS))
		begin_tls(pass.st, f);
	pass.w = &pass.st->flow[io->tx];
	if (!enter_flow(pass.w))
		return;
	if (want & (SC_WANT_PAYLOAD | SC_WANT_DETECT) && f->protocol != SC_PROTO_TLS)
		sc_payload_take(io, pass.w, want);
	if (is_datagram(f))
		sc_datagram(io, want);
	else if (f->protocol != SC_PROTO_NONE && want & wanted_by(pass.st->protocol))
		look(&pass);
	pass.w->flags |= SC_FL_SEEN;
	leave_flow(pass.w);
	if (f->protocol == SC_PROTO_TLS) {
		/* A library that was loaded since may make its first call on an old connection. */
		sc_entries_check();
		sc_tls_note(io);
	}
}

bool sc_stream_claim(const struct sc_fd *f, int32_t fd, const void *session)
{
	struct sc_stream *st = f->object ? state_of(fd, false) : NULL;

	if (!st || st->object != f->object)
		return false;
	if (!st->session)
		st->session = session;
	return st->session == session;
}

/* The state of a direction, locked, without making one. */
static bool begin_pass(struct sc_pass *pass, struct sc_io *io)
{
	struct sc_stream *st = io->f->object ? state_of(io->fd, false) : NULL;

	if (!st || st->object != io->f->object)
		return false;
	*pass = (struct sc_pass){.io = io, .st = st, .w = &st->flow[io->tx]};
	return enter_flow(pass->w);
}

static void skip(struct sc_io *io, uint64_t len)
{
	struct sc_pass pass;

	if (io->f->protocol == SC_PROTO_NONE || !begin_pass(&pass, io))
		return;
	take(&pass, NULL, len);
	flush(&pass);
	leave_flow(pass.w);
}

void sc_stream_skip(const struct sc_ctx *x, struct sc_fd *f, int32_t fd, uint32_t tx, uint64_t len)
{
	struct sc_io io = {.x = x, .f = f, .fd = fd, .tx = tx, .nr = 0xffff};

	if (!(f->flags & SC_FF_TLS))
		skip(&io, len);
}

void sc_stream_plain(const struct sc_ctx *x, struct sc_fd *f, int32_t fd, uint32_t tx,
		     const void *bytes, uint64_t len)
{
	struct sc_iovec v = {bytes, len};
	struct sc_io io = {
		.x = x,
		.f = f,
		.fd = fd,
		.tx = tx,
		.iov = &v,
		.iovcnt = 1,
		.len = len,
		.nr = 0xffff,
		.tls = 1,
	};

	if (bytes)
		sc_stream_data(&io);
	else
		skip(&io, len);
}

static void end_flow(const struct sc_pass *pass, bool closed)
{
	if (pass->st->protocol == SC_PROTO_HTTP1)
		sc_http1_end(pass, closed);
	else if (pass->st->protocol == SC_PROTO_WEBSOCKET && closed)
		sc_websocket_end(pass);
	if (closed)
		sc_hold_free(pass->w);
}

void sc_stream_end(const struct sc_ctx *x, struct sc_fd *f, int32_t fd, uint32_t tx)
{
	struct sc_io io = {.x = x, .f = f, .fd = fd, .tx = tx, .nr = 0xffff};
	struct sc_pass pass;

	io.tls = f->flags & SC_FF_TLS ? 1 : 0;
	if (f->protocol == SC_PROTO_NONE || !begin_pass(&pass, &io))
		return;
	end_flow(&pass, false);
	leave_flow(pass.w);
}

void sc_stream_close(const struct sc_ctx *x, struct sc_fd *f, int32_t fd)
{
	struct sc_io io = {.x = x, .f = f, .fd = fd, .nr = 0xffff};
	struct sc_stream *st;
	struct sc_pass pass;

	io.tls = f->flags & SC_FF_TLS ? 1 : 0;
	for (io.tx = 0; io.tx < 2; io.tx++) {
		if (!begin_pass(&pass, &io))
			continue;
		end_flow(&pass, true);
		leave_flow(pass.w);
	}
	f->proto_state = 0;
	st = state_of(fd, false);
	if (st && st->object == f->object)
		st->object = 0;
}

static void fork_stream(struct sc_stream *st)
{
	/* Looked at first: a store would make a copy of the page for each of the descriptors. */
	for (int i = 0; i < 2; i++)
		if (atomic_load_explicit(&st->flow[i].busy, memory_order_relaxed))
			leave_flow(&st->flow[i]);
	if (st->object == MAKING)
		st->object = 0;
}

void sc_stream_fork(void)
{
	for (uint32_t i = 0; i < high; i++)
		fork_stream(&streams[i]);
	if (!atomic_load_explicit(&any_block, memory_order_relaxed))
		return;
	for (uint32_t b = 0; b < SC_STREAM_BLOCKS; b++) {
		struct sc_stream *at = atomic_load_explicit(&blocks[b], memory_order_relaxed);

		for (uint32_t i = 0; at && i < SC_STREAM_BLOCK; i++)
			fork_stream(&at[i]);
	}
}
