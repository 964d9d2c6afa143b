// SPDX-License-Identifier: Apache-2.0
/** `scope snapshot PID`: writes what the system knows of a process to /tmp/appscope/PID/snapshot_EPOCH. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import {arch, hostname, release} from 'node:os';
import {join} from 'node:path';
import type {Command} from 'commander';
import {ScopeError} from '../base/errors.js';
import {type Action, type Context, UsageError} from './context.js';
import {packageVersion} from './version.js';

const FOLDER = '/tmp/appscope';

export function defineSnapshot(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('write down what is known of a process')
    .argument('<PID>', 'the process')
    .action((pid: string) => run((context) => snapshot(context, pid)));
}

async function snapshot(context: Context, pid: string): Action {
  if (!/^\d{1,10}$/.test(pid))
    throw new UsageError(`error parsing PID argument: ${pid}: expected a number`, 2);
  const now = new Date();
  const facts = processFacts(pid, now);
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

function processFacts(pid: string, now: Date): Record<string, unknown> {
  const read = (name: string): string => {
    try {
      return readFileSync(`/proc/${pid}/${name}`, 'utf8');
    } catch (cause) {
      const {code} = cause as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ESRCH')
        throw new ScopeError('SCOPE_NOT_FOUND', `Snapshot failure: no process ${pid}`, {cause});
      throw new ScopeError(
        'SCOPE_PERMISSION',
        `Snapshot failure: /proc/${pid}/${name}: ${(cause as Error).message}`,
        {cause},
      );
    }
  };
  const list = (name: string) =>
    read(name)
      .split('\0')
      .filter((w) => w !== '');
  const {uid, gid} = statSync(`/proc/${pid}`, {throwIfNoEntry: false}) ?? {uid: -1, gid: -1};
  return {
    Time: now.toISOString(),
    Version: packageVersion(),
    Username: userName(uid),
    Environment: list('environ'),
    Arch: arch(),
    Kernel: release(),
    ProcessName: read('comm').trim(),
    ProcessPath: readlinkSync(`/proc/${pid}/exe`),
    ProcessArgs: list('cmdline').join(' '),
    Pid: Number(pid),
    Uid: uid,
    Gid: gid,
    Hostname: hostname(),
  };
}

function userName(uid: number): string {
  const lines = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((l) => l.split(':'));
  return lines.find((f) => f[2] === String(uid))?.[0] ?? String(uid);
}
