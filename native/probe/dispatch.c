/* SPDX-License-Identifier: Apache-2.0 */
/* The two handlers of every hooked call: which probe looks at it. Layer 4. */
#include <errno.h>
#include "probe/probe.h"

/*
 * The duration from the low 32 bits of the TSC at the start. They go round every 1.4 s or so: the
 * thread's last timed call, which was before this one, tells how often.
 */
static inline uint64_t take_time(struct sc_thread *self, uint32_t begun, uint64_t now)
{
	uint64_t ticks = (uint32_t)now - begun, last, start;

	if (!self)
		return ticks;
	last = self->last;
	self->last = now;
	if (sc_likely(now - last < 0x100000000u) || !last)
		return ticks;
	start = (last & ~0xffffffffull) | begun;
	if (start < last)
		start += 0x100000000u;
	return start < now ? now - start : ticks;
}

/* A transfer that is nothing but counted: no text, no protocol, no end or begin of anything. */
static inline int is_plain(const struct sc_fd *f, uint32_t want, int64_t ret, int tx)
{
	uint16_t flags = sc_fd_flags(f);

	if (!sc_is_socket(f->kind))
		return !tx || !(flags & (SC_FF_CONSOLE | SC_FF_WATCHED));
	return ret > 0 && (flags & (SC_FF_ANNOUNCED | SC_FF_CONSOLE)) == SC_FF_ANNOUNCED &&
	       !sc_stream_wants(f, want);
}

/*
 * The calling thread, when a call that went well, or found nothing yet, may take the short way: it has a shard of
 * its own, and nothing of bits nor anything else is wanted but counts. NULL: the probes look at it.
 */
static inline struct sc_thread *on_short_way(const struct sc_call *call, const struct sc_header *head,
					     uint32_t bits)
{
	const struct sc_control *control = &head->control;
	struct sc_thread *self;
	uint64_t tp;

	if (atomic_load_explicit(&sc_live.state, memory_order_relaxed) != SC_LIVE_OPEN ||
	    atomic_load_explicit(&sc_mutes, memory_order_relaxed) || (call->ret < 0 && call->ret != -EAGAIN) ||
	    atomic_load_explicit(&control->mode, memory_order_relaxed) != SC_MODE_RUN ||
	    atomic_load_explicit(&control->sample_ms, memory_order_relaxed) ||
	    atomic_load_explicit(&control->want, memory_order_relaxed) & bits)
		return NULL;
	tp = sc_thread_pointer((int)sc_chan.tp_way);
	self = &sc_live.thread[sc_thread_hash(tp)];
	if (atomic_load_explicit(&self->tp, memory_order_relaxed) != tp || self->shard == SC_SHARDS - 1)
		return NULL;
	return self;
}

/*
 * Plain reads and writes, the bulk of most programs' calls. 0: nothing was done, the probes look at it.
 * Both ways count the same. Inline, and unlikely ways out of line: no register is kept twice, few jumps are taken.
 */
static inline __attribute__((always_inline)) int count_plain(const struct sc_call *call, int tx)
{
	struct sc_header *head = sc_chan_header(sc_live.base);
	uint32_t alone = !atomic_load_explicit(&sc_chan.threaded, memory_order_relaxed);
	struct sc_thread *self = call->start ? on_short_way(call, head, SC_WANT_CALL_IO) : NULL;
	struct sc_fd *f = self ? sc_fd_used(head, (int)call->arg[0]) : NULL;
	uint64_t ticks, n = (uint64_t)call->ret;
	struct sc_shard *shard;

	/* Readers of sockets go on until there is nothing. */
	if (sc_unlikely(self && call->ret == -EAGAIN)) {
		take_time(self, call->start, sc_rdtsc());
		sc_add(&sc_chan_shard((char *)head, self->shard)->calls[call->nr], 1, 1);
		return 1;
	}
	if (sc_unlikely(!f || !atomic_load_explicit(&f->object, memory_order_relaxed)))
		return 0;
	if (sc_unlikely(!is_plain(f, atomic_load_explicit(&head->control.want, memory_order_relaxed), call->ret, tx)))
		return 0;
	ticks = take_time(self, call->start, sc_rdtsc());
	shard = sc_chan_shard((char *)head, self->shard);
	sc_add(&shard->calls[call->nr], 1, 1);
	if (sc_is_socket(f->kind)) {
		sc_add(&shard->counter[tx ? SC_C_NET_TX_OPS : SC_C_NET_RX_OPS], 1, 1);
		sc_add(&shard->counter[sc_bytes_counter(f->kind, tx)], n, 1);
	} else {
		sc_add(&shard->counter[tx ? SC_C_FS_WRITE_OPS : SC_C_FS_READ_OPS], 1, 1);
		sc_add(&shard->counter[tx ? SC_C_FS_WRITE_BYTES : SC_C_FS_READ_BYTES], n, 1);
		sc_add(&shard->counter[tx ? SC_C_FS_WRITE_TICKS : SC_C_FS_READ_TICKS], ticks, 1);
	}
	sc_fd_moved(f, tx, n, ticks, alone);
	return 1;
}

/* A call that is only counted when it went well: of a close all else was done before it. Not one of the newest. */
static int count_alone(const struct sc_call *call, uint32_t bits)
{
	struct sc_header *head = sc_chan_header(sc_live.base);
	struct sc_thread *self = on_short_way(call, head, bits);

	if (!self)
		return 0;
	sc_add(&sc_chan_shard((char *)head, self->shard)->calls[call->nr], 1, 1);
	return 1;
}

static inline int begin(struct sc_hook *h, struct sc_call *call)
{
	if (!sc_enter(&h->x))
		return 0;
	h->call = call;
	h->tsc = 0;
	h->ticks = 0;
	h->fresh = 0;
	h->alone = !atomic_load_explicit(&sc_chan.threaded, memory_order_relaxed);
	return 1;
}

static __attribute__((noinline)) void probe(struct sc_call *call, uint32_t cls)
{
	struct sc_hook h;

	if (cls == SC_CLASS_PROCESS) {
		sc_probe_process(call);
		return;
	}
	/* From libc's syscall(): any number comes by. */
	if (cls == SC_CLASS_NONE)
		return;
	if (!begin(&h, call)) {
		sc_count_muted(call->nr);
		return;
	}
	sc_count_call(&h.x, call->nr);
	if (call->start) {
		h.tsc = sc_rdtsc();
		h.ticks = take_time(h.x.self, call->start, h.tsc);
	}
	if (sc_unlikely(atomic_load_explicit(&h.x.head->control.sample_ms, memory_order_relaxed)))
		sc_sample(&h.x);
	switch (cls) {
	case SC_CLASS_READ:
		sc_probe_read(&h);
		break;
	case SC_CLASS_WRITE:
		sc_probe_write(&h);
		break;
	case SC_CLASS_RECV:
		sc_probe_recv(&h);
		break;
	case SC_CLASS_SEND:
		sc_probe_send(&h);
		break;
	case SC_CLASS_OPEN:
		sc_probe_open(&h);
		break;
	case SC_CLASS_CLOSE:
		sc_probe_close(&h);
		break;
	case SC_CLASS_STAT:
		sc_probe_stat(&h);
		break;
	case SC_CLASS_SEEK:
		sc_probe_seek(&h);
		break;
	case SC_CLASS_TRANSFER:
		sc_probe_transfer(&h);
		break;
	case SC_CLASS_DELETE:
		sc_probe_delete(&h);
		break;
	case SC_CLASS_FSOTHER:
		sc_probe_fsother(&h);
		break;
	case SC_CLASS_NAMES:
		sc_probe_names(&h);
		break;
	case SC_CLASS_DUP:
		sc_probe_dup(&h);
		break;
	case SC_CLASS_FD:
		sc_probe_new_fd(&h);
		break;
	case SC_CLASS_SOCKET:
		sc_probe_socket(&h);
		break;
	}
}

void sc_probe_post(struct sc_call *call)
{
	uint32_t cls = call->nr < SC_NR_MAX ? sc_call_table[call->nr].cls : SC_CLASS_NONE;

	if (sc_likely(cls == SC_CLASS_READ)) {
		if (count_plain(call, 0))
			return;
	} else if (sc_likely(cls == SC_CLASS_WRITE)) {
		if (count_plain(call, 1))
			return;
	} else if (call->nr == __NR_close && count_alone(call, SC_WANT_CALL_OPEN)) {
		return;
	}
	probe(call, cls);
}

void sc_probe_pre(struct sc_call *call)
{
	struct sc_hook h;
	uint32_t cls = call->nr < SC_NR_MAX ? sc_call_table[call->nr].cls : SC_CLASS_NONE;

	if (cls == SC_CLASS_PROCESS) {
		sc_probe_process_pre(call);
		return;
	}
	if (cls != SC_CLASS_CLOSE && cls != SC_CLASS_DUP)
		return;
	if (!begin(&h, call))
		return;
	if (call->nr == __NR_close)
		sc_fd_closing(&h, (int)call->arg[0]);
	else if (cls == SC_CLASS_CLOSE)
		sc_probe_close_range_pre(&h);
	else
		sc_probe_dup_pre(&h);
}
