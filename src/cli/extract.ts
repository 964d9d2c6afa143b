// SPDX-License-Identifier: Apache-2.0
/** `scope extract DIR`: copies the library and the commented configuration, for use without the CLI. */
import {chmodSync, copyFileSync, mkdirSync, statSync} from 'node:fs';
import {join} from 'node:path';
import type {Command} from 'commander';
import {ScopeError} from '../base/errors.js';
import {NATIVE, ROOT} from '../base/root.js';
import type {Action, Context} from './context.js';

interface Flags {
  parents?: boolean;
}

export function defineExtract(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('copy libscope.so and scope.yml to a folder')
    .argument('<dir>', 'an existing folder')
    .option('-p, --parents', 'make the folder and its parents')
    .aliases(['excrete', 'expunge', 'extricate', 'exorcise'])
    .action((dir: string, flags: Flags) => run((context) => extract(context, dir, flags)));
}

async function extract(context: Context, dir: string, flags: Flags): Action {
  if (flags.parents) mkdirSync(dir, {recursive: true, mode: 0o755});
  if (!statSync(dir, {throwIfNoEntry: false})?.isDirectory()) {
    throw new ScopeError('SCOPE_NOT_FOUND', `${dir} does not exist or is not a directory`);
  }
  copy(NATIVE.library, join(dir, 'libscope.so'), 0o755);
  copy(join(ROOT, 'config/scope.yml'), join(dir, 'scope.yml'), 0o644);
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
