/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plaintext of Go's crypto/tls: which descriptor a *tls.Conn is on. The way there is the same in Go
 * 1.18 … 1.27:
 *
 *     tls.Conn { conn net.Conn = { itab, data } }      data -> net.TCPConn { fd *netFD }
 *     netFD { pfd poll.FD { fdmu 16 bytes, Sysfd int, …, IsStream, ZeroReadIsEOF, isFile bool },
 *             family, sotype int, isConnected bool, net string }
 *
 * The connection may be another type than TCPConn, and the receiver may be garbage (a call begun
 * before an attach): so each step is read safely and what is found must look like a TCP netFD.
 */
#include <stdatomic.h>
#include "base/mem.h"
#include "probe/gotls.h"
#include "probe/tls.h"
#include "sys/process.h"
#include "sys/sys.h"

#define SOCK_STREAM_ 1
#define PAGES        64 /* of the hash: 6 bits */

struct go_netfd {
	uint8_t mutex[16];
	int64_t sysfd;
	uint64_t iovecs;
	uint64_t poll;
	uint32_t csema;
	uint32_t is_blocking;
	uint8_t is_stream;
	uint8_t zero_is_eof;
	uint8_t is_file;
	uint8_t pad0[5];
	int64_t family;
	int64_t sotype;
	uint8_t connected;
	uint8_t pad1[7];
	uint64_t net; /* string: pointer, length */
	int64_t net_len;
};
_Static_assert(sizeof(struct go_netfd) == 96, "go_netfd");

/*
 * Pages of Go's heap and constants, which the runtime never unmaps: to ask the kernel about each step takes four
 * calls of 100 ns for every Read and Write.
 */
static _Atomic(uint64_t) pages[PAGES];

static _Atomic(uint64_t) *slot_of(uint64_t page)
{
	return &pages[(page * 0x9e3779b97f4a7c15ull) >> 58];
}

static void remember(uint64_t at)
{
	uint64_t page = at / SC_PAGE;

	if (atomic_load_explicit(slot_of(page), memory_order_relaxed) != page)
		atomic_store_explicit(slot_of(page), page, memory_order_relaxed);
}

static int is_known(uint64_t at)
{
	uint64_t page = at / SC_PAGE;

	return page && atomic_load_explicit(slot_of(page), memory_order_relaxed) == page;
}

static int copy(void *to, uint64_t from, size_t n)
{
	if (!is_known(from) || !is_known(from + n - 1))
		return sc_copy_safely(to, (const void *)from, n);
	memcpy(to, (const void *)from, n);
	return 1;
}

static int looks_right(const struct go_netfd *n)
{
	char net[3];

	return n->sysfd >= 0 && n->sysfd < (1 << 24) && n->is_stream == 1 && n->zero_is_eof == 1 &&
	       n->is_file == 0 && (n->family == 2 || n->family == 10 || n->family == 1) &&
	       n->sotype == SOCK_STREAM_ && n->net_len >= 3 && n->net_len <= 8 &&
	       copy(net, n->net, sizeof(net)) &&
	       (!memcmp(net, "tcp", 3) || !memcmp(net, "uni", 3));
}

static int descriptor_of(uint64_t conn)
{
	struct go_netfd n;
	uint64_t data, netfd;

	if (!conn || conn % 8 || !copy(&data, conn + 8, 8) || data % 8 || !copy(&netfd, data, 8) || netfd % 8 ||
	    !copy(&n, netfd, sizeof(n)) || !looks_right(&n))
		return -1;
	/* This way was right to its end: these are objects of Go. */
	remember(conn + 8);
	remember(data);
	remember(netfd);
	remember(netfd + sizeof(n) - 1);
	remember(n.net);
	return (int)n.sysfd;
}

void sc_probe_go_tls(struct sc_call *call)
{
	int fd;

	if (call->ret <= 0 || call->ret > INT32_MAX)
		return;
	fd = descriptor_of(call->arg[0]);
	if (fd < 0)
		return;
	sc_tls_present();
	/* The connection's memory may serve another one later: what it says now is right. */
	sc_tls_bind((const void *)call->arg[0], fd);
	sc_tls_moved((const void *)call->arg[0], NULL, call->nr == 1, (const void *)call->arg[1],
		     (uint64_t)call->ret);
}
