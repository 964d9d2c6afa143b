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
  /** Heading in the help. */
  group?: string;
  hidden?: boolean;
  load: () => Promise<Define>;
}

/** In the order of the help. */
export const SUBCOMMANDS: Readonly<Record<string, Entry>> = {
  run: {group: 'Run', load: async () => (await import('./run.js')).defineRun},
  watch: {group: 'Run', load: async () => (await import('./watch.js')).defineWatch},
  attach: {group: 'Run', load: async () => (await import('./attach.js')).defineAttach},
  detach: {group: 'Run', load: async () => (await import('./attach.js')).defineDetach},
  metrics: {group: 'Read', load: async () => (await import('./metrics.js')).defineMetrics},
  events: {group: 'Read', load: async () => (await import('./events.js')).defineEvents},
  flows: {group: 'Read', load: async () => (await import('./flows.js')).defineFlows},
  dash: {group: 'Read', load: async () => (await import('./dash.js')).defineDash},
  history: {alias: 'hist', group: 'Read', load: async () => (await import('./history.js')).defineHistory},
  logs: {group: 'Read', load: async () => (await import('./logs.js')).defineLogs},
  ps: {group: 'Look after', load: async () => (await import('./ps.js')).definePs},
  inspect: {group: 'Look after', load: async () => (await import('./inspect.js')).defineInspect},
  update: {group: 'Look after', load: async () => (await import('./update.js')).defineUpdate},
  snapshot: {group: 'Look after', load: async () => (await import('./snapshot.js')).defineSnapshot},
  doctor: {group: 'Look after', load: async () => (await import('./doctor.js')).defineDoctor},
  prune: {group: 'Look after', load: async () => (await import('./prune.js')).definePrune},
  relay: {group: 'More', load: async () => (await import('./relay.js')).defineRelay},
  extract: {group: 'More', load: async () => (await import('./extract.js')).defineExtract},
  completion: {group: 'More', load: async () => (await import('./completion.js')).defineCompletion},
  version: {group: 'More', load: async () => (await import('./version.js')).defineVersion},
  prepare: {hidden: true, load: async () => (await import('./prepare.js')).definePrepare},
  session: {hidden: true, load: async () => (await import('./session.js')).defineSession},
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
    .addHelpCommand(new Command('help').argument('[command]').description('show help').helpGroup('More:'))
    .exitOverride();
  if (output) program.configureOutput(output);
  const wanted = entryOf(word);
  const names = wanted === undefined ? Object.keys(SUBCOMMANDS) : [wanted];
  for (const name of names) {
    const entry = SUBCOMMANDS[name]!;
    const command = program.command(name, {hidden: entry.hidden === true});
    if (entry.group !== undefined) command.helpGroup(`${entry.group}:`);
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
