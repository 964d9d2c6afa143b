// SPDX-License-Identifier: Apache-2.0
// Description: TCP, UDP and unix sockets in all forms, MSG_PEEK, passed descriptors, non-blocking connect, half close.
#define _GNU_SOURCE
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static int listener(struct sockaddr_in *a)
{
	socklen_t n = sizeof(*a);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	memset(a, 0, sizeof(*a));
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	NEED(bind(s, (struct sockaddr *)a, sizeof(*a)) == 0 && listen(s, 5) == 0);
	NEED(getsockname(s, (struct sockaddr *)a, &n) == 0);
	return s;
}

static void tcp(void)
{
	struct sockaddr_in a;
	char buf[256] = "";
	int l = listener(&a), c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), s, file;
	int r = connect(c, (struct sockaddr *)&a, sizeof(a));
	struct iovec v[2] = {{"ab", 2}, {"cdef", 4}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
	struct pollfd p = {c, POLLOUT, 0};

	printf("connect %s\n", r == 0 || errno == EINPROGRESS ? "begun" : "failed");
	NEED((s = accept4(l, NULL, NULL, SOCK_CLOEXEC)) >= 0);
	NEED(poll(&p, 1, 10000) == 1);
	fcntl(c, F_SETFL, 0);
	SHOW(send(c, "hello", 5, 0));
	SHOW(recv(s, buf, 256, MSG_PEEK));
	SHOW(recv(s, buf, 3, 0));
	SHOW(read(s, buf, 256));
	SHOW(sendmsg(s, &m, 0));
	SHOW(recv(c, buf, 6, MSG_WAITALL));
	SHOW(writev(s, v, 2));
	SHOW(recv(c, buf, 6, MSG_WAITALL));
	SHOW(recv(c, buf, 6, MSG_DONTWAIT));
	file = open("body", O_RDWR | O_CREAT | O_TRUNC, 0600);
	NEED(write(file, buf, 200) == 200);
	off_t off = 0;
	SHOW(sendfile(s, file, &off, 200));
	SHOW(recv(c, buf, 200, MSG_WAITALL));
	SHOW(shutdown(c, SHUT_WR));
	SHOW(read(s, buf, 10));
	SHOW(write(s, "still", 5));
	SHOW(read(c, buf, 10));
	SHOW(close(s));
	SHOW(read(c, buf, 10));
	close(c);
	close(l);
	c = socket(AF_INET, SOCK_STREAM, 0);
	SHOW(connect(c, (struct sockaddr *)&a, sizeof(a)));
	close(c);
}

static void udp(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
	char buf[64], other[64];
	struct iovec v = {"one", 3}, w = {"three", 5}, x = {buf, 64}, y = {other, 64};
	struct mmsghdr out[2] = {{.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}},
				 {.msg_hdr = {.msg_iov = &w, .msg_iovlen = 1}}};
	struct mmsghdr in[2] = {{.msg_hdr = {.msg_iov = &x, .msg_iovlen = 1}},
				{.msg_hdr = {.msg_iov = &y, .msg_iovlen = 1}}};

	NEED(bind(s, (struct sockaddr *)&a, sizeof(a)) == 0);
	NEED(getsockname(s, (struct sockaddr *)&a, &n) == 0);
	SHOW(sendto(c, "metric:1|c", 10, 0, (struct sockaddr *)&a, sizeof(a)));
	SHOW(recvfrom(s, buf, 64, 0, NULL, NULL));
	SHOW(connect(c, (struct sockaddr *)&a, sizeof(a)));
	SHOW(sendmmsg(c, out, 2, 0));
	SHOW(recvmmsg(s, in, 2, 0, NULL));
	SHOW(sendto(-1, "x", 1, 0, NULL, 0));
	close(s);
	close(c);
}

static void unix_pair(void)
{
	int p[2], file = open("passed", O_RDWR | O_CREAT, 0600), got;
	char byte = 'x', control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			   .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &file, sizeof(file));
	SHOW(sendmsg(p[0], &m, 0));
	SHOW(recvmsg(p[1], &m, 0));
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(got));
	SHOW(write(got, "through", 7));
	close(got);
	close(file);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	tcp();
	udp();
	unix_pair();
	return 0;
}
