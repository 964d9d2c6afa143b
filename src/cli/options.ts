// SPDX-License-Identifier: Apache-2.0
/** Flags that several subcommands share, and the checks of their values. */
import {type Command, InvalidArgumentError, Option} from 'commander';

/** A whole number not below `min`. */
export function integer(min: number): (text: string) => number {
  return (text) => {
    if (!/^-?\d{1,15}$/.test(text) || Number(text) < min) {
      throw new InvalidArgumentError(
        min > 0 ? 'expected a positive number' : `expected a number from ${min}`,
      );
    }
    return Number(text);
  };
}

/** Collects a repeatable flag whose values may be separated by commas. */
export function list(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), ...text.split(',').filter((t) => t !== '')];
}

/** `5s`, `1m`, `1h500ms`: a Go duration, as milliseconds. */
export function goDuration(text: string): number {
  const UNITS: Record<string, number> = {ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6};
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  const ms = parts.reduce((sum, [, n, unit]) => sum + Number(n) * UNITS[unit!]!, 0);
  if (parts.map((p) => p[0]).join('') !== text || ms <= 0) {
    throw new InvalidArgumentError('expected a duration such as 5s, 1m or 1h500ms');
  }
  return ms;
}

export const idOption = (): Option =>
  new Option('-i, --id <number>', 'session to read; the last one by default')
    .argParser(integer(-1))
    .default(-1, 'last');

/** Whether the user gave this flag. */
export const givenIn = (command: Command) => (flag: string) => {
  const name = flag.replace(/-(\w)/g, (_, c: string) => c.toUpperCase());
  return command.getOptionValueSource(name) === 'cli';
};
