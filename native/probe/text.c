/* SPDX-License-Identifier: Apache-2.0 */
/* What is written to the console and to watched files, as records of at most SC_TEXT_MAX. Layer 4. */
#include "base/mem.h"
#include "probe/probe.h"

/* Where in the vectors the copying is. */
struct cursor {
	const struct sc_iovec *iov;
	uint64_t left; /* vectors from iov on */
	uint64_t at;   /* bytes taken of *iov */
};

static void copy(struct cursor *c, char *to, uint64_t n)
{
	while (n && c->left) {
		uint64_t part = c->iov->len - c->at;

		if (part > n)
			part = n;
		memcpy(to, (const char *)c->iov->base + c->at, part);
		to += part;
		n -= part;
		c->at += part;
		if (c->at == c->iov->len) {
			c->iov++;
			c->left--;
			c->at = 0;
		}
	}
}

void sc_text_written(struct sc_hook *h, struct sc_fd *f, int fd, const struct sc_iovec *iov,
		     uint64_t iovcnt, uint64_t n)
{
	struct cursor c = {iov, iovcnt, 0};
	uint64_t tsc = sc_now(h);

	if (sc_fd_flags(f) & SC_FF_CONSOLE)
		fd = f->reserved & SC_FB_STDERR ? 2 : 1;
	while (n) {
		uint32_t part = n > SC_TEXT_MAX ? SC_TEXT_MAX : (uint32_t)n;
		struct sc_record *r = sc_record_begin(&h->x, SC_REC_TEXT, fd, part);

		if (!r)
			return;
		sc_record_from(r, h, f);
		/* Pieces in other rings are put in order by time. */
		r->tsc = tsc++;
		n -= part;
		r->flags = SC_RF_TX | (n ? SC_RF_MORE : 0);
		copy(&c, sc_record_payload(r), part);
		sc_record_commit(&h->x, r, part);
	}
}

void sc_text_transferred(struct sc_hook *h, struct sc_fd *f, int fd, int in, int64_t at, uint64_t n)
{
	uint64_t tsc = sc_now(h);

	if (sc_fd_flags(f) & SC_FF_CONSOLE)
		fd = f->reserved & SC_FB_STDERR ? 2 : 1;
	while (n && !sc_chan.quiet) {
		uint32_t part = n > SC_TEXT_MAX ? SC_TEXT_MAX : (uint32_t)n;
		struct sc_record *r = sc_record_begin(&h->x, SC_REC_TEXT, fd, part);
		long got;

		if (!r)
			return;
		sc_record_from(r, h, f);
		r->tsc = tsc++;
		n -= part;
		got = sc_sys_pread(in, sc_record_payload(r), part, at);
		at += part;
		r->flags = (uint16_t)(SC_RF_TX | (n ? SC_RF_MORE : 0) | (got < (long)part ? SC_RF_CUT : 0));
		sc_record_commit(&h->x, r, got < 0 ? 0 : (uint32_t)got);
	}
}
