// SPDX-License-Identifier: Apache-2.0
/** `scope prune`: deletes sessions. */
import {type Command, Option} from 'commander';
import {isRunning, listSessions, type Session, writerLives} from '../session/history.js';
import {deleteAll} from '../session/retention.js';
import {type Action, type Context, refuseTogether, UsageError} from './context.js';
import {givenIn, integer} from './options.js';

interface Flags {
  keep?: number;
  delete?: number;
  all?: boolean;
  force?: boolean;
}

export function definePrune(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('delete sessions')
    .addOption(new Option('-k, --keep <number>', 'keep the last N, delete the others').argParser(integer(1)))
    .addOption(new Option('-d, --delete <number>', 'delete the last N').argParser(integer(1)))
    .option('-a, --all', 'delete all')
    .option('-f, --force', 'do not ask')
    .action((flags: Flags) => run((context) => prune(context, command, flags)));
}

async function prune(context: Context, command: Command, flags: Flags): Action {
  refuseTogether(givenIn(command), [
    ['keep', ['delete', 'all']],
    ['delete', ['all']],
  ]);
  const all = listSessions(context.home);
  const chosen = choose(all, flags);
  if (!flags.force && !(await confirmed(context, flags))) {
    context.print('Removed 0 sessions.');
    return 0;
  }
  await waitForRelays(chosen);
  const removed = deleteAll(chosen);
  context.print(`Removed ${removed} sessions.`);
  const kept = chosen.length - removed;
  if (kept > 0) context.warn(`${kept} running ${kept === 1 ? 'session was' : 'sessions were'} kept.`);
  return 0;
}

const WAIT_MS = 3_000;

/** A relay that has just seen its command end needs a moment to finish. */
async function waitForRelays(chosen: readonly Session[]): Promise<void> {
  const until = Date.now() + WAIT_MS;
  const busy = () => chosen.some((s) => writerLives(s.workdir) && !isRunning(s));
  while (busy() && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
}

function choose(all: readonly Session[], flags: Flags): Session[] {
  if (flags.all) return [...all];
  if (flags.keep !== undefined) return all.slice(0, Math.max(0, all.length - flags.keep));
  if (flags.delete !== undefined) return all.slice(-flags.delete);
  throw new UsageError('Must specify keep, delete, or all');
}

async function confirmed(context: Context, flags: Flags): Promise<boolean> {
  const what = flags.all
    ? 'all sessions'
    : flags.keep !== undefined
      ? `all but ${flags.keep} sessions`
      : `the last ${flags.delete} sessions`;
  const answer = await context.ask(`Are you sure you want to prune ${what}? (y/yes): `);
  return ['y', 'yes'].includes(answer.trim());
}
