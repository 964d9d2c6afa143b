// SPDX-License-Identifier: Apache-2.0
/** `scope ps`: the processes that are scoped now. */
import {readdirSync, readFileSync, statSync} from 'node:fs';
import type {Command} from 'commander';
import {type Column, table} from '../view/table.js';
import {oneLine} from '../view/text.js';
import type {Action, Context} from './context.js';

interface Flags {
  json?: boolean;
}

/** A process with the library in it. */
export interface ScopedProcess {
  pid: number;
  user: string;
  command: string;
}

export function definePs(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('list scoped processes')
    .option('-j, --json', 'write one JSON object for each process')
    .action((flags: Flags) => run((context) => ps(context, flags)));
}

async function ps(context: Context, flags: Flags): Action {
  const {found, hidden} = scopedProcesses();
  if (hidden > 0 && process.getuid?.() !== 0)
    context.warn('INFO: Run as root (or via sudo) to see all scoped processes');
  if (flags.json) {
    for (const p of found) context.print(JSON.stringify(p));
    return 0;
  }
  const columns: Column[] = [
    {title: 'Id', right: true},
    {title: 'Pid', right: true},
    {title: 'User'},
    {title: 'Command', shrink: true, min: 10},
  ];
  const rows = found.map((p, i) => [String(i + 1), String(p.pid), p.user, p.command]);
  const {width, paint} = context.terminal();
  for (const line of table(columns, rows, width, paint)) context.print(line);
  return 0;
}

/** Every process that has libscope.so mapped; `hidden` counts those whose maps may not be read. */
export function scopedProcesses(): {found: ScopedProcess[]; hidden: number} {
  const users = userNames();
  const found: ScopedProcess[] = [];
  let hidden = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (!readFileSync(`/proc/${name}/maps`, 'latin1').includes('libscope.so')) continue;
      const {uid} = statSync(`/proc/${name}`);
      found.push({pid: Number(name), user: users.get(uid) ?? String(uid), command: commandLine(name)});
    } catch (cause) {
      if (['EACCES', 'EPERM'].includes((cause as NodeJS.ErrnoException).code ?? '')) hidden += 1;
    }
  }
  return {found: found.sort((a, b) => a.pid - b.pid), hidden};
}

function commandLine(pid: string): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    .split('\0')
    .filter((w) => w !== '');
  return oneLine(words.join(' ')) || readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
}

function userNames(): Map<number, string> {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((l) => l.split(':'));
    return new Map(lines.filter((f) => f.length > 2).map((f) => [Number(f[2]), f[0]!]));
  } catch {
    return new Map();
  }
}
