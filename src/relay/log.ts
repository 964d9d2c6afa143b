// SPDX-License-Identifier: Apache-2.0
/** Log of a relay: one line per happening a person should read, `2026-11-29T23:00:00.000Z warning text`. */
import {appendFileSync, chmodSync, closeSync, openSync} from 'node:fs';

const LEVELS = ['trace', 'debug', 'info', 'warning', 'error', 'none'] as const;
export type Level = (typeof LEVELS)[number];

export interface Log {
  debug(text: string): void;
  info(text: string): void;
  warning(text: string): void;
  error(text: string): void;
}

/** Writes to a file (0600, opened for each line so that it may be rotated) or to `write`. */
export function createLog(level: Level, file: string | undefined, write: (line: string) => void): Log {
  const least = LEVELS.indexOf(level);
  if (file !== undefined) {
    closeSync(openSync(file, 'a', 0o600));
    chmodSync(file, 0o600);
  }
  const put = (own: Level, text: string): void => {
    if (LEVELS.indexOf(own) < least) return;
    const line = `${new Date().toISOString()} ${own} ${text.replaceAll('\n', '\n  ')}\n`;
    if (file === undefined) {
      write(line);
      return;
    }
    try {
      appendFileSync(file, line, {mode: 0o600});
    } catch {
      write(line); // a full disk must not end the relay
    }
  };
  return {
    debug: (text) => put('debug', text),
    info: (text) => put('info', text),
    warning: (text) => put('warning', text),
    error: (text) => put('error', text),
  };
}

/** Says nothing. */
export const SILENT: Log = {debug: () => {}, info: () => {}, warning: () => {}, error: () => {}};
