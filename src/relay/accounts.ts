// SPDX-License-Identifier: Apache-2.0
/** Names of users and groups as the observed process has them: from its own root, which may be a container's. */
import {closeSync, constants, fstatSync, openSync, readFileSync, readSync, statSync} from 'node:fs';
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

interface Root {
  /** '' for our own. */
  path: string;
  pid: number;
  /** When the process started whose root it is: another one with its pid has another root. '' for our own. */
  start: string;
}

const OWN: Root = {path: '', pid: 0, start: ''};

export type AccountFile = 'passwd' | 'group';

export class Accounts {
  readonly #proc: string;
  readonly #now: () => number;
  readonly #tables: Map<string, Table> = new BoundedMap<string, Table>(256);
  /** Process namespace to the last root seen of a process in it: for those that ended before we came. */
  readonly #roots: Map<number, Root> = new BoundedMap<number, Root>(1024);
  #own: number | undefined;

  /** `proc`: where procfs is; `now`: milliseconds. */
  constructor(proc = '/proc', now: () => number = Date.now) {
    this.#proc = proc;
    this.#now = now;
  }

  /** Names of a user and a group; '' when they cannot be known. 0 is root everywhere. */
  namesOf(channel: Channel, uid: number, gid: number): {username: string; groupname: string} {
    const root = this.#rootOf(channel);
    return {username: this.#name(root, 'passwd', uid), groupname: this.#name(root, 'group', gid)};
  }

  #name(root: Root | undefined, file: AccountFile, id: number): string {
    const name = root && this.#tableOf(root, file).get(id);
    return name ?? (id === 0 ? 'root' : '');
  }

  /** undefined: of a process that we do not see. */
  #rootOf(channel: Channel): Root | undefined {
    const {pidNs} = channel.header;
    const pid = channel.hostPid;
    const start = pid > 0 ? this.#startOf(pid) : undefined;
    // Asked after the start was read: it is that of the channel's process.
    const path = `${this.#proc}/${pid}/root`;
    const own = start === undefined || channel.ended ? undefined : isOwn(path);
    if (start !== undefined && own !== undefined) {
      const root = own ? OWN : {path, pid, start};
      this.#roots.set(pidNs, root);
      return root;
    }
    this.#own ??= statSync(`${this.#proc}/self/ns/pid`, {throwIfNoEntry: false})?.ino ?? 0;
    return this.#roots.get(pidNs) ?? (pidNs === 0 || pidNs === this.#own ? OWN : undefined);
  }

  #tableOf(root: Root, file: AccountFile): Map<number, string> {
    const key = `${root.pid} ${root.start} ${file}`;
    let table = this.#tables.get(key);
    if (table === undefined || this.#now() - table.at > FRESH_MS) {
      const read = readTable(`${root.path}/etc/${file}`);
      // Asked after it was read. Of a process that has ended what was known of its root stays true.
      const lives = root === OWN || this.#startOf(root.pid) === root.start;
      table = {at: this.#now(), names: (lives ? read : undefined) ?? table?.names ?? new Map()};
      this.#tables.set(key, table);
    }
    return table.names;
  }

  /** Tells a living process from a later one with its pid. */
  #startOf(pid: number): string | undefined {
    try {
      const stat = readFileSync(`${this.#proc}/${pid}/stat`, 'latin1');
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    } catch {
      return undefined;
    }
  }
}

/** Whether the accounts in a root are ours; undefined: its process has ended. */
function isOwn(root: string): boolean | undefined {
  try {
    const one = statSync(`${root}/etc`, {throwIfNoEntry: false});
    if (one === undefined) return statSync(root, {throwIfNoEntry: false}) === undefined ? undefined : false;
    const other = statSync('/etc');
    return one.ino === other.ino && one.dev === other.dev;
  } catch (cause) {
    // Not ours to see: our names are the best guess there is.
    const {code} = cause as NodeJS.ErrnoException;
    return code === 'EACCES' || code === 'EPERM' ? true : undefined;
  }
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
