// SPDX-License-Identifier: Apache-2.0
/**
 * `scope prepare WORKDIR -- FLAGS` (hidden): the launcher calls it when there are flags, SCOPE_* variables or a file.
 * Everything wrong is said here, before the command runs; then the session's scope.yml and the hub of its channels are
 * made, so that the first call of the command is already recorded as configured.
 */
import {existsSync, realpathSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {Command} from 'commander';
import {NATIVE} from '../base/root.js';
import {openFolder} from '../channel/index.js';
import {type Config, configText} from '../config/index.js';
import {hubOptions} from '../relay/hub.js';
import {FILES} from '../session/layout.js';
import type {Action, Context} from './context.js';
import {sessionConfig} from './run-config.js';
import {addLaunchFlags, checkRunFlags, type RunFlags} from './run-flags.js';

export function definePrepare(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('checks the flags of run and writes the configuration of a session')
    .argument('<workdir>')
    .argument('[flags...]')
    .action((workdir: string, flags: string[]) =>
      run((context) => prepare(context, command, workdir, flags)),
    );
}

async function prepare(context: Context, command: Command, workdir: string, words: string[]): Action {
  const flags = parseFlags(command, words);
  const config = sessionConfig(workdir, flags, context.env, process.cwd());
  writeFileSync(join(workdir, FILES.config), configText(config), {mode: 0o600});
  writeCrashWish(workdir, config);
  const channels = join(workdir, FILES.channels);
  if (existsSync(channels)) makeHub(context, realpathSync(channels), config, libraryOf(flags));
  return 0;
}

/** Tells the launcher to watch the command for crashes (native/inject/crash.h). */
function writeCrashWish(workdir: string, config: Config): void {
  const {backtrace, coredump} = config.libscope.snapshot;
  const words = [backtrace && 'backtrace', coredump && 'coredump'].filter(Boolean);
  if (words.length > 0) writeFileSync(join(workdir, 'crash'), `${words.join(' ')}\n`);
}

/** The launcher has looked whether it is there. */
function libraryOf({librarypath}: RunFlags): string {
  return librarypath === undefined ? NATIVE.libscope : join(realpathSync(librarypath), 'libscope.so');
}

function makeHub(context: Context, dir: string, config: Config, library: string): void {
  const plans = join(context.home, 'plans');
  openFolder(dir, {
    create: true,
    ...hubOptions(config),
    library,
    launcher: NATIVE.launcher,
    plans,
  }).close();
}

/** The flags as `scope run` names them in its messages. */
function parseFlags(outer: Command, words: string[]): RunFlags {
  const command = addLaunchFlags(new Command('run')).copyInheritedSettings(outer);
  command.parse(words, {from: 'user'});
  checkRunFlags(command);
  return command.opts<RunFlags>();
}
