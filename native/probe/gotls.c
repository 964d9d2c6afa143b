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
#include "base/mem.h"
#include "probe/gotls.h"
#include "probe/tls.h"
#include "sys/process.h"

#define SOCK_STREAM_ 1

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

static int looks_right(const struct go_netfd *n)
{
	char net[3];

	return n->sysfd >= 0 && n->sysfd < (1 << 24) && n->is_stream == 1 && n->zero_is_eof == 1 &&
	       n->is_file == 0 && (n->family == 2 || n->family == 10 || n->family == 1) &&
	       n->sotype == SOCK_STREAM_ && n->net_len >= 3 && n->net_len <= 8 &&
	       sc_copy_safely(net, (const void *)n->net, sizeof(net)) &&
	       (!memcmp(net, "tcp", 3) || !memcmp(net, "uni", 3));
}

static int descriptor_of(uint64_t conn)
{
	struct go_netfd n;
	uint64_t data, netfd;

	if (!conn || conn % 8 || !sc_copy_safely(&data, (const void *)(conn + 8), 8) || data % 8 ||
	    !sc_copy_safely(&netfd, (const void *)data, 8) || netfd % 8 ||
	    !sc_copy_safely(&n, (const void *)netfd, sizeof(n)) || !looks_right(&n))
		return -1;
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
