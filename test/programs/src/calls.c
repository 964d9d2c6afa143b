// SPDX-License-Identifier: Apache-2.0
// Description: every file call once, right and wrong; prints results and errno.
#define _GNU_SOURCE
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>

int main(void)
{
	char buf[64];
	struct stat st;
	struct statfs sf;
	struct iovec v[2] = {{"ab", 2}, {"cd", 2}};
	struct iovec r[2] = {{buf, 2}, {buf + 2, 2}};
	int fd, fd2, p[2];
	off_t off = 0;

	NEED((fd = open("one.txt", O_RDWR | O_CREAT | O_TRUNC, 0640)) >= 0);
	SHOW(write(fd, "hello world\n", 12));
	SHOW(pwrite(fd, "J", 1, 0));
	SHOW(writev(fd, v, 2));
	SHOW(pwritev(fd, v, 2, 20));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(read(fd, buf, 5));
	SHOW(pread(fd, buf, 5, 2));
	SHOW(readv(fd, r, 2));
	SHOW(preadv(fd, r, 2, 1));
	SHOW(syscall(SYS_preadv2, fd, r, 2, 1, 0, 0));
	SHOW(syscall(SYS_pwritev2, fd, v, 2, 3, 0, 0));
	SHOW(ftruncate(fd, 30));
	SHOW(fsync(fd));
	SHOW(fdatasync(fd));
	SHOW(fstat(fd, &st));
	NEED((fd2 = open("two.txt", O_RDWR | O_CREAT, 0600)) >= 0);
	SHOW(sendfile(fd2, fd, &off, 10));
	SHOW(copy_file_range(fd, NULL, fd2, NULL, 8, 0));
	NEED(pipe(p) == 0);
	SHOW(splice(fd, &off, p[1], NULL, 4, 0));
	SHOW(read(p[0], buf, 64));
	SHOW(stat("one.txt", &st));
	SHOW(lstat("none", &st));
	SHOW(fstatat(AT_FDCWD, "one.txt", &st, 0));
	SHOW(statfs(".", &sf));
	SHOW(fstatfs(fd, &sf));
	SHOW(access("one.txt", R_OK));
	SHOW(faccessat(AT_FDCWD, "none", R_OK, 0));
	SHOW(open("none/none", O_RDONLY));
	SHOW(openat(-1, "relative", O_RDONLY));
	SHOW(syscall(SYS_open, (char *)1, O_RDONLY));
	SHOW(syscall(SYS_read, fd, 1, 4));
	SHOW(write(-1, "x", 1));
	SHOW(close(-1));
	SHOW(mkdir("d", 0700));
	SHOW(mkdirat(AT_FDCWD, "d", 0700));
	SHOW(link("one.txt", "d/l"));
	SHOW(symlink("one.txt", "d/s"));
	SHOW(readlink("d/s", buf, 64));
	SHOW(rename("two.txt", "d/three.txt"));
	SHOW(renameat(AT_FDCWD, "none", AT_FDCWD, "other"));
	SHOW(truncate("one.txt", 5));
	DIR *dir = opendir("d");
	int n = 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	printf("entries %d\n", n);
	SHOW(unlink("d/l"));
	SHOW(unlinkat(AT_FDCWD, "d/s", 0));
	SHOW(unlink("d/three.txt"));
	SHOW(rmdir("d"));
	SHOW(rmdir("d"));
	int copy = dup(fd);
	NEED(copy >= 0);
	SHOW(fcntl(copy, F_DUPFD_CLOEXEC, 100));
	SHOW(dup2(fd, 50));
	SHOW(dup3(fd, 51, O_CLOEXEC));
	SHOW(write(50, "dup\n", 4));
	SHOW(close(50));
	SHOW(close(copy));
	SHOW(syscall(SYS_close_range, 51, 60, 0));
	SHOW(write(51, "x", 1));
	SHOW(close(fd));
	FILE *f = fopen("stdio.log", "w");
	NEED(f);
	for (int i = 0; i < 1000; i++)
		fprintf(f, "line %d of a log\n", i);
	SHOW(fclose(f));
	f = fopen("stdio.log", "r");
	n = 0;
	while (fgets(buf, sizeof(buf), f))
		n++;
	fclose(f);
	printf("lines %d\n", n);
	fprintf(stderr, "to stderr\n");
	return 7;
}
