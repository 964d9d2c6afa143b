// SPDX-License-Identifier: Apache-2.0
/** What every subcommand gets: where to write, the environment, the scope home. */
import {ScopeError} from '../base/errors.js';
import {type Environment, scopeHome} from '../session/layout.js';
import {createTerminal, type Terminal} from '../view/terminal.js';

export interface Context {
  env: Environment;
  home: string;
  /** Writes one line to stdout. */
  print(line: string): void;
  /** Writes text to stdout as it is. */
  write(text: string | Uint8Array): void;
  /** Writes one line to stderr. */
  warn(line: string): void;
  /** The terminal on stdout; `colour` forces colours on or off. */
  terminal(colour?: boolean): Terminal;
  /** Asks on stderr, reads a line of stdin; the empty text when there is none. */
  ask(question: string): Promise<string>;
}

/** Does a subcommand; resolves to the exit status. */
export type Action = Promise<number>;

export function createContext(env: Environment): Context {
  return {
    env,
    home: scopeHome(env),
    print: (line) => {
      process.stdout.write(`${line}\n`);
    },
    write: (text) => {
      process.stdout.write(text);
    },
    warn: (line) => {
      process.stderr.write(`${line}\n`);
    },
    terminal: (colour) => createTerminal(process.stdout, env, colour),
    ask,
  };
}

async function ask(question: string): Promise<string> {
  process.stderr.write(question);
  const {createInterface} = await import('node:readline');
  const lines = createInterface({input: process.stdin});
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
  }
}

/** A fault of the command line. Status 1: flags that exclude each other, arguments missing; 2: unknown flag, bad value. */
export class UsageError extends ScopeError {
  readonly status: 1 | 2;

  constructor(message: string, status: 1 | 2 = 1) {
    super('SCOPE_USAGE', message);
    this.status = status;
  }
}

/** Refuses pairs of flags: `rows` are [flag, the flags it excludes]. */
export function refuseTogether(given: (flag: string) => boolean, rows: [string, string[]][]): void {
  for (const [flag, others] of rows) {
    if (!given(flag)) continue;
    const other = others.find((o) => o !== flag && given(o));
    if (other) throw new UsageError(`Cannot specify --${flag} and --${other}`);
  }
}
