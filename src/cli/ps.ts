// SPDX-License-Identifier: Apache-2.0
/** `scope ps`: the processes that are scoped now. */
import {dirname} from 'node:path';
import type {Command} from 'commander';
import {type Column, table} from '../view/table.js';
import type {Action, Context} from './context.js';
import {type Host, inFolder, ROOTDIR, type ScopedProcess, scopedProcesses} from './scoped.js';

interface Flags extends Host {
  json?: boolean;
}

export function definePs(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('list scoped processes')
    .option('-j, --json', 'write one JSON object for each process')
    .option('-R, --rootdir <path>', ROOTDIR)
    .action((flags: Flags) => run((context) => ps(context, flags)));
}

async function ps(context: Context, flags: Flags): Action {
  const {found, hidden} = scopedProcesses(flags);
  if (hidden > 0 && process.getuid?.() !== 0) {
    context.warn('INFO: Run as root (or via sudo) to see all scoped processes');
  }
  const shown = active(found);
  if (flags.json) {
    for (const {pid, user, command} of shown) context.print(JSON.stringify({pid, user, command}));
    return 0;
  }
  const columns: Column[] = [
    {title: 'Id', right: true},
    {title: 'Pid', right: true},
    {title: 'User'},
    {title: 'Command', shrink: true, min: 10},
  ];
  const rows = shown.map((p, i) => [String(i + 1), String(p.pid), p.user, p.command]);
  const {width, paint} = context.terminal();
  for (const line of table(columns, rows, width, paint)) context.print(line);
  return 0;
}

/** Those that are not detached; a channel that cannot be read says nothing against it. */
function active(found: ScopedProcess[]): ScopedProcess[] {
  const silent = new Set<string>();
  // A folder is opened once, however many processes it has.
  for (const dir of new Set(found.map((p) => dirname(p.channel)))) {
    try {
      inFolder(dir, (folder) => {
        for (const channel of folder.channels.values())
          if (channel.state === 'detached' || channel.control().muted) silent.add(channel.path);
      });
    } catch {
      // Not ours to read, or gone.
    }
  }
  return found.filter((p) => !silent.has(p.channel));
}
