// SPDX-License-Identifier: Apache-2.0
/** Runs one subcommand: words in, exit status out. */
import {CommanderError} from 'commander';
import {ScopeError} from '../base/errors.js';
import {type Context, UsageError} from './context.js';
import {commanderStatus, createProgram} from './program.js';

/** Resolves to the exit status; never throws. */
export async function runCli(argv: readonly string[], context: Context): Promise<number> {
  const words = argv.length === 0 ? ['help'] : [...argv];
  const word = words[0]!;
  let status = 0;
  let usage: string | undefined;
  try {
    const {width} = context.terminal();
    const output = {
      writeOut: (text: string) => context.write(text),
      writeErr: (text: string) => context.warn(text.trimEnd()),
      getOutHelpWidth: () => (Number.isFinite(width) ? width : 100),
    };
    const program = await createProgram(
      word,
      async (action) => {
        status = await action(context);
      },
      output,
    );
    const command = program.commands.find((c) => c.name() === word || c.aliases().includes(word));
    if (command) usage = command.usage();
    await program.parseAsync(words, {from: 'user'});
    return status;
  } catch (error) {
    // The launcher calls `prepare` for the user's `run`.
    if (word === 'prepare') return report(error, 'run [flags] [--] COMMAND [ARGUMENT…]', context);
    return report(error, usage === undefined ? '' : `${word} ${usage}`, context);
  }
}

/** Says what went wrong; commander has said its own part. */
function report(error: unknown, usage: string, context: Context): number {
  if (error instanceof CommanderError) {
    const status = commanderStatus(error);
    if (status !== 0) sayUsage(usage, context);
    return status;
  }
  if (error instanceof UsageError) {
    context.warn(`error: ${error.message}`);
    sayUsage(usage, context);
    return error.status;
  }
  if (error instanceof ScopeError || isSystemError(error)) {
    context.warn(`error: ${error.message}`);
    return 1;
  }
  context.warn(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 1;
}

function sayUsage(usage: string, context: Context): void {
  if (usage !== '') context.warn(`Usage: scope ${usage}`);
  context.warn(`Run '${`scope ${usage.split(' ')[0]}`.trimEnd()} --help' for more.`);
}

/** What the operating system refused: its message has the path, our stack would add nothing. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}
