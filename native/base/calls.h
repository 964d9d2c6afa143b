/* SPDX-License-Identifier: Apache-2.0 */
/*
 * THE table of hooked system calls: X(name, class, flags). elf/ chooses the sites to patch by it,
 * probe/ attaches handlers by class and number, the documentation lists it.
 */
#ifndef SCOPE_BASE_CALLS_H
#define SCOPE_BASE_CALLS_H

#include <stdint.h>
#include <asm/unistd.h>
#include "scope/channel.h"

enum sc_call_flag {
	SC_CALL_HOOKED = 1, /* the table has the call */
	SC_CALL_TIMED = 2,  /* the pre window stores the TSC: the duration is wanted */
	SC_CALL_PRE = 4     /* has a handler before the call */
};

enum sc_call_class {
	SC_CLASS_NONE,
	SC_CLASS_OPEN,     /* gives a descriptor of a file */
	SC_CLASS_CLOSE,
	SC_CLASS_READ,     /* files and sockets: the descriptor's kind decides */
	SC_CLASS_WRITE,
	SC_CLASS_TRANSFER, /* both at once: sendfile, splice, tee, copy_file_range */
	SC_CLASS_SEEK,
	SC_CLASS_STAT,
	SC_CLASS_DELETE,
	SC_CLASS_FSOTHER,
	SC_CLASS_NAMES,    /* changes where paths lead */
	SC_CLASS_DUP,      /* a second number for what is open */
	SC_CLASS_FD,       /* gives a descriptor that is neither file nor socket */
	SC_CLASS_SOCKET,   /* life of sockets */
	SC_CLASS_RECV,
	SC_CLASS_SEND,
	SC_CLASS_PROCESS
};

#define SC_T SC_CALL_TIMED
#define SC_P SC_CALL_PRE

/* clang-format off */
#define SC_CALL_LIST(X) \
	X(open, OPEN, 0) X(openat, OPEN, 0) X(openat2, OPEN, 0) X(creat, OPEN, 0) \
	X(open_by_handle_at, OPEN, 0) X(memfd_create, FD, 0) \
	X(close, CLOSE, SC_P) X(close_range, CLOSE, SC_P) \
	X(read, READ, SC_T) X(pread64, READ, SC_T) X(readv, READ, SC_T) X(preadv, READ, SC_T) \
	X(preadv2, READ, SC_T) \
	X(write, WRITE, SC_T) X(pwrite64, WRITE, SC_T) X(writev, WRITE, SC_T) \
	X(pwritev, WRITE, SC_T) X(pwritev2, WRITE, SC_T) \
	X(sendfile, TRANSFER, SC_T) X(splice, TRANSFER, SC_T) X(tee, TRANSFER, SC_T) \
	X(copy_file_range, TRANSFER, SC_T) X(vmsplice, TRANSFER, SC_T) \
	X(lseek, SEEK, 0) \
	X(stat, STAT, 0) X(lstat, STAT, 0) X(fstat, STAT, 0) X(newfstatat, STAT, 0) \
	X(statx, STAT, 0) X(statfs, STAT, 0) X(fstatfs, STAT, 0) X(access, STAT, 0) \
	X(faccessat, STAT, 0) X(faccessat2, STAT, 0) \
	X(unlink, DELETE, 0) X(unlinkat, DELETE, 0) X(rmdir, DELETE, 0) \
	X(getdents, FSOTHER, 0) X(getdents64, FSOTHER, 0) \
	X(rename, FSOTHER, 0) X(renameat, FSOTHER, 0) X(renameat2, FSOTHER, 0) \
	X(mkdir, FSOTHER, 0) X(mkdirat, FSOTHER, 0) X(link, FSOTHER, 0) X(linkat, FSOTHER, 0) \
	X(symlink, FSOTHER, 0) X(symlinkat, FSOTHER, 0) X(readlink, FSOTHER, 0) \
	X(readlinkat, FSOTHER, 0) X(truncate, FSOTHER, 0) X(ftruncate, FSOTHER, 0) \
	X(fallocate, FSOTHER, 0) X(fsync, FSOTHER, 0) X(fdatasync, FSOTHER, 0) \
	X(sync_file_range, FSOTHER, 0) X(chmod, FSOTHER, 0) X(fchmod, FSOTHER, 0) \
	X(fchmodat, FSOTHER, 0) X(chown, FSOTHER, 0) X(fchown, FSOTHER, 0) X(lchown, FSOTHER, 0) \
	X(fchownat, FSOTHER, 0) X(utimensat, FSOTHER, 0) X(mknod, FSOTHER, 0) \
	X(mknodat, FSOTHER, 0) \
	X(chroot, NAMES, 0) X(pivot_root, NAMES, 0) X(setns, NAMES, 0) X(unshare, NAMES, 0) \
	X(mount, NAMES, 0) X(umount2, NAMES, 0) X(move_mount, NAMES, 0) \
	X(dup, DUP, 0) X(dup2, DUP, SC_P) X(dup3, DUP, SC_P) X(fcntl, DUP, 0) \
	X(pidfd_getfd, DUP, 0) \
	X(pipe, FD, 0) X(pipe2, FD, 0) X(eventfd2, FD, 0) X(epoll_create, FD, 0) \
	X(epoll_create1, FD, 0) X(timerfd_create, FD, 0) X(signalfd4, FD, 0) \
	X(inotify_init, FD, 0) X(inotify_init1, FD, 0) X(pidfd_open, FD, 0) \
	X(io_uring_setup, FD, 0) \
	X(socket, SOCKET, 0) X(socketpair, SOCKET, 0) X(bind, SOCKET, 0) X(listen, SOCKET, 0) \
	X(connect, SOCKET, SC_T) X(accept, SOCKET, 0) X(accept4, SOCKET, 0) \
	X(shutdown, SOCKET, 0) X(getsockopt, SOCKET, 0) \
	X(recvfrom, RECV, SC_T) X(recvmsg, RECV, SC_T) X(recvmmsg, RECV, SC_T) \
	X(sendto, SEND, SC_T) X(sendmsg, SEND, SC_T) X(sendmmsg, SEND, SC_T) \
	X(fork, PROCESS, SC_P) X(vfork, PROCESS, SC_P) X(clone, PROCESS, SC_P) \
	X(clone3, PROCESS, SC_P) X(execve, PROCESS, SC_P) X(execveat, PROCESS, SC_P) \
	X(exit, PROCESS, SC_P) X(exit_group, PROCESS, SC_P) X(seccomp, PROCESS, SC_P) \
	X(prctl, PROCESS, SC_P) X(setuid, PROCESS, SC_P) X(setreuid, PROCESS, SC_P) \
	X(setresuid, PROCESS, SC_P) X(rt_sigaction, PROCESS, SC_P)
/* clang-format on */

/* Flags and class by system call number; 0 where the table has no entry. */
struct sc_call_info {
	uint8_t flags; /* enum sc_call_flag */
	uint8_t cls;   /* enum sc_call_class */
};

extern const struct sc_call_info sc_call_table[SC_NR_MAX];

/* The name of a call of the table, or NULL. */
const char *sc_call_name(uint32_t nr);

#endif
