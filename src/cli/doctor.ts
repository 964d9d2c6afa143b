// SPDX-License-Identifier: Apache-2.0
/** `scope doctor [PID|COMMAND]`: what will be seen and what not, and why. */
import {accessSync, constants, statSync} from 'node:fs';
import {delimiter, join} from 'node:path';
import type {Command} from 'commander';
import {ScopeError} from '../base/errors.js';
import {diagnoseKernel, diagnoseProcess, diagnoseProgram, type Finding} from '../platform/diagnose.js';
import {readElf} from '../platform/elf.js';
import {hasCapabilities, kernelFacts, processFacts} from '../platform/kernel.js';
import type {Action, Context} from './context.js';

interface Flags {
  json?: boolean;
}

export function defineDoctor(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('say what will be seen of a program and what not, and why')
    .argument('[PID|COMMAND]', 'a running process or a command; without it, this machine')
    .option('-j, --json', 'write one JSON object for each finding')
    .action((subject: string | undefined, flags: Flags) => run((context) => doctor(context, subject, flags)));
}

/** Status 1 when something blocks. */
async function doctor(context: Context, subject: string | undefined, flags: Flags): Action {
  const found = examine(subject, context.env.PATH ?? '/usr/bin:/bin');
  if (flags.json) for (const finding of found) context.print(JSON.stringify(finding));
  else context.print(render(found));
  return found.some((finding) => finding.level === 'block') ? 1 : 0;
}

const SIGN = {ok: '  ok   ', note: '  note ', limit: '  LIMIT', block: '  BLOCK'} as const;

function find(command: string, path: string): string {
  const tries = command.includes('/')
    ? [command]
    : path.split(delimiter).map((dir) => join(dir || '.', command));
  for (const file of tries) {
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      // the next one
    }
  }
  throw new ScopeError('SCOPE_NOT_FOUND', `${command}: command not found`);
}

/** All findings about a subject; without one, about this machine. `path`: the PATH to search. */
export function examine(subject: string | undefined, path: string): Finding[] {
  const kernel = kernelFacts();
  const found = diagnoseKernel(kernel);
  if (subject === undefined) return found;
  if (/^\d+$/.test(subject)) {
    const facts = processFacts(Number(subject));
    if (!facts) throw new ScopeError('SCOPE_NOT_FOUND', `no process ${subject}`);
    const elf = readElf(`/proc/${subject}/exe`);
    const program = diagnoseProgram(facts.exe, elf).filter((f) => f.subject !== 'tls');
    return [...found, ...program, ...diagnoseProcess(facts, kernel, {uid: process.getuid?.() ?? 0})];
  }
  const file = find(subject, path);
  const mode = statSync(file);
  const setuid = (mode.mode & 0o6000) !== 0 && process.getuid?.() !== mode.uid;
  const capabilities = process.getuid?.() !== 0 && hasCapabilities(file);
  return [...found, ...diagnoseProgram(file, readElf(file), {setuid, capabilities})];
}

/** Text of the findings, one a line. */
export function render(found: readonly Finding[]): string {
  const width = Math.max(...found.map((f) => f.subject.length));
  return found.map((f) => `${SIGN[f.level]} ${f.subject.padEnd(width)}  ${f.text}`).join('\n');
}
