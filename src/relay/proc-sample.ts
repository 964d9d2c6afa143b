// SPDX-License-Identifier: Apache-2.0
/** What /proc says about a living process. */
import {closeSync, openSync, readdirSync, readSync, statSync} from 'node:fs';

export interface ProcSample {
  /** Processor time since the process began, user and system, in microseconds. */
  cpuUs: number;
  /** Of it, user time. */
  userUs: number;
  /** Resident memory. */
  rssKib: number;
  /** Address space. */
  vmKib: number;
  threads: number;
  /** Open descriptors. */
  fds: number;
  /** Living children. */
  children: number;
}

/** Linux reports times in /proc in units of 1/100 s. */
const TICK_US = 10_000;
/** Children of a process with more threads than this are not counted one thread at a time. */
const THREADS_READ = 256;

const PAGE_KIB = 4;

/** A sample of a process by its pid in our own namespace; undefined when it is gone or not ours to see. */
export function sampleProcess(pid: number): ProcSample | undefined {
  try {
    const stat = readText(`/proc/${pid}/stat`);
    // The name in parentheses can hold anything: fields are counted from behind it. Field 3 comes first.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    const threads = Number(fields[17]);
    return {
      cpuUs: (Number(fields[11]) + Number(fields[12])) * TICK_US,
      userUs: Number(fields[11]) * TICK_US,
      threads,
      rssKib: Number(fields[21]) * PAGE_KIB,
      vmKib: Number(fields[20]) / 1024,
      fds: descriptors(pid),
      children: children(pid, threads),
    };
  } catch {
    return undefined;
  }
}

/** Hundreds of processes are read each period: one buffer for all, no stat before. */
const buffer = Buffer.allocUnsafe(16 * 1024);

function readText(path: string): string {
  const fd = openSync(path, 'r');
  try {
    let text = '';
    for (;;) {
      const n = readSync(fd, buffer, 0, buffer.length, null);
      text += buffer.toString('latin1', 0, n);
      if (n < buffer.length) return text;
    }
  } finally {
    closeSync(fd);
  }
}

/** Since Linux 6.2 the size of the folder is their number; before, it is 0. */
function descriptors(pid: number): number {
  try {
    const {size} = statSync(`/proc/${pid}/fd`);
    return size > 0 ? size : entries(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

function children(pid: number, threads: number): number {
  const tids = threads === 1 ? [String(pid)] : entries(`/proc/${pid}/task`).slice(0, THREADS_READ);
  let count = 0;
  for (const tid of tids) {
    try {
      const list = readText(`/proc/${pid}/task/${tid}/children`).trim();
      if (list !== '') count += list.split(' ').length;
    } catch {
      // The thread ended, or the kernel has no such file.
    }
  }
  return count;
}

function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
