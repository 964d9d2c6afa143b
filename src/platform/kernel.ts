// SPDX-License-Identifier: Apache-2.0
/** What the kernel and a process' state allow: /proc and /sys facts, each undefined where it cannot be read. */
import {readdirSync, readFileSync, readlinkSync, statfsSync} from 'node:fs';
import {release} from 'node:os';

export interface KernelFacts {
  release: string;
  /** kernel.yama.ptrace_scope; undefined: no yama. */
  yama?: number;
  /** kernel.io_uring_disabled. */
  ioUringDisabled?: number;
  /** Free bytes of /dev/shm; undefined: there is none. */
  shmFree?: number;
  /** How writes to /proc/PID/mem are restricted (proc_mem.force_override of the command line). */
  procMem?: string;
}

export interface ProcessFacts {
  pid: number;
  name: string;
  exe: string;
  uid: number;
  tracerPid: number;
  noNewPrivs: boolean;
  /** 0 none, 1 strict, 2 filter. */
  seccomp: number;
  threads: number;
  /** Paths of the objects mapped executable. */
  objects: string[];
  /** Namespaces that differ from ours: mnt, pid, net, user. */
  otherNamespaces: string[];
  /** The library is mapped. */
  scoped: boolean;
  ioUring: boolean;
  preload?: string;
}

function number(path: string): number | undefined {
  try {
    const value = Number(readFileSync(path, 'utf8').trim());
    return Number.isFinite(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function kernelFacts(): KernelFacts {
  const yama = number('/proc/sys/kernel/yama/ptrace_scope');
  const uring = number('/proc/sys/kernel/io_uring_disabled');
  let shmFree: number | undefined;
  try {
    const fs = statfsSync('/dev/shm');
    shmFree = fs.bavail * fs.bsize;
  } catch {
    shmFree = undefined;
  }
  let procMem: string | undefined;
  try {
    procMem = /proc_mem\.force_override=(\w+)/.exec(readFileSync('/proc/cmdline', 'utf8'))?.[1];
  } catch {
    procMem = undefined;
  }
  return {
    release: release(),
    ...(yama !== undefined && {yama}),
    ...(uring !== undefined && {ioUringDisabled: uring}),
    ...(shmFree !== undefined && {shmFree}),
    ...(procMem !== undefined && {procMem}),
  };
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** Facts of a living process, or undefined when there is none. */
export function processFacts(pid: number): ProcessFacts | undefined {
  const dir = `/proc/${pid}`;
  let status: string;
  let maps = '';
  try {
    status = readFileSync(`${dir}/status`, 'utf8');
  } catch {
    return undefined;
  }
  try {
    maps = readFileSync(`${dir}/maps`, 'utf8');
  } catch {
    maps = '';
  }
  const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '';
  const objects = [...new Set([...maps.matchAll(/^\S+ ..x. .*?(\/.*)$/gm)].map((m) => m[1]!))];
  let ioUring = false;
  try {
    ioUring = readdirSync(`${dir}/fd`).some((fd) => link(`${dir}/fd/${fd}`).includes('io_uring'));
  } catch {
    ioUring = false;
  }
  let preload: string | undefined;
  try {
    preload = readFileSync(`${dir}/environ`, 'latin1')
      .split('\0')
      .find((v) => v.startsWith('LD_PRELOAD='))
      ?.slice(11);
  } catch {
    preload = undefined;
  }
  return {
    pid,
    name: field('Name'),
    exe: link(`${dir}/exe`),
    uid: Number(field('Uid')),
    tracerPid: Number(field('TracerPid')),
    noNewPrivs: field('NoNewPrivs') === '1',
    seccomp: Number(field('Seccomp') || 0),
    threads: Number(field('Threads')),
    objects,
    otherNamespaces: ['mnt', 'pid', 'net', 'user'].filter((ns) => {
      const theirs = link(`${dir}/ns/${ns}`);
      return theirs !== '' && theirs !== link(`/proc/self/ns/${ns}`);
    }),
    scoped: objects.some((path) => path.endsWith('/libscope.so')),
    ioUring,
    ...(preload !== undefined && {preload}),
  };
}
