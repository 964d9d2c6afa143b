// SPDX-License-Identifier: Apache-2.0
/** Names of users and groups as the observed process has them: from its own root, which may be a container's. */
import {closeSync, constants, fstatSync, openSync, readSync, statSync} from 'node:fs';
import type {Channel} from '../channel/index.js';
import {BoundedMap} from './bounded-map.js';

/** Accounts are read again after so long. */
const FRESH_MS = 60_000;
/** More of such a file is not read: it may be anything. */
const MOST_BYTES = 1024 * 1024;

interface Table {
  at: number;
  names: Map<number, string>;
}

const tables = new BoundedMap<string, Table>(256);
/** Process namespace to the last root seen of a process in it: for those that ended before we came. */
const roots = new BoundedMap<number, string>(1024);
let own: number | undefined;

export type AccountFile = 'passwd' | 'group';

/** Name of an id; '' when it cannot be known. 0 is root everywhere. */
export function accountName(channel: Channel, file: AccountFile, id: number): string {
  const root = rootOf(channel);
  const name = root === undefined ? undefined : tableOf(`${root}/etc/${file}`).get(id);
  return name ?? (id === 0 ? 'root' : '');
}

/** '' our own; undefined: of a process that we do not see. */
function rootOf(channel: Channel): string | undefined {
  const {pidNs} = channel.header;
  if (channel.hostPid > 0 && !channel.ended) {
    const root = `/proc/${channel.hostPid}/root`;
    const seen = sameFile(`${root}/etc`, '/etc') ? '' : root;
    roots.set(pidNs, seen);
    return seen;
  }
  own ??= statSync('/proc/self/ns/pid', {throwIfNoEntry: false})?.ino ?? 0;
  return roots.get(pidNs) ?? (pidNs === 0 || pidNs === own ? '' : undefined);
}

function sameFile(a: string, b: string): boolean {
  try {
    const one = statSync(a);
    const other = statSync(b);
    return one.ino === other.ino && one.dev === other.dev;
  } catch {
    // Not ours to see: our names are the best guess there is.
    return true;
  }
}

function tableOf(path: string): Map<number, string> {
  let table = tables.get(path);
  if (table === undefined || Date.now() - table.at > FRESH_MS) {
    const read = readTable(path);
    // The process may have ended meanwhile: what was known of its root stays true.
    table = {at: Date.now(), names: read ?? table?.names ?? new Map()};
    tables.set(path, table);
  }
  return table.names;
}

function readTable(path: string): Map<number, string> | undefined {
  const text = readPlain(path);
  if (text === undefined) return undefined;
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name, , id] = line.split(':');
    if (name && id && !names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}

/** A file in a root that is not ours may be a pipe or a device, and it may be endless. */
function readPlain(path: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return undefined;
  }
  try {
    if (!fstatSync(fd).isFile()) return undefined;
    const bytes = Buffer.alloc(MOST_BYTES);
    return bytes.toString('utf8', 0, readSync(fd, bytes));
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}
