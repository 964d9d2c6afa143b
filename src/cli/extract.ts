// SPDX-License-Identifier: Apache-2.0
/** `scope extract DIR`: copies the library and the commented configuration, for use without the CLI. */
import {chmodSync, copyFileSync, mkdirSync, statSync, writeFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import type {Command} from 'commander';
import {ScopeError} from '../base/errors.js';
import {NATIVE, ROOT} from '../base/root.js';
import {configText} from '../config/index.js';
import type {Action, Context} from './context.js';
import {destinationConfig, hasDestination} from './run-config.js';
import {addDestinationFlags, checkRunFlags, type RunFlags} from './run-flags.js';

interface Flags extends RunFlags {
  parents?: boolean;
}

export function defineExtract(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  addDestinationFlags(command)
    .description('copy libscope.so and scope.yml to a folder')
    .argument('<dir>', 'an existing folder')
    .option('-p, --parents', 'make the folder and its parents')
    .aliases(['excrete', 'expunge', 'extricate', 'exorcise'])
    .action((dir: string, flags: Flags) => run((context) => extract(context, command, dir, flags)));
}

async function extract(context: Context, command: Command, dir: string, flags: Flags): Action {
  checkRunFlags(command);
  if (flags.parents) mkdirSync(dir, {recursive: true, mode: 0o755});
  if (!statSync(dir, {throwIfNoEntry: false})?.isDirectory()) {
    throw new ScopeError('SCOPE_NOT_FOUND', `${dir} does not exist or is not a directory`);
  }
  copy(NATIVE.libscope, join(dir, 'libscope.so'), 0o755);
  const own = hasDestination(flags);
  copy(join(ROOT, 'config/scope.yml'), join(dir, own ? 'scope_example.yml' : 'scope.yml'), 0o644);
  // Relative paths of files are taken from the folder that the library is used from.
  if (own)
    writeFileSync(join(dir, 'scope.yml'), configText(destinationConfig(flags, resolve(dir))), {mode: 0o600});
  context.print(`Successfully extracted to ${dir}.`);
  return 0;
}

function copy(from: string, to: string, mode: number): void {
  try {
    copyFileSync(from, to);
    chmodSync(to, mode);
  } catch (cause) {
    throw new ScopeError('SCOPE_IO', `${to}: ${(cause as Error).message}`, {cause});
  }
}
