// SPDX-License-Identifier: Apache-2.0
// pingpong serve PORT | pingpong ask PORT N: N round trips of 64 bytes over TCP; microseconds per round trip, printed.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2])),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1, n = argc > 3 ? atoi(argv[3]) : 0;
	struct timespec from, to;
	char buf[64] = {0};

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (strcmp(argv[1], "serve") == 0) {
		if (bind(s, (struct sockaddr *)&a, sizeof(a)) || listen(s, 5))
			return 1;
		for (;;) {
			int c = accept(s, NULL, NULL);

			setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			while (read(c, buf, 64) == 64 && write(c, buf, 64) == 64)
				;
			close(c);
		}
	}
	if (connect(s, (struct sockaddr *)&a, sizeof(a)))
		return 1;
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < n; i++)
		if (write(s, buf, 64) != 64 || read(s, buf, 64) != 64)
			return 1;
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%.3f\n", ((to.tv_sec - from.tv_sec) * 1e6 + (to.tv_nsec - from.tv_nsec) / 1e3) / n);
	return 0;
}
