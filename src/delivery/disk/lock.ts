// SPDX-License-Identifier: Apache-2.0
/** One relay per queue folder: a file with the pid and start time of who uses it. */
import {readFileSync, rmSync, writeFileSync} from 'node:fs';
import {ScopeError} from '../../base/errors.js';

/** `pid starttime`, which no two processes of one boot share; undefined when there is no such process. */
function identity(pid: number | string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : `${pid} ${fields[19]}`;
  } catch {
    return undefined;
  }
}

/** Takes the folder, or throws when a living process has it. Returns what gives it back. */
export function lockFolder(path: string, held: Set<string>): () => void {
  const file = `${path}/lock`;
  const own = identity(process.pid) ?? `${process.pid} 0`;
  let holder = '';
  try {
    holder = readFileSync(file, 'latin1').trim();
  } catch {
    // Nobody has it.
  }
  const pid = holder.split(' ')[0] ?? '';
  const alive = holder !== '' && identity(pid) === holder;
  if (alive && (holder !== own || held.has(path))) {
    throw new ScopeError('SCOPE_IO', `${path}: queue folder is used by process ${pid}`);
  }
  writeFileSync(file, own, {mode: 0o600});
  held.add(path);
  return () => {
    held.delete(path);
    rmSync(file, {force: true});
  };
}
