// SPDX-License-Identifier: Apache-2.0
/**
 * `scope session WORKDIR` (hidden): the relay of a session, started by the launcher or by a query in the background.
 * main.ts begins it without loading the command line.
 */
import {dirname} from 'node:path';
import type {Command} from 'commander';
import type {Environment} from '../session/layout.js';
import {historyKeep, retain} from '../session/retention.js';
import type {Action, Context} from './context.js';

export function defineSession(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('reads the channels of a session until all of its processes have ended')
    .argument('<workdir>')
    .action((workdir: string) => run((context) => session(workdir, context.env)));
}

/** Runs the relay to its end, then lets the history keep its size. */
export async function session(workdir: string, env: Environment): Action {
  const {runSession} = await import('../relay/session.js');
  const status = await runSession(workdir);
  // <home>/history/<session>
  retain(dirname(dirname(workdir)), historyKeep(env));
  return status;
}
