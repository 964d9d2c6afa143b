/* SPDX-License-Identifier: Apache-2.0 */
/* The two handlers of every hooked call: which probe looks at it. Layer 4. */
#include "probe/probe.h"

/*
 * The duration from the low 32 bits of the TSC at the start. They go round every 1.4 s or so: the
 * thread's last timed call, which was before this one, tells how often.
 */
static void take_time(struct sc_hook *h)
{
	struct sc_thread *self = h->x.self;
	uint64_t last, start;

	h->tsc = sc_rdtsc();
	h->ticks = (uint32_t)h->tsc - h->call->start;
	if (!self)
		return;
	last = self->last;
	self->last = h->tsc;
	if (sc_likely(h->tsc - last < 0x100000000u) || !last)
		return;
	start = (last & ~0xffffffffull) | h->call->start;
	if (start < last)
		start += 0x100000000u;
	if (start < h->tsc)
		h->ticks = h->tsc - start;
}

static int begin(struct sc_hook *h, struct sc_call *call)
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

void sc_probe_post(struct sc_call *call)
{
	struct sc_hook h;
	uint32_t cls = call->nr < SC_NR_MAX ? sc_call_table[call->nr].cls : SC_CLASS_NONE;

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
	if (call->start)
		take_time(&h);
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
	if (cls == SC_CLASS_CLOSE)
		sc_probe_close_pre(&h);
	else
		sc_probe_dup_pre(&h);
}
