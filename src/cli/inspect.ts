// SPDX-License-Identifier: Apache-2.0
/** `scope inspect [PID|NAME]`: configuration, destinations and identity of scoped processes. */
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import type {Command} from 'commander';
import {ScopeError} from '../base/errors.js';
import {type Config, configFor, load, loadConfig} from '../config/index.js';
import {settingsSource} from '../relay/compile.js';
import {ancestors, describe} from '../relay/process-info.js';
import {type Session, writerLives} from '../session/history.js';
import {FILES} from '../session/layout.js';
import {readStatus} from '../session/status.js';
import {type Action, type Context, UsageError} from './context.js';
import {
  type Host,
  ROOTDIR,
  type ScopedProcess,
  scopedProcess,
  scopedProcesses,
  sessionOf,
  sharesPids,
  withChannel,
} from './scoped.js';
import {settleSession} from './settled.js';

interface Flags extends Host {
  all?: boolean;
  json?: boolean;
}

/** A relay that was just started is there after so long. */
const RELAY_MS = 3_000;

export function defineInspect(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('show configuration and state of processes')
    .argument('[PID|NAME]', 'the process; may be left out when there is only one')
    .option('-a, --all', 'every scoped process')
    .option('-j, --json', 'one line for each process')
    .option('-R, --rootdir <path>', ROOTDIR)
    .action((word: string | undefined, flags: Flags) => run((context) => inspect(context, word, flags)));
}

/** Also what `attach --inspect` and `update --inspect` end with. */
export async function inspect(context: Context, word: string | undefined, flags: Flags): Action {
  if (flags.all && word !== undefined) {
    throw new UsageError('--all flag is mutually exclusive with PID or <process_name>');
  }
  const objects: Record<string, unknown>[] = [];
  for (const scoped of choose(word, flags)) objects.push(await describeScoped(context, scoped, flags));
  if (flags.json) for (const o of objects) context.print(JSON.stringify(o));
  else context.print(JSON.stringify(objects.length === 1 ? objects[0] : objects, undefined, 3));
  return 0;
}

function choose(word: string | undefined, flags: Flags): ScopedProcess[] {
  if (word !== undefined) return [scopedProcess(word, flags)];
  const {found} = scopedProcesses(flags);
  if (found.length === 0)
    throw new ScopeError('SCOPE_NOT_FOUND', 'Inspect failure: no scoped processes found');
  if (found.length > 1 && !flags.all) {
    throw new UsageError(
      `there are ${found.length} scoped processes: give a PID (${found.map((p) => p.pid).join(', ')}) or --all`,
    );
  }
  return found;
}

async function describeScoped(
  context: Context,
  scoped: ScopedProcess,
  host: Host,
): Promise<Record<string, unknown>> {
  // A relay that we cannot see looks dead, and would be started anew.
  const session = sharesPids(host) ? sessionOf(context.home, scoped) : undefined;
  if (session) await settleSession(context, session, RELAY_MS);
  return withChannel(scoped, (channel) => {
    const who = describe(channel);
    const config = configOf(context, session);
    const facts = {
      proc: who.proc,
      cmd: who.cmd,
      host: who.host,
      username: who.username,
      variable: (name: string) => who.env[name],
      ancestors: () => ancestors(channel),
    };
    const {configuration} = settingsSource(configFor(config, facts)).base;
    return {
      cfg: configuration,
      interfaces: interfaces(session),
      process: {
        pid: who.pid,
        ...(who.pid !== scoped.pid && {hostPid: scoped.pid}),
        uuid: who.uuid,
        id: who.id,
        machine_id: who.machineId,
        ...(who.containerId !== '' && {container_id: who.containerId}),
        state: channel.state,
        muted: channel.control().muted,
      },
    };
  });
}

function configOf(context: Context, session: Session | undefined): Config {
  const file = session && join(session.workdir, FILES.config);
  if (file && existsSync(file)) return loadConfig({file, env: {}, cwd: session.workdir});
  return load({env: context.env, cwd: process.cwd()}).config;
}

interface Destination {
  type?: string;
  state?: string;
  reason?: string;
  retried?: number;
}

/** The session itself, then its remote destinations. */
function interfaces(session: Session | undefined): Record<string, unknown>[] {
  if (!session) return [];
  const own = {name: 'session', connected: writerLives(session.workdir), config: `dir://${session.workdir}`};
  const remote = Object.entries(readStatus(session.workdir)?.destinations ?? {}).map(([name, value]) => {
    const {type, state, reason, retried} = value as Destination;
    const trouble =
      state === 'ok' ? {} : {attempts: retried, ...(reason !== undefined && {failure_details: reason})};
    return {name, connected: state === 'ok', config: type, ...trouble};
  });
  return [own, ...remote];
}
