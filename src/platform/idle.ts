// SPDX-License-Identifier: Apache-2.0
/** How much of the machine's processors nobody uses. */
import {readFileSync} from 'node:fs';

/** USER_HZ, the unit of /proc/stat. */
const TICKS_PER_SECOND = 100;

interface Sample {
  /** Ticks that processors were idle or waited for a disk. */
  idle: number;
  ownMicros: number;
  atMs: number;
}

/** Field 4 of the first line of /proc/stat is idle, field 5 iowait. */
function sample(): Sample | undefined {
  try {
    const text = readFileSync('/proc/stat', 'latin1');
    const fields = text.slice(0, text.indexOf('\n')).split(/ +/);
    const idle = Number(fields[4]) + Number(fields[5]);
    const {user, system} = process.cpuUsage();
    return Number.isFinite(idle) ? {idle, ownMicros: user + system, atMs: performance.now()} : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A function that gives the processors that were idle since its last call, with what this process used itself counted
 * as idle; 1.5 is one and a half. Undefined the first time, and where there is no /proc/stat.
 */
export function idleProcessors(): () => number | undefined {
  let before: Sample | undefined;
  return () => {
    const now = sample();
    const last = before;
    before = now;
    if (now === undefined || last === undefined || now.atMs <= last.atMs) return undefined;
    const seconds = (now.atMs - last.atMs) / 1000;
    return (
      (now.idle - last.idle) / TICKS_PER_SECOND / seconds + (now.ownMicros - last.ownMicros) / 1e6 / seconds
    );
  };
}
