// SPDX-License-Identifier: Apache-2.0
/** References to environment variables inside texts of the file; resolved after parsing, so they never add structure. */

export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\{env:([A-Za-z_][A-Za-z0-9_]*)(?::(-|\?)([^}]*))?\}/g;
const BROKEN = /\$\{env:[^}]*(\}|$)/;

/** The text with its references replaced; each failure is told to `fail`. */
export function substitute(text: string, env: Environment, fail: (message: string) => void): string {
  if (!text.includes('$')) return text;

  const out = text.replace(REFERENCE, (_, name: string, operator: string | undefined, argument = '') => {
    const value = env[name];
    if (value !== undefined && value !== '') return value;
    if (operator === '-') return argument;
    if (operator === '?') fail(`${name} is not set: ${argument || 'it is required'}`);
    else if (value === undefined)
      fail(`environment variable ${name} is not set (use \${env:${name}:-default} for a default)`);
    return '';
  });
  const rest = text.replace(REFERENCE, '');
  const broken = BROKEN.exec(rest);
  if (broken)
    fail(
      `${broken[0]} is not a reference: expected \${env:NAME}, \${env:NAME:-default} or \${env:NAME:?message}`,
    );
  return out;
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
