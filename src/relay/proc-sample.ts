// SPDX-License-Identifier: Apache-2.0
/** What /proc says about a living process. */
import {readdirSync, readFileSync} from 'node:fs';

export interface ProcSample {
  /** Processor time since the process began, user and system, in microseconds. */
  cpuUs: number;
  /** Resident memory. */
  rssKib: number;
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

/** A sample of a process by its pid in our own namespace; undefined when it is gone or not ours to see. */
export function sampleProcess(pid: number): ProcSample | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses can hold anything: fields are counted from behind it. Field 3 comes first.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return {
      cpuUs: (Number(fields[11]) + Number(fields[12])) * TICK_US,
      threads: Number(fields[17]),
      rssKib: residentKib(pid),
      fds: entries(`/proc/${pid}/fd`).length,
      children: children(pid),
    };
  } catch {
    return undefined;
  }
}

function residentKib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? 0);
}

function children(pid: number): number {
  let count = 0;
  for (const tid of entries(`/proc/${pid}/task`).slice(0, THREADS_READ)) {
    try {
      const list = readFileSync(`/proc/${pid}/task/${tid}/children`, 'latin1').trim();
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
