/* SPDX-License-Identifier: Apache-2.0 */
/* Records about the bytes of connections: the way from the decoders to the channel. */
#include <sys/mman.h>
#include "probe/stream_internal.h"
#include "channel/chan.h"

uint32_t sc_probe_want(const struct sc_io *io)
{
	return io->x->want;
}

uint64_t sc_probe_payload_max(const struct sc_io *io)
{
	return atomic_load_explicit(&io->x->head->control.payload_max, memory_order_relaxed);
}

void *sc_probe_memory(uint64_t size)
{
	void *at;

	if (sc_chan.quiet)
		return NULL;
	at = sc_sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			 -1, 0);
	return sc_map_failed(at) ? NULL : at;
}

void sc_probe_memory_free(void *at, uint64_t size)
{
	sc_sys_munmap(at, size);
}

void sc_probe_count(const struct sc_io *io, enum sc_counter counter, uint64_t n)
{
	sc_count(io->x, counter, n);
}

static uint16_t connection_flags(const struct sc_io *io)
{
	uint16_t role = io->f->flags;

	return (uint16_t)((io->tx ? SC_RF_TX : 0) | (io->tls ? SC_RF_TLS : 0) |
			  (role & SC_FF_SERVER ? SC_RF_SERVER : 0) |
			  (role & SC_FF_CLIENT ? SC_RF_CLIENT : 0));
}

/* Copies n bytes of the vectors from an offset on. */
static void gather(uint8_t *to, const struct sc_io *io, uint64_t from, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < io->iovcnt && n; i++) {
		uint64_t len = io->iov[i].len;
		uint32_t take;

		if (from >= len) {
			from -= len;
			continue;
		}
		take = len - from < n ? (uint32_t)(len - from) : n;
		memcpy(to, (const uint8_t *)io->iov[i].base + from, take);
		to += take;
		n -= take;
		from = 0;
	}
}

static bool emit(const struct sc_io *io, uint16_t type, uint16_t flags, const struct sc_message *m,
		 const void *p, uint64_t from, uint32_t n)
{
	uint32_t head = m ? (uint32_t)sizeof(*m) : 0;
	struct sc_record *r = sc_record_begin(io->x, type, io->fd, head + n);
	uint8_t *to;

	if (!r)
		return false;
	r->flags = (uint16_t)(flags | connection_flags(io));
	r->object = io->f->object;
	r->ret = (int64_t)io->len;
	r->ticks = io->ticks;
	r->nr = io->nr;
	to = sc_record_payload(r);
	if (m)
		memcpy(to, m, sizeof(*m));
	if (p)
		memcpy(to + head, p, n);
	else
		gather(to + head, io, from, n);
	sc_record_commit(io->x, r, head + n);
	return true;
}

bool sc_emit(const struct sc_io *io, uint16_t type, uint16_t flags, const struct sc_message *m,
	     const void *p, uint32_t n)
{
	return emit(io, type, flags, m, n ? p : NULL, 0, n);
}

bool sc_emit_iov(const struct sc_io *io, uint16_t type, uint16_t flags, const struct sc_message *m,
		 uint64_t from, uint32_t n)
{
	return emit(io, type, flags, m, NULL, from, n);
}
