// SPDX-License-Identifier: Apache-2.0
/**
 * The subcommands. Each is one module, loaded only when it is the one wanted (or all, for help and completion);
 * native/launch/subcommands.h has the same words, which a test compares.
 */
import {Command, CommanderError} from 'commander';
import type {Action, Context} from './context.js';

export type Runner = (action: (context: Context) => Action) => Promise<void>;
type Define = (command: Command, run: Runner) => void;

/** Where help and complaints go. */
export interface Output {
  writeOut: (text: string) => void;
  writeErr: (text: string) => void;
  getOutHelpWidth?: () => number;
}

interface Entry {
  alias?: string;
  hidden?: boolean;
  load: () => Promise<Define>;
}

/** In the order of the help. */
export const SUBCOMMANDS: Readonly<Record<string, Entry>> = {
  run: {load: async () => (await import('./run.js')).defineRun},
  attach: {load: async () => (await import('./attach.js')).defineAttach},
  detach: {load: async () => (await import('./attach.js')).defineDetach},
  metrics: {load: async () => (await import('./metrics.js')).defineMetrics},
  events: {load: async () => (await import('./events.js')).defineEvents},
  history: {alias: 'hist', load: async () => (await import('./history.js')).defineHistory},
  flows: {load: async () => (await import('./flows.js')).defineFlows},
  dash: {load: async () => (await import('./dash.js')).defineDash},
  prune: {load: async () => (await import('./prune.js')).definePrune},
  logs: {load: async () => (await import('./logs.js')).defineLogs},
  ps: {load: async () => (await import('./ps.js')).definePs},
  inspect: {load: async () => (await import('./inspect.js')).defineInspect},
  update: {load: async () => (await import('./update.js')).defineUpdate},
  snapshot: {load: async () => (await import('./snapshot.js')).defineSnapshot},
  doctor: {load: async () => (await import('./doctor.js')).defineDoctor},
  watch: {load: async () => (await import('./watch.js')).defineWatch},
  extract: {load: async () => (await import('./extract.js')).defineExtract},
  relay: {load: async () => (await import('./relay.js')).defineRelay},
  completion: {load: async () => (await import('./completion.js')).defineCompletion},
  prepare: {hidden: true, load: async () => (await import('./prepare.js')).definePrepare},
  session: {hidden: true, load: async () => (await import('./session.js')).defineSession},
  version: {load: async () => (await import('./version.js')).defineVersion},
};

/** Name of the entry that a word calls; undefined: none. */
function entryOf(word: string | undefined): string | undefined {
  if (word === undefined) return undefined;
  if (Object.hasOwn(SUBCOMMANDS, word)) return word;
  return Object.keys(SUBCOMMANDS).find((name) => SUBCOMMANDS[name]!.alias === word);
}

const HEAD = `AppScope shows what any Linux program does: processes, files, network, console and log output.

  scope COMMAND [ARGUMENT…]        runs a command scoped; it behaves as always
  scope run [flags] -- COMMAND …   the same with flags
  scope SUBCOMMAND …               shows what was seen`;

/** The program with the wanted subcommand; with all of them when `word` is none of them. */
export async function createProgram(
  word: string | undefined,
  run: Runner,
  output?: Output,
): Promise<Command> {
  const program = new Command('scope')
    .usage('[subcommand | command] [options]')
    .description(HEAD)
    .enablePositionalOptions()
    .exitOverride();
  if (output) program.configureOutput(output);
  const wanted = entryOf(word);
  const names = wanted === undefined ? Object.keys(SUBCOMMANDS) : [wanted];
  for (const name of names) {
    const entry = SUBCOMMANDS[name]!;
    const command = program.command(name, {hidden: entry.hidden === true});
    if (entry.alias !== undefined) command.alias(entry.alias);
    (await entry.load())(command, run);
  }
  return program;
}

/** Status for what commander itself ended with: help and version are no fault. */
export function commanderStatus(error: CommanderError): number {
  if (error.exitCode === 0 || error.code === 'commander.help') return 0;
  return ['commander.missingArgument', 'commander.excessArguments', 'commander.unknownCommand'].includes(
    error.code,
  )
    ? 1
    : 2;
}

export {CommanderError};
