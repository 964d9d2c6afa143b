// SPDX-License-Identifier: Apache-2.0
/** `scope run`: the launcher does it; here are its flags and its help. */
import {spawnSync} from 'node:child_process';
import type {Command} from 'commander';
import {NATIVE} from '../base/root.js';
import type {Action, Context} from './context.js';
import {addLaunchFlags} from './run-flags.js';

export function defineRun(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  addLaunchFlags(command)
    .description('run a command scoped, with flags')
    .argument('<command...>', 'the command and its arguments; `--` before it ends the flags')
    .passThroughOptions()
    .action(() => run(launch));
}

/** Only when Node was started by hand: hands the words to the launcher. */
export async function launch(context: Context): Action {
  const {status, error} = spawnSync(NATIVE.launcher, process.argv.slice(2), {stdio: 'inherit'});
  if (error) context.warn(`error: ${NATIVE.launcher}: ${error.message}`);
  return status ?? 1;
}
