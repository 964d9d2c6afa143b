// SPDX-License-Identifier: Apache-2.0
/**
 * One writer for each session. The lock is a file linked into place that names its owner (pid and start time, so that a
 * reused pid is no owner); a lock whose owner is gone is broken by whoever comes next, one at a time.
 */
import {linkSync, readFileSync, statSync, unlinkSync, writeFileSync} from 'node:fs';
import {ScopeError} from '../base/errors.js';

/** Field 22 of /proc/PID/stat; undefined: no such process (or a zombie). */
export function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function owner(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function lives(text: string): boolean {
  const [pid, start] = text.split(' ');
  const now = processStart(Number(pid));
  return now !== undefined && now === start;
}

/** Tries to become the owner; undefined when a living process is. Returns the release. */
export function tryLock(path: string): (() => void) | undefined {
  const me = `${process.pid} ${processStart(process.pid) ?? '0'}`;
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, me);
  try {
    for (let attempt = 0; attempt < 100; attempt++) {
      if (link(mine, path)) return () => release(path, me);
      const holder = owner(path);
      if (holder !== undefined && lives(holder)) return undefined;
      if (holder !== undefined) breakLock(path, mine, holder);
    }
    throw new ScopeError('SCOPE_IO', `${path}: cannot take the lock`);
  } finally {
    unlinkSync(mine);
  }
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new ScopeError('SCOPE_IO', `${to}: ${(cause as Error).message}`, {cause});
  }
}

/** Only the holder of the second lock may remove the first, and only when it is still the dead one. */
function breakLock(path: string, mine: string, dead: string): void {
  const second = `${path}.break`;
  if (!link(mine, second)) {
    const holder = owner(second);
    if (holder !== undefined && !lives(holder) && older(second, 5_000)) unlinkSync(second);
    return;
  }
  try {
    if (owner(path) === dead) unlinkSync(path);
  } finally {
    unlinkSync(second);
  }
}

function older(path: string, ms: number): boolean {
  try {
    return Date.now() - statSync(path).ctimeMs > ms;
  } catch {
    return false;
  }
}

function release(path: string, me: string): void {
  if (owner(path) === me) unlinkSync(path);
}
