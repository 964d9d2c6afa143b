// SPDX-License-Identifier: Apache-2.0
// Description: opens the file it is given and ends.
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;

	return fd < 0 || close(fd) < 0;
}
