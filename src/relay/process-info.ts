// SPDX-License-Identifier: Apache-2.0
/** Who a process image is: the Process of its records, from the channel's header and strings. */
import {createHash} from 'node:crypto';
import {readFileSync, readlinkSync, realpathSync, statSync} from 'node:fs';
import {basename, dirname, join, resolve} from 'node:path';
import type {Channel} from '../channel/index.js';
import {containerId} from '../platform/container.js';
import type {Process} from '../records/types.js';
import {Accounts} from './accounts.js';
import {BoundedMap} from './bounded-map.js';

const ID_TAIL = 32;

const accounts = new Accounts();

/** The Process of a channel, without tags: those come with its settings. */
export function describe(channel: Channel): Process {
  const {header, info} = channel;
  const seen = outside(channel);
  // Where it has no /proc it knows its executable by argv[0] only.
  const exe = info.exe.startsWith('/') && info.name !== '' ? info.exe : seen.exe || info.exe;
  const proc = processName(exe, info.name || basename(exe), info.argv[0] ?? '', info.cwd);
  const cmd = info.argv.length > 0 ? info.argv.join(' ') : exe;
  const cgroup = info.cgroup || (/^0::(.*)$/m.exec(seen.cgroup)?.[1] ?? '');
  return {
    key: channel.key,
    pid: header.pid,
    hostPid: channel.hostPid,
    ppid: header.ppid,
    proc,
    cmd,
    args: info.argv,
    exe,
    cwd: info.cwd,
    host: info.host,
    uid: header.uid,
    gid: header.gid,
    ...accounts.namesOf(channel, header.uid, header.gid),
    cgroup: `0::${cgroup}`,
    // A cgroup namespace hides the container's name from those inside.
    containerId: containerId(info.cgroup) || containerId(seen.cgroup),
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

/** What /proc says of a living process and it may not know itself: it has no /proc, or a cgroup namespace. */
function outside(channel: Channel): {exe: string; cgroup: string} {
  const {hostPid} = channel;
  if (hostPid === 0 || channel.ended) return {exe: '', cgroup: ''};
  try {
    return {exe: exeOf(hostPid), cgroup: readFileSync(`/proc/${hostPid}/cgroup`, 'utf8')};
  } catch {
    return {exe: '', cgroup: ''};
  }
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
