// SPDX-License-Identifier: Apache-2.0
/** `scope watch`: the launcher does it; here are its flags and its help. */
import {type Command, Option} from 'commander';
import type {Action, Context} from './context.js';
import {goDuration} from './options.js';
import {launch} from './run.js';
import {addLaunchFlags} from './run-flags.js';

export function defineWatch(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  addLaunchFlags(command)
    .description('run a command again and again in one session')
    .addOption(
      new Option('-i, --interval <duration>', 'time from one start to the next: 5s, 1m, 1h500ms')
        .argParser(goDuration)
        .makeOptionMandatory(),
    )
    .argument('<command...>', 'the command and its arguments; `--` before it ends the flags')
    .passThroughOptions()
    .action(() => run(launch));
}
