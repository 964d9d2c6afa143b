// SPDX-License-Identifier: Apache-2.0
/**
 * References to environment variables inside texts of the file. They are resolved after parsing, so they never add
 * structure, and in one pass, so what a variable holds is never taken for a reference.
 */

export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\{env:([A-Za-z_][A-Za-z0-9_]*)(?::(-|\?)([^}]*))?\}/g;
const BROKEN = /\$\{env:[^}]*(\}|$)/;
type Fail = (message: string) => void;

function reference(env: Environment, found: RegExpMatchArray, fail: Fail): string {
  const [, name, operator, argument = ''] = found as unknown as [string, string, string?, string?];
  const value = env[name];
  if (value !== undefined && value !== '') return value;
  if (operator === '-') return argument;
  if (operator === '?') fail(`${name} is not set: ${argument || 'it is required'}`);
  else if (value === undefined) {
    fail(`environment variable ${name} is not set (use \${env:${name}:-default} for a default)`);
  }
  return '';
}

/**
 * AppScope 1.x's references: `$NAME` becomes the variable, and stays as it is when that is not set; `\$` is a plain `$`.
 * In regular expressions (`regex`) the backslash stays: there `\$` already means a plain `$`.
 */
export function substituteOld(text: string, env: Environment, regex: boolean): string {
  if (!text.includes('$')) return text;
  return text.replace(/(\\?)\$([a-zA-Z0-9_]+)/g, (whole: string, slash: string, name: string) => {
    if (slash) return regex ? whole : whole.slice(1);
    return env[name] ?? whole;
  });
}

/** The text with references of both kinds replaced; each failure is told to `fail`. */
export function substitute(text: string, env: Environment, regex: boolean, fail: Fail): string {
  if (!text.includes('$')) return text;
  let out = '';
  let at = 0;
  const plain = (part: string): string => {
    const broken = BROKEN.exec(part);
    if (broken) {
      fail(
        `${broken[0]} is not a reference: expected \${env:NAME}, \${env:NAME:-default} or \${env:NAME:?message}`,
      );
    }
    return substituteOld(part, env, regex);
  };
  for (const found of text.matchAll(REFERENCE)) {
    out += plain(text.slice(at, found.index)) + reference(env, found, fail);
    at = found.index + found[0].length;
  }
  return out + plain(text.slice(at));
}
