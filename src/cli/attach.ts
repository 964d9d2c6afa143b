// SPDX-License-Identifier: Apache-2.0
/** `scope attach` and `scope detach`: the launcher does both; here are their flags and their help. */
import {spawnSync} from 'node:child_process';
import type {Command} from 'commander';
import {NATIVE} from '../base/root.js';
import type {Action, Context} from './context.js';
import {addRunFlags} from './run-flags.js';
import {ROOTDIR} from './scoped.js';

type Run = (action: (context: Context) => Action) => Promise<void>;

export function defineAttach(command: Command, run: Run): void {
  addRunFlags(command)
    .description('observe a running process from now on')
    .option('--all', 'every process with such a name, each in a session of its own')
    .option('-i, --inspect', 'then show configuration and state')
    .option('-j, --json', 'with --inspect, on one line')
    .option('-R, --rootdir <path>', ROOTDIR)
    .argument('<PID|NAME>', 'the process, or a part of its name; of several, a terminal is asked')
    .action(() => run(launch));
}

export function defineDetach(command: Command, run: Run): void {
  command
    .description('take the library out of a process again')
    .option('-a, --all', 'every scoped process')
    .option('-w, --wait', 'accepted for scripts; detaching is done when the command returns')
    .option('-R, --rootdir <path>', ROOTDIR)
    .argument('[PID|NAME]', 'the process, or a part of its name; left out, a terminal is asked')
    .action(() => run(launch));
}

/** Only when Node was started by hand: hands the words to the launcher. */
async function launch(context: Context): Action {
  const {status, error} = spawnSync(NATIVE.launcher, process.argv.slice(2), {stdio: 'inherit'});
  if (error) context.warn(`error: ${NATIVE.launcher}: ${error.message}`);
  return status ?? 1;
}
