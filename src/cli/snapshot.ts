// SPDX-License-Identifier: Apache-2.0
/** `scope snapshot PID`: writes what the system knows of a process to /tmp/appscope/PID/snapshot_EPOCH. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import {arch, hostname, release} from 'node:os';
import {join} from 'node:path';
import type {Command} from 'commander';
import {ScopeError} from '../base/errors.js';
import {containerId} from '../platform/container.js';
import {type Action, type Context, UsageError} from './context.js';
import {checkRootdir, type Host, ROOTDIR, userNames} from './scoped.js';
import {packageVersion} from './version.js';

const FOLDER = '/tmp/appscope';

export function defineSnapshot(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('write down what is known of a process')
    .argument('<PID>', 'the process')
    .option('-R, --rootdir <path>', ROOTDIR)
    .action((pid: string, flags: Host) => run((context) => snapshot(context, pid, flags)));
}

async function snapshot(context: Context, pid: string, host: Host): Action {
  if (!/^\d{1,10}$/.test(pid))
    throw new UsageError(`error parsing PID argument: ${pid}: expected a number`, 2);
  checkRootdir(host);
  const now = new Date();
  const facts = processFacts(pid, now, host);
  const dir = ownFolder(join(FOLDER, pid));
  const path = join(dir, `snapshot_${Math.floor(now.getTime() / 1000)}`);
  // wx: what somebody put in our way is not written through.
  writeFileSync(path, `${JSON.stringify(facts, undefined, 2)}\n`, {mode: 0o600, flag: 'wx'});
  context.print(path);
  return 0;
}

/** A folder that only we can write to: the environment of a process may hold secrets, and /tmp is everybody's. */
function ownFolder(dir: string): string {
  if (!existsSync(FOLDER)) {
    mkdirSync(FOLDER, {recursive: true});
    chmodSync(FOLDER, 0o1777);
  }
  if (!existsSync(dir)) mkdirSync(dir, {mode: 0o700});
  const {uid} = lstatSync(dir);
  if (!lstatSync(dir).isDirectory() || uid !== process.getuid?.()) {
    throw new ScopeError('SCOPE_PERMISSION', `Snapshot failure: ${dir} belongs to somebody else`);
  }
  return dir;
}

function processFacts(pid: string, now: Date, host: Host): Record<string, unknown> {
  const dir = join(host.rootdir ?? '/', 'proc', pid);
  const read = (name: string): string => {
    try {
      return readFileSync(join(dir, name), 'utf8');
    } catch (cause) {
      const {code} = cause as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ESRCH')
        throw new ScopeError('SCOPE_NOT_FOUND', `Snapshot failure: no process ${pid}`, {cause});
      throw new ScopeError(
        'SCOPE_PERMISSION',
        `Snapshot failure: ${join(dir, name)}: ${(cause as Error).message}`,
        {cause},
      );
    }
  };
  const list = (name: string) =>
    read(name)
      .split('\0')
      .filter((w) => w !== '');
  const status = read('status');
  const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1] ?? '';
  const [uid, gid] = ['Uid', 'Gid'].map((name) => Number(field(name).split('\t')[1] ?? -1)) as [
    number,
    number,
  ];
  const inside = field('NSpid').split('\t').at(-1);
  const container = containerId(read('cgroup'));
  return {
    Time: now.toISOString(),
    Version: packageVersion(),
    Username: userNames(host).get(uid) ?? String(uid),
    Environment: list('environ'),
    Arch: arch(),
    Kernel: release(),
    ProcessName: read('comm').trim(),
    ProcessPath: readlinkSync(join(dir, 'exe')),
    ProcessArgs: list('cmdline').join(' '),
    Pid: Number(pid),
    ...(inside !== undefined && inside !== pid && {NamespacePid: Number(inside)}),
    ...(container !== '' && {ContainerId: container}),
    Uid: uid,
    Gid: gid,
    Hostname: hostname(),
  };
}
