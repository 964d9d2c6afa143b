/* SPDX-License-Identifier: Apache-2.0 */
/* DNS packets, whole: a datagram each on UDP, after two bytes of length on TCP. */
#include "probe/stream_internal.h"

#define DNS_PORT    53u
#define MDNS_PORT   5353u
#define DNS_HEADER  12u
#define DNS_UDP_MAX (4u * 1024u)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool is_dns(uint16_t port, uint32_t want)
{
	return port == DNS_PORT || (port == MDNS_PORT && want & SC_WANT_MDNS);
}

void sc_stream_ports(struct sc_fd *f, uint32_t want, uint16_t local, uint16_t remote)
{
	if (is_dns(local, want) || is_dns(remote, want))
		f->protocol = SC_PROTO_DNS;
}

/* The port of a sockaddr_in or sockaddr_in6; 0: another family, or none. */
static uint16_t port_of(const struct sc_io *io)
{
	const uint8_t *name = io->name;
	uint16_t family;

	if (!name || io->name_len < 8)
		return 0;
	memcpy(&family, name, 2);
	if (family != 2 && family != 10)
		return 0;
	return (uint16_t)(name[2] << 8 | name[3]);
}

static void record_dns(const struct sc_io *io)
{
	uint64_t n = least(io->len, DNS_UDP_MAX);

	if (n < DNS_HEADER)
		return;
	sc_emit_iov(io, SC_REC_DNS, n < io->len ? SC_RF_CUT : 0, NULL, 0, (uint32_t)n);
	sc_probe_count(io, SC_C_DNS_PACKETS, 1);
}

void sc_datagram(const struct sc_io *io, uint32_t want)
{
	struct sc_fd *f = io->f;

	if (f->protocol == SC_PROTO_UNKNOWN) {
		if (is_dns(port_of(io), want))
			f->protocol = SC_PROTO_DNS;
		else if (io->iovcnt && io->iov[0].len &&
			 sc_sniff_statsd(io->iov[0].base, least(io->iov[0].len, io->len)))
			f->protocol = SC_PROTO_STATSD;
		else
			f->protocol = SC_PROTO_NONE;
	}
	if (f->protocol == SC_PROTO_DNS && want & SC_WANT_DNS)
		record_dns(io);
	else if (f->protocol == SC_PROTO_STATSD && want & SC_WANT_STATSD)
		sc_emit_iov(io, SC_REC_STATSD, 0, NULL, 0, (uint32_t)least(io->len, SC_TEXT_MAX));
}

/* DNS on a stream. */
void sc_dns_take(const struct sc_pass *pass, const uint8_t *p, uint64_t n)
{
	struct sc_flow *w = pass->w;

	while (n && p) {
		uint64_t take = 1;

		if (w->phase == SC_PH_START || w->phase == SC_PH_FRAME) {
			w->phase = SC_PH_FRAME;
			w->small[w->small_len++] = *p;
			if (w->small_len == 2) {
				w->left = (uint64_t)w->small[0] << 8 | w->small[1];
				w->small_len = 0;
				w->phase = w->left >= DNS_HEADER && w->left <= SC_HOLD_SIZE &&
							   sc_hold(w)
						   ? SC_PH_FRAME_KEEP
						   : SC_PH_FRAME_SKIP;
			}
		} else if (w->phase == SC_PH_FRAME_KEEP || w->phase == SC_PH_FRAME_SKIP) {
			take = least(n, w->left);
			w->left -= take;
			if (w->phase == SC_PH_FRAME_KEEP) {
				memcpy(sc_hold(w) + w->held, p, take);
				w->held += (uint32_t)take;
				if (w->left == 0) {
					sc_emit(pass->io, SC_REC_DNS, 0, NULL, sc_hold(w), w->held);
					sc_probe_count(pass->io, SC_C_DNS_PACKETS, 1);
					sc_hold_free(w);
				}
			}
			if (w->left == 0)
				w->phase = SC_PH_FRAME;
		} else {
			return;
		}
		p += take;
		n -= take;
	}
	if (n) {
		sc_hold_free(w);
		w->phase = SC_PH_OFF;
	}
}
