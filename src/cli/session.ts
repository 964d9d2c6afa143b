// SPDX-License-Identifier: Apache-2.0
/** `scope session WORKDIR` (hidden): the relay of a session, started by the launcher or by a query in the background. */
import type {Command} from 'commander';
import type {Action, Context} from './context.js';

export function defineSession(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('reads the channels of a session until all of its processes have ended')
    .argument('<workdir>')
    .action((workdir: string) => run(async () => (await import('../relay/session.js')).runSession(workdir)));
}
