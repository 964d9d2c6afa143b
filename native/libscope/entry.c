/* SPDX-License-Identifier: Apache-2.0 */
/* The library's two entries: the constructor, and what an injector calls. Layer 5. */
#include <errno.h>
#include <stddef.h>
#include "channel/chan.h"
#include "libscope/start.h"
#include "patch/patch.h"
#include "probe/entries.h"
#include "probe/probe.h"
#include "scope/inject.h"

__attribute__((constructor)) static void sc_entry(void)
{
	/* Its instructions are not all of this processor's, and it tells the program of each thing it finds odd in us. */
	if (!sc_simulated())
		sc_start(&(struct sc_start){.origin = SC_ORIGIN_LAUNCH});
}

static int detach(void)
{
	if (!sc_chan_is_open())
		return -EALREADY;
	sc_patch_stop();
	sc_entries_reset();
	sc_chan_leave(0);
	return 0;
}

static int attach(struct sc_inject *in, uint32_t origin)
{
	int ret;

	if (sc_chan_is_open())
		return -EEXIST;
	/* From an attach before; the injector has looked anew. */
	sc_chan.quiet = 0;
	ret = sc_start(&(struct sc_start){.origin = origin,
					  .dir = in->dir,
					  .ip = in->ip,
					  .ips = in->threads,
					  .busy = &in->busy});
	if (ret == 0 && in->quiet)
		sc_filter_found();
	return ret;
}

void scope_inject(struct sc_inject *in);

/* On a stack the injector brings along, every other thread stopped. See scope/inject.h. */
__attribute__((visibility("default"))) void scope_inject(struct sc_inject *in)
{
	if (in->magic != SC_INJECT_MAGIC) {
		in->result = -EPROTO;
		return;
	}
	switch (in->op) {
	case SC_INJECT_EXEC:
		in->result = attach(in, SC_ORIGIN_LAUNCH);
		break;
	case SC_INJECT_ATTACH:
		in->result = attach(in, SC_ORIGIN_ATTACH);
		break;
	case SC_INJECT_DETACH:
		in->result = detach();
		break;
	default:
		in->result = -EINVAL;
	}
}
