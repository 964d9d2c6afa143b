// SPDX-License-Identifier: Apache-2.0
/** The scoped processes of this machine, found by the channel that they have mapped. */
import {readdirSync, readFileSync, statSync} from 'node:fs';
import {basename, dirname} from 'node:path';
import {ScopeError} from '../base/errors.js';
import {type Channel, type ChannelFolder, openFolder} from '../channel/index.js';
import {listSessions, type Session} from '../session/history.js';
import {oneLine} from '../view/text.js';

export interface ScopedProcess {
  pid: number;
  user: string;
  command: string;
  /** Its channel file. */
  channel: string;
}

/** Every process that has a channel mapped; `hidden` counts those whose maps may not be read. */
export function scopedProcesses(): {found: ScopedProcess[]; hidden: number} {
  const users = userNames();
  const found: ScopedProcess[] = [];
  let hidden = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const channel = mappedChannel(name);
      if (channel === undefined) continue;
      const {uid} = statSync(`/proc/${name}`);
      found.push({
        pid: Number(name),
        user: users.get(uid) ?? String(uid),
        command: commandLine(name),
        channel,
      });
    } catch (cause) {
      if (['EACCES', 'EPERM'].includes((cause as NodeJS.ErrnoException).code ?? '')) hidden += 1;
    }
  }
  return {found: found.sort((a, b) => a.pid - b.pid), hidden};
}

/** Path of the channel; the relay has the same files mapped, but a relay has no library. */
function mappedChannel(pid: string): string | undefined {
  const maps = readFileSync(`/proc/${pid}/maps`, 'latin1');
  if (!maps.includes('libscope.so')) return undefined;
  return /(\/\S*\/\d+\.[0-9a-f]+\.chan)/.exec(maps)?.[1];
}

function commandLine(pid: string): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    .split('\0')
    .filter((w) => w !== '');
  return oneLine(words.join(' ')) || readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
}

function userNames(): Map<number, string> {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((l) => l.split(':'));
    return new Map(lines.filter((f) => f.length > 2).map((f) => [Number(f[2]), f[0]!]));
  } catch {
    return new Map();
  }
}

/** The scoped process that a PID or a part of a name means; it must be one. */
export function scopedProcess(word: string): ScopedProcess {
  const {found} = scopedProcesses();
  const matches = /^\d+$/.test(word)
    ? found.filter((p) => p.pid === Number(word))
    : found.filter((p) => basename(p.command.split(' ')[0] ?? '').includes(word));
  if (matches.length === 1) return matches[0]!;
  if (matches.length > 1) {
    throw new ScopeError(
      'SCOPE_NOT_FOUND',
      `${word} is the name of ${matches.length} scoped processes: ${matches.map((p) => p.pid).join(', ')}`,
    );
  }
  throw new ScopeError('SCOPE_NOT_FOUND', `Unable to communicate with ${word} - process is not scoped`);
}

/** The session that a process is recorded in; undefined: it belongs to a `scope relay`. */
export function sessionOf(home: string, scoped: ScopedProcess): Session | undefined {
  const name = basename(dirname(scoped.channel));
  return listSessions(home).find(
    (s) => basename(s.workdir) === name || s.workdir === dirname(dirname(scoped.channel)),
  );
}

/** Looks at the process's channel. */
export function withChannel<T>(
  scoped: ScopedProcess,
  look: (channel: Channel, folder: ChannelFolder) => T,
): T {
  const folder = openFolder(dirname(scoped.channel));
  try {
    folder.scan();
    const channel = [...folder.channels.values()].find((c) => c.path === scoped.channel);
    if (!channel) throw new ScopeError('SCOPE_CHANNEL_INVALID', `${scoped.channel}: cannot be read`);
    return look(channel, folder);
  } finally {
    folder.close();
  }
}
