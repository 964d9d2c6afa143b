// SPDX-License-Identifier: Apache-2.0
/** `scope logs`: what the relay of a session said. */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {type Command, Option} from 'commander';
import {ScopeError} from '../base/errors.js';
import {findSession} from '../session/history.js';
import {FILES} from '../session/layout.js';
import {readStatus} from '../session/status.js';
import type {Action, Context} from './context.js';
import {idOption, integer} from './options.js';

interface Flags {
  id: number;
  last: number;
}

export function defineLogs(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('show what the relay of a session said')
    .addOption(idOption())
    .addOption(new Option('-n, --last <number>', 'show the last N lines').argParser(integer(1)).default(20))
    .action((flags: Flags) => run((context) => logs(context, flags)));
}

async function logs(context: Context, flags: Flags): Action {
  const session = findSession(context.home, flags.id);
  const path = join(session.workdir, FILES.relayLog);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ScopeError('SCOPE_NOT_FOUND', `No log file present: ${path}`, {cause});
  }
  const notes = (readStatus(session.workdir)?.notes ?? []).map((n) => `note: ${n}`);
  const lines = [...text.split('\n').filter((l) => l !== ''), ...notes];
  if (lines.length === 0) context.print('No logs generated');
  for (const line of lines.slice(-flags.last)) context.print(line);
  return 0;
}
