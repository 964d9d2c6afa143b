// SPDX-License-Identifier: Apache-2.0
/**
 * `scope update PID -c FILE`: gives a running session another configuration. The new scope.yml takes the old one's
 * place, the living channels are told at once what to record, and the session's relay is started anew, which loses
 * nothing: it goes on from where the old one stopped.
 */
import {renameSync, writeFileSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import type {Command} from 'commander';
import {ScopeError} from '../base/errors.js';
import {openFolder} from '../channel/index.js';
import {type Config, configText} from '../config/index.js';
import {hubOptions} from '../relay/hub.js';
import {type Session, writerLives, writerPid} from '../session/history.js';
import {FILES} from '../session/layout.js';
import {type Action, type Context, UsageError} from './context.js';
import {inspect} from './inspect.js';
import {textSessionConfig} from './run-config.js';
import {
  checkRootdir,
  type Host,
  ROOTDIR,
  type ScopedProcess,
  scopedProcess,
  sessionOf,
  sharesPids,
} from './scoped.js';
import {startRelay} from './settled.js';

interface Flags extends Host {
  config?: string;
  inspect?: boolean;
  json?: boolean;
}

const STOP_MS = 10_000;

export function defineUpdate(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('change the configuration of a running session')
    .argument('<PID>', 'a process of the session')
    .option('-c, --config <file>', 'the configuration; without it stdin is read')
    .option('-i, --inspect', 'show the new configuration and state')
    .option('-j, --json', 'with --inspect, on one line')
    .option('-R, --rootdir <path>', ROOTDIR)
    .action((pid: string, flags: Flags) => run((context) => update(context, pid, flags)));
}

async function update(context: Context, pid: string, flags: Flags): Action {
  if (!/^\d{1,10}$/.test(pid))
    throw new UsageError(`error parsing PID argument: ${pid}: expected a number`, 2);
  if (flags.json && !flags.inspect) throw new UsageError('--json needs --inspect');
  checkRootdir(flags);
  if (!sharesPids(flags)) {
    throw new ScopeError(
      'SCOPE_NOT_FOUND',
      `the processes of ${flags.rootdir} are in another pid namespace, and so is the relay of the session: run this container with the host's pid namespace (--pid=host, hostPID: true)`,
    );
  }
  const scoped = scopedProcess(pid, flags);
  const session = sessionOf(context.home, scoped);
  if (!session) {
    throw new ScopeError(
      'SCOPE_NOT_FOUND',
      `process ${pid} belongs to a scope relay: change the relay's configuration and send it SIGHUP`,
    );
  }
  const {text, file} = await input(flags);
  apply(scoped, session, textSessionConfig(session.workdir, text, file, context.env, process.cwd()));
  await restartRelay(session);
  context.warn('Update Scope configuration success.');
  if (!flags.inspect) return 0;
  const {json = false, rootdir} = flags;
  return inspect(context, pid, {json, ...(rootdir !== undefined && {rootdir})});
}

async function input(flags: Flags): Promise<{text: string; file: string}> {
  const file = flags.config ?? '/dev/stdin';
  try {
    return {text: await readFile(file, 'utf8'), file: flags.config ?? 'stdin'};
  } catch (cause) {
    throw new ScopeError('SCOPE_NOT_FOUND', `Configuration file: ${file} does not exist`, {cause});
  }
}

function apply(scoped: ScopedProcess, session: Session, config: Config): void {
  const path = join(session.workdir, FILES.config);
  writeFileSync(`${path}.new`, configText(config), {mode: 0o600});
  renameSync(`${path}.new`, path);
  const {control, fileWatch} = hubOptions(config);
  const folder = openFolder(dirname(scoped.channel));
  try {
    folder.scan();
    folder.setFileWatch(fileWatch);
    folder.setControl(control);
  } finally {
    folder.close();
  }
}

async function restartRelay(session: Session): Promise<void> {
  const {workdir} = session;
  const pid = writerPid(workdir);
  if (pid !== undefined) process.kill(pid, 'SIGTERM');
  const until = Date.now() + STOP_MS;
  while (writerLives(workdir)) {
    if (Date.now() > until)
      throw new ScopeError('SCOPE_IO', `the relay of session ${session.id} does not stop`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  startRelay(workdir);
}
