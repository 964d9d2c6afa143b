// SPDX-License-Identifier: Apache-2.0
/** Names of the observed system calls by number: the `op` of events and metrics. */

// biome-ignore format: a table
const X86_64: Readonly<Record<string, number>> = {
  read: 0, write: 1, open: 2, close: 3, stat: 4, fstat: 5, lstat: 6, lseek: 8, pread64: 17, pwrite64: 18,
  readv: 19, writev: 20, access: 21, pipe: 22, dup: 32, dup2: 33, sendfile: 40, socket: 41, connect: 42,
  accept: 43, sendto: 44, recvfrom: 45, sendmsg: 46, recvmsg: 47, shutdown: 48, bind: 49, listen: 50,
  socketpair: 53, getsockopt: 55, clone: 56, fork: 57, vfork: 58, execve: 59, exit: 60, fcntl: 72,
  fsync: 74, fdatasync: 75, truncate: 76, ftruncate: 77, getdents: 78, rename: 82, mkdir: 83, rmdir: 84,
  creat: 85, link: 86, unlink: 87, symlink: 88, readlink: 89, chmod: 90, fchmod: 91, chown: 92, fchown: 93,
  lchown: 94, mknod: 133, statfs: 137, fstatfs: 138, prctl: 157, epoll_create: 213, getdents64: 217,
  exit_group: 231, inotify_init: 253, openat: 257, mkdirat: 258, mknodat: 259, fchownat: 260,
  newfstatat: 262, unlinkat: 263, renameat: 264, linkat: 265, symlinkat: 266, readlinkat: 267,
  fchmodat: 268, faccessat: 269, splice: 275, tee: 276, sync_file_range: 277, vmsplice: 278,
  utimensat: 280, timerfd_create: 283, fallocate: 285, accept4: 288, signalfd4: 289, eventfd2: 290,
  epoll_create1: 291, dup3: 292, pipe2: 293, inotify_init1: 294, preadv: 295, pwritev: 296, recvmmsg: 299,
  open_by_handle_at: 304, sendmmsg: 307, renameat2: 316, seccomp: 317, memfd_create: 319, execveat: 322,
  copy_file_range: 326, preadv2: 327, pwritev2: 328, statx: 332, io_uring_setup: 425, pidfd_open: 434,
  clone3: 435, close_range: 436, openat2: 437, pidfd_getfd: 438, faccessat2: 439,
};

// biome-ignore format: a table
const AARCH64: Readonly<Record<string, number>> = {
  eventfd2: 19, epoll_create1: 20, dup: 23, dup3: 24, fcntl: 25, inotify_init1: 26, mknodat: 33,
  mkdirat: 34, unlinkat: 35, symlinkat: 36, linkat: 37, renameat: 38, statfs: 43, fstatfs: 44,
  truncate: 45, ftruncate: 46, fallocate: 47, faccessat: 48, fchmod: 52, fchmodat: 53, fchownat: 54,
  fchown: 55, openat: 56, close: 57, pipe2: 59, getdents64: 61, lseek: 62, read: 63, write: 64, readv: 65,
  writev: 66, pread64: 67, pwrite64: 68, preadv: 69, pwritev: 70, sendfile: 71, signalfd4: 74,
  vmsplice: 75, splice: 76, tee: 77, readlinkat: 78, newfstatat: 79, fstat: 80, fsync: 82, fdatasync: 83,
  sync_file_range: 84, timerfd_create: 85, utimensat: 88, exit: 93, exit_group: 94, prctl: 167,
  socket: 198, socketpair: 199, bind: 200, listen: 201, accept: 202, connect: 203, sendto: 206,
  recvfrom: 207, getsockopt: 209, shutdown: 210, sendmsg: 211, recvmsg: 212, clone: 220, execve: 221,
  accept4: 242, recvmmsg: 243, sendmmsg: 269, renameat2: 276, seccomp: 277, memfd_create: 279,
  execveat: 281, copy_file_range: 285, preadv2: 286, pwritev2: 287, statx: 291, io_uring_setup: 425,
  pidfd_open: 434, clone3: 435, close_range: 436, openat2: 437, pidfd_getfd: 438, faccessat2: 439,
};

const NAMES: (string | undefined)[] = [];
for (const [name, nr] of Object.entries(process.arch === 'arm64' ? AARCH64 : X86_64)) NAMES[nr] = name;

/** Numbers of calls that have names are below. */
export const CALLS = 512;

/** The name of a call; `unknown` for a number that is not observed. */
export function callName(nr: number): string {
  return NAMES[nr] ?? 'unknown';
}
