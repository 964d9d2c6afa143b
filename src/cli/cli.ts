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
    await program.parseAsync(words, {from: 'user'});
    return status;
  } catch (error) {
    // The launcher calls `prepare` for the user's `run`.
    return report(error, word === 'prepare' ? 'run' : word, context);
  }
}

/** Says what went wrong; commander has said its own part. */
function report(error: unknown, word: string, context: Context): number {
  if (error instanceof CommanderError) {
    const status = commanderStatus(error);
    if (status !== 0) context.warn(`Run 'scope ${word} --help' for usage.`);
    return status;
  }
  if (error instanceof UsageError) {
    context.warn(`error: ${error.message}`);
    context.warn(`Run 'scope ${word} --help' for usage.`);
    return error.status;
  }
  if (error instanceof ScopeError || isSystemError(error)) {
    context.warn(`error: ${error.message}`);
    return 1;
  }
  context.warn(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 1;
}

/** What the operating system refused: its message has the path, our stack would add nothing. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}
