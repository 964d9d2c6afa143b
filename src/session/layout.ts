// SPDX-License-Identifier: Apache-2.0
/** Where sessions lie and what their files are called; the launcher (native/launch) makes the folders by the same rules. */
import {join} from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Files of a session's folder (its WorkDir). Plain ones are for people and `jq`; `.index/` is ours. */
export const FILES = {
  args: 'args.json',
  config: 'scope.yml',
  events: 'events.json',
  metrics: 'metrics.json',
  status: 'status.json',
  payloads: 'payloads',
  /** Disk queues of exporters, a folder each. */
  queues: 'queues',
  channels: 'channels',
  far: 'far',
  /** In the channel folder: a line for each thing that the launcher could not do. */
  notes: 'notes',
  relayLog: 'relay.log',
  relayPid: 'relay.pid',
  index: '.index',
} as const;

/** Files in `.index/`. */
export const INDEX_FILES = {
  commit: 'commit',
  events: 'events',
  names: 'names',
  payloads: 'payloads',
  lock: 'lock',
  /** Made by a query that waits, removed by the relay. */
  hurry: 'hurry',
} as const;

/** `$SCOPE_HOME`, else `~/.scope`, else a folder in the temporary directory. */
export function scopeHome(env: Environment): string {
  if (env.SCOPE_HOME) return absolute(env.SCOPE_HOME);
  if (env.HOME) return join(env.HOME, '.scope');
  return join(env.TMPDIR || '/tmp', '.scope');
}

function absolute(path: string): string {
  return path.startsWith('/') ? path : join(process.cwd(), path);
}

export function historyDir(home: string): string {
  return join(home, 'history');
}

/** What a session's folder name says. */
export interface SessionName {
  cmd: string;
  id: number;
  pid: number;
  /** Milliseconds since the epoch. */
  start: number;
}

/** `CMD_ID_PID_NANOSECONDS`, read from the right because a command may have underscores; undefined: not a session. */
export function parseName(name: string): SessionName | undefined {
  const m = /^(.*)_(\d{1,10})_(\d{1,10})_(\d{10,20})$/s.exec(name);
  if (!m) return undefined;
  return {cmd: m[1]!, id: Number(m[2]), pid: Number(m[3]), start: toMilliseconds(m[4]!)};
}

/** Time stamps of the launcher are nanoseconds; shorter ones are taken as what their length says. */
function toMilliseconds(digits: string): number {
  const n = Number(digits);
  if (digits.length >= 18) return n / 1e6;
  if (digits.length >= 15) return n / 1e3;
  return digits.length >= 12 ? n : n * 1e3;
}
