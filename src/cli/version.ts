// SPDX-License-Identifier: Apache-2.0
/** `scope version`. */
import {readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import type {Command} from 'commander';
import {NATIVE, ROOT} from '../base/root.js';
import type {Action, Context} from './context.js';

interface Flags {
  summary?: boolean;
  date?: boolean;
  tag?: boolean;
}

export function defineVersion(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('show the version')
    .option('--summary', 'only the version with a leading v')
    .option('--date', 'only the build date')
    .option('--tag', 'only the version')
    .action((flags: Flags) => run((context) => version(context, flags)));
}

export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {version: string}).version;
}

function buildDate(): string {
  try {
    return statSync(NATIVE.libscope).mtime.toISOString();
  } catch {
    return 'not built';
  }
}

async function version(context: Context, flags: Flags): Action {
  if (flags.summary) context.print(`v${packageVersion()}`);
  if (flags.date) context.print(buildDate());
  if (flags.tag) context.print(packageVersion());
  if (flags.summary || flags.date || flags.tag) return 0;
  context.print(`Version: ${packageVersion()}`);
  context.print(`Build Date: ${buildDate()}`);
  return 0;
}
