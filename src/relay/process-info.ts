// SPDX-License-Identifier: Apache-2.0
/** Who a process image is: the Process of its records, from the channel's header and strings. */
import {createHash} from 'node:crypto';
import {readFileSync, readlinkSync, realpathSync, statSync} from 'node:fs';
import {basename, dirname, join, resolve} from 'node:path';
import type {Channel} from '../channel/index.js';
import type {Process} from '../records/types.js';
import {BoundedMap} from './bounded-map.js';

const ID_TAIL = 32;
/** Accounts are read again after so long. */
const ACCOUNTS_MS = 60_000;

/** The Process of a channel, without tags: those come with its settings. */
export function describe(channel: Channel): Process {
  const {header, info} = channel;
  const proc = processName(info.exe, info.name, info.argv[0] ?? '', info.cwd);
  const cmd = info.argv.length > 0 ? info.argv.join(' ') : info.exe;
  return {
    key: channel.key,
    pid: header.pid,
    ppid: header.ppid,
    proc,
    cmd,
    args: info.argv,
    exe: info.exe,
    cwd: info.cwd,
    host: info.host,
    uid: header.uid,
    gid: header.gid,
    username: accountName('/etc/passwd', header.uid),
    groupname: accountName('/etc/group', header.gid),
    cgroup: `0::${info.cgroup}`,
    containerId: /(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:$|\/)/.exec(info.cgroup)?.[1] ?? '',
    machineId: info.machineId,
    uuid: imageUuid(channel),
    id: `${info.host}-${proc}-${cmd.slice(-ID_TAIL)}`,
    libc: info.libc,
    runtime: info.runtime,
    startTime: header.startTime,
    tags: {},
    env: info.env,
  };
}

/**
 * The name the program was started by where it is a link to the executable (sh -> dash, python3 -> python3.11, ls ->
 * busybox), else the executable's. argv[0] alone would not do: programs overwrite it.
 */
function processName(exe: string, name: string, argv0: string, cwd: string): string {
  const own = name || basename(exe);
  const called = basename(argv0.replace(/^-/, ''));
  if (called === '' || called === own) return own;
  if (/^(?:busybox|coreutils|toybox)$/.test(own) && /^[\w.[-]+$/.test(called)) return called;
  return isLink(exe, argv0.replace(/^-/, ''), cwd) ? called : own;
}

const links: Map<string, boolean> = new BoundedMap<string, boolean>(1024);

/** Whether argv0 leads to the executable, as a path or by a folder where commands usually are. */
function isLink(exe: string, argv0: string, cwd: string): boolean {
  const paths = argv0.includes('/')
    ? [resolve(cwd || '/', argv0)]
    : [dirname(exe), '/usr/bin', '/bin', '/usr/local/bin', '/usr/sbin'].map((dir) => join(dir, argv0));
  const key = `${exe} ${paths[0]}`;
  let found = links.get(key);
  if (found === undefined) {
    found = paths.some((path) => {
      try {
        return realpathSync(path) === exe;
      } catch {
        return false;
      }
    });
    links.set(key, found);
  }
  return found;
}

/** In the form of a version 4 UUID; the same whenever this image is read. */
function imageUuid(channel: Channel): string {
  const {bootId, pid, startTsc, pidNs} = channel.header;
  const hex = createHash('sha256').update(`${bootId} ${pidNs} ${pid} ${startTsc}`).digest('hex');
  const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

const accounts = new Map<string, {at: number; names: Map<number, string>}>();

/** Name of an id in a file like /etc/passwd; empty when unknown. */
function accountName(path: string, id: number): string {
  let table = accounts.get(path);
  if (table === undefined || Date.now() - table.at > ACCOUNTS_MS) {
    table = {at: Date.now(), names: readAccounts(path)};
    accounts.set(path, table);
  }
  return table.names.get(id) ?? '';
}

function readAccounts(path: string): Map<number, string> {
  const names = new Map<number, string>();
  try {
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      const [name, , id] = line.split(':');
      if (name && id && !names.has(Number(id))) names.set(Number(id), name);
    }
  } catch {
    // No such file, in a container for example: ids have no names.
  }
  return names;
}

/** What is remembered of a process: its executable and its parent. */
export interface Lineage {
  exe: string;
  ppid: number;
}

/**
 * Basenames of the executables of a channel's ancestors, nearest first; pid 1 is left out. `known` tells of processes
 * of the channel's pid namespace that have ended since.
 */
export function ancestors(
  channel: Channel,
  known: (pid: number) => Lineage | undefined = () => undefined,
): string[] {
  const names: string[] = [];
  // /proc has numbers of our own namespace.
  const seen = channel.hostPid === 0 ? undefined : living(channel.hostPid);
  const visible = seen !== undefined || channel.header.pidNs === ownPidNs();
  let pid = seen?.ppid ?? channel.header.ppid;
  for (let depth = 0; pid > 1 && depth < 64; depth++) {
    const line = (visible ? living(pid) : undefined) ?? known(pid);
    if (line === undefined) break;
    if (line.exe !== '') names.push(basename(line.exe));
    pid = line.ppid;
  }
  return names;
}

function ownPidNs(): number {
  try {
    return statSync('/proc/self/ns/pid').ino;
  } catch {
    return 0;
  }
}

function living(pid: number): Lineage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const ppid = Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]) || 0;
    return {exe: exeOf(pid), ppid};
  } catch {
    return undefined;
  }
}

/** Empty for a kernel thread, or when it is not ours to see. */
function exeOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
}
