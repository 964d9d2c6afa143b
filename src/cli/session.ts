// SPDX-License-Identifier: Apache-2.0
/** `scope session WORKDIR` (hidden): the relay of a session, started by the launcher or by a query in the background. */
import {existsSync, renameSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import type {Command} from 'commander';
import {configText} from '../config/index.js';
import {runSession} from '../relay/session.js';
import {FILES} from '../session/layout.js';
import {historyKeep, retain} from '../session/retention.js';
import type {Action, Context} from './context.js';
import {defaultSessionConfig} from './run-config.js';

export function defineSession(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('reads the channels of a session until all of its processes have ended')
    .argument('<workdir>')
    .action((workdir: string) => run((context) => session(context, workdir)));
}

async function session(context: Context, workdir: string): Action {
  writeConfig(workdir);
  const status = await runSession(workdir);
  // <home>/history/<session>
  retain(dirname(dirname(workdir)), historyKeep(context.env));
  return status;
}

/** The session's scope.yml when nothing was configured; else `prepare` has written it. */
function writeConfig(workdir: string): void {
  const path = join(workdir, FILES.config);
  if (existsSync(path)) return;
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, configText(defaultSessionConfig(workdir)), {mode: 0o600});
  renameSync(fresh, path);
}
