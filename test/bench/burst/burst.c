// SPDX-License-Identifier: Apache-2.0
// burst N: N pairs of open and close as fast as they go.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	for (long n = argc > 1 ? atol(argv[1]) : 1000000; n > 0; n--)
		close(open("/etc/passwd", O_RDONLY));
	return 0;
}
