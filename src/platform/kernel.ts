// SPDX-License-Identifier: Apache-2.0
/** What the kernel and a process' state allow: /proc and /sys facts, each undefined where it cannot be read. */
import {spawnSync} from 'node:child_process';
import {existsSync, readdirSync, readFileSync, readlinkSync, statfsSync, statSync} from 'node:fs';
import {release} from 'node:os';
import {NATIVE} from '../base/root.js';

export interface KernelFacts {
  release: string;
  /** kernel.yama.ptrace_scope; undefined: no yama. */
  yama?: number;
  /** kernel.io_uring_disabled. */
  ioUringDisabled?: number;
  /** Free bytes of /dev/shm; undefined: there is none. */
  shmFree?: number;
  /** PR_SET_MDWE holds for us and for what we start. */
  mdwe?: boolean;
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
  /** Its own /dev/shm, where that is not ours. */
  shm?: {free?: number; noexec: boolean};
}

function number(path: string): number | undefined {
  try {
    const value = Number(readFileSync(path, 'utf8').trim());
    return Number.isFinite(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Words of `scope facts-of FILE` (native/launch/facts.c). */
function nativeFacts(file?: string): string[] {
  const words = ['facts-of', ...(file === undefined ? [] : [file])];
  return spawnSync(NATIVE.launcher, words, {encoding: 'utf8'}).stdout?.split('\n') ?? [];
}

/** Whether a file has capabilities of its own. */
export const hasCapabilities = (file: string): boolean => nativeFacts(file).includes('capabilities');

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
    ...(nativeFacts().includes('mdwe') && {mdwe: true}),
  };
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** The mounts of another namespace: what its /dev/shm is. */
function ownShm(dir: string): ProcessFacts['shm'] {
  try {
    const theirs = statSync(`${dir}/root/dev/shm`);
    const ours = statSync('/dev/shm', {throwIfNoEntry: false});
    if (ours !== undefined && theirs.ino === ours.ino && theirs.dev === ours.dev) return undefined;
    const {bavail, bsize} = statfsSync(`${dir}/root/dev/shm`);
    const mount = readFileSync(`${dir}/mountinfo`, 'utf8')
      .split('\n')
      .filter((line) => line.split(' ')[4] === '/dev/shm')
      .at(-1);
    return {free: bavail * bsize, noexec: /\bnoexec\b/.test(mount?.split(' ')[5] ?? '')};
  } catch {
    return existsSync(`${dir}/root/dev/shm`) ? undefined : {noexec: false};
  }
}

function withShm(dir: string): Pick<ProcessFacts, 'shm'> {
  const shm = ownShm(dir);
  return shm === undefined ? {} : {shm};
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
    ...withShm(dir),
  };
}
