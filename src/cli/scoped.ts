// SPDX-License-Identifier: Apache-2.0
/** The scoped processes of this machine, found by the channel that they have mapped. */
import {existsSync, readdirSync, readFileSync, readlinkSync, statSync} from 'node:fs';
import {basename, dirname, join} from 'node:path';
import {ScopeError} from '../base/errors.js';
import {type Channel, type ChannelFolder, openFolder} from '../channel/index.js';
import {listSessions, type Session} from '../session/history.js';
import {oneLine} from '../view/text.js';

export interface ScopedProcess {
  /** As the host's /proc numbers it. */
  pid: number;
  user: string;
  command: string;
  /** Its channel file, by a path that we can open: in its own root when that is another one. */
  channel: string;
}

/** Where processes and users are looked up: `/`, or where a container has the root of its host. */
export interface Host {
  rootdir?: string;
}

/** What --rootdir is, for help. */
export const ROOTDIR = 'in a container: where the root of its host is mounted';

const procOf = (host: Host) => join(host.rootdir ?? '/', 'proc');

/** Says so when there is no host's /proc below `--rootdir`. */
export function checkRootdir({rootdir}: Host): void {
  if (rootdir !== undefined && !existsSync(join(rootdir, 'proc/1')))
    throw new ScopeError('SCOPE_NOT_FOUND', `${rootdir}: no root of a host with its /proc`);
}

/** Whether the host's pids are ours: signals, and whether a relay lives, are questions to our own namespace. */
export function sharesPids({rootdir}: Host): boolean {
  if (rootdir === undefined) return true;
  try {
    return readlinkSync(join(rootdir, 'proc/self')) === String(process.pid);
  } catch {
    return false;
  }
}

/** Every process that has a channel mapped; `hidden` counts those whose maps may not be read. */
export function scopedProcesses(host: Host = {}): {found: ScopedProcess[]; hidden: number} {
  checkRootdir(host);
  const proc = procOf(host);
  const users = userNames(host);
  const found: ScopedProcess[] = [];
  let hidden = 0;
  for (const name of readdirSync(proc)) {
    if (!/^\d+$/.test(name)) continue;
    const dir = join(proc, name);
    try {
      const channel = mappedChannel(dir);
      if (channel === undefined) continue;
      const uid = userOf(dir);
      found.push({
        pid: Number(name),
        user: users.get(uid) ?? String(uid),
        command: commandLine(dir),
        channel,
      });
    } catch (cause) {
      if (['EACCES', 'EPERM'].includes((cause as NodeJS.ErrnoException).code ?? '')) hidden += 1;
    }
  }
  return {found: found.sort((a, b) => a.pid - b.pid), hidden};
}

/** The channel; the relay has the same files mapped, but a relay has no library. */
function mappedChannel(dir: string): string | undefined {
  const maps = readFileSync(`${dir}/maps`, 'latin1');
  if (!maps.includes('libscope.so')) return undefined;
  const line = /([0-9a-f]+):([0-9a-f]+) (\d+) +(\/\S*\/\d+\.[0-9a-f]+\.chan)/.exec(maps);
  if (line === null) return undefined;
  const [, major, minor, inode, path] = line;
  const st = statSync(path!, {throwIfNoEntry: false});
  const ours =
    st?.ino === Number(inode) && isDevice(st.dev, Number.parseInt(major!, 16), Number.parseInt(minor!, 16));
  return ours ? path : `${dir}/root${path}`;
}

/** st_dev as glibc packs it. */
function isDevice(dev: number, major: number, minor: number): boolean {
  return dev === (minor & 0xff) + (major & 0xfff) * 0x100 + (minor >>> 8) * 0x100000;
}

/** The effective user. */
function userOf(dir: string): number {
  return Number(/^Uid:\s+\d+\s+(\d+)/m.exec(readFileSync(`${dir}/status`, 'latin1'))?.[1] ?? 0);
}

function commandLine(dir: string): string {
  const words = readFileSync(`${dir}/cmdline`, 'utf8')
    .split('\0')
    .filter((w) => w !== '');
  return oneLine(words.join(' ')) || readFileSync(`${dir}/comm`, 'utf8').trim();
}

/** The host's users: the numbers are the host's, too. */
export function userNames(host: Host): Map<number, string> {
  try {
    const lines = readFileSync(join(host.rootdir ?? '/', 'etc/passwd'), 'utf8')
      .split('\n')
      .map((l) => l.split(':'));
    return new Map(lines.filter((f) => f.length > 2).map((f) => [Number(f[2]), f[0]!]));
  } catch {
    return new Map();
  }
}

/** The scoped process that a PID or a part of a name means; it must be one. */
export function scopedProcess(word: string, host: Host = {}): ScopedProcess {
  const {found} = scopedProcesses(host);
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
  return inFolder(dirname(scoped.channel), (folder) => {
    const channel = [...folder.channels.values()].find((c) => c.path === scoped.channel);
    if (!channel) throw new ScopeError('SCOPE_CHANNEL_INVALID', `${scoped.channel}: cannot be read`);
    return look(channel, folder);
  });
}

/** Looks at all channels of a folder. */
export function inFolder<T>(dir: string, look: (folder: ChannelFolder) => T): T {
  const folder = openFolder(dir);
  try {
    folder.scan();
    return look(folder);
  } finally {
    folder.close();
  }
}
