// SPDX-License-Identifier: Apache-2.0
/** Finds, reads, merges and checks the configuration: flags, then environment, then file, then defaults. */
import {closeSync, fstatSync, openSync, readFileSync} from 'node:fs';
import {homedir} from 'node:os';
import {join, resolve as resolvePath} from 'node:path';
import {checkMeaning} from './check.js';
import {type Document, readDocument} from './document.js';
import {fill} from './fill.js';
import {withImplicit} from './implicit.js';
import {environmentOverrides, type Override, setValue} from './overrides.js';
import {ConfigError, type Origin, type Problem} from './problem.js';
import {type Path, pathText, ROOT_SCHEMA} from './schema.js';
import type {Environment} from './substitute.js';
import type {Config, EventWatchConfig} from './types.js';
import {type Finding, validateShape} from './validate.js';
import {completeWatch} from './watch.js';

export interface LoadOptions {
  /** The file of `-u`; without it the search path decides, and no file at all is fine. `-` is not read here. */
  file?: string;
  env: Environment;
  cwd: string;
  /** What flags set; they win over everything. */
  flags?: readonly Override[];
  /** Instead of reading a file: its text (named `file` in messages). */
  text?: string;
  /** `$` has no meaning in the text: it was written by configText(), with everything resolved. */
  literal?: boolean;
}

export interface Loaded {
  config: Config;
  /** The file that was read. */
  file?: string;
  /** Where a value comes from, by path; the nearest enclosing path counts. */
  origin(path: Path): Origin;
}

/** The places where a file is looked for when none is named, in order. */
export function searchPath(env: Environment, cwd: string): string[] {
  const home = env.SCOPE_HOME;
  const user = env.HOME ?? homedir();
  return [
    ...(env.SCOPE_CONF_PATH ? [resolvePath(cwd, env.SCOPE_CONF_PATH)] : []),
    ...(home ? [join(home, 'conf/scope.yml'), join(home, 'scope.yml')] : []),
    '/etc/scope/scope.yml',
    join(user, 'conf/scope.yml'),
    join(user, 'scope.yml'),
    join(cwd, 'conf/scope.yml'),
    join(cwd, 'scope.yml'),
  ];
}

/** The file that counts: the first of the search path that can be opened. */
export function findFile(env: Environment, cwd: string): string | undefined {
  return searchPath(env, cwd).find((path) => {
    try {
      const fd = openSync(path, 'r');
      const regular = !fstatSync(fd).isDirectory();
      closeSync(fd);
      return regular;
    } catch {
      return false;
    }
  });
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why: Record<string, string> = {
      ENOENT: 'there is no such file',
      EACCES: 'may not be read',
      EISDIR: 'is a folder',
    };
    throw new ConfigError([
      {origin: {kind: 'file', file, line: 1, column: 1}, key: '', message: why[code ?? ''] ?? String(error)},
    ]);
  }
}

/** Nearest known place of a path: its own, or that of what encloses it. */
function placeOf(
  path: Path,
  document: Document,
  overrides: Map<string, Origin>,
  atKey: boolean,
): Origin | undefined {
  for (let length = path.length; length >= 0; length--) {
    const text = pathText(path.slice(0, length));
    const own = overrides.get(text);
    if (own) return own;
    const exact = length === path.length;
    const place =
      exact && !atKey
        ? (document.values.get(text) ?? document.keys.get(text))
        : (document.keys.get(text) ?? document.values.get(text));
    if (place) return place;
  }
  return undefined;
}

function apply(data: Record<string, unknown>, overrides: readonly Override[]): Map<string, Origin> {
  const origins = new Map<string, Origin>();
  for (const {path, value, origin} of overrides) {
    setValue(data, path, value);
    origins.set(pathText(path), origin);
  }
  return origins;
}

interface Checked {
  data: Record<string, unknown>;
  document: Document;
  overrides: Map<string, Origin>;
  file: string | undefined;
  problems: Problem[];
}

/** Everything but throwing. */
function check(options: LoadOptions): Checked {
  const file =
    options.file === undefined ? findFile(options.env, options.cwd) : resolvePath(options.cwd, options.file);
  const shown = options.file ?? file ?? 'configuration';
  const text = options.text ?? (file === undefined ? '' : readText(file));
  const document = readDocument(text, shown, options.literal ? undefined : options.env);
  const data = structuredClone(document.data);
  const fromEnvironment = environmentOverrides(data, options.env, options.cwd);
  const overrides = apply(data, [...fromEnvironment, ...(options.flags ?? [])]);
  const place = (finding: Finding): Problem => ({
    origin: placeOf(finding.path, document, overrides, finding.atKey) ?? {
      kind: 'file',
      file: shown,
      line: 1,
      column: 1,
    },
    key: pathText(finding.path),
    message: finding.message,
  });
  const found = [...validateShape(data).map(place), ...checkMeaning(data, ROOT_SCHEMA).map(place)];
  return {
    data,
    document,
    overrides,
    file,
    problems: withoutEchoes([...document.problems, ...found], document.problems),
  };
}

/** Everything that is wrong, in the order of the file; without the environment: unset variables are no problem. */
export function problems(options: LoadOptions & {withoutEnvironment?: boolean}): readonly Problem[] {
  const found = check(options).problems.filter(
    (problem) => !(options.withoutEnvironment && problem.environment),
  );
  return found.length === 0 ? [] : new ConfigError(found).problems;
}

/** The configuration with the origin of its values. Throws a ConfigError that lists every problem. */
export function load(options: LoadOptions): Loaded {
  const {data, document, overrides, file, problems: found} = check(options);
  if (found.length > 0) throw new ConfigError(found);
  const filled = fill(ROOT_SCHEMA, data) as Config;
  filled.event.watch = complete(filled.event.watch);
  return {
    config: withImplicit(filled),
    ...(file === undefined ? {} : {file}),
    origin: (path) => originOf(path, data, document, overrides),
  };
}

/** What follows from a reference that could not be resolved is not said again. */
function withoutEchoes(problems: readonly Problem[], causes: readonly Problem[]): Problem[] {
  const keys = new Set(causes.map((cause) => cause.key));
  return problems.filter((problem) => causes.includes(problem) || !keys.has(problem.key));
}

/** A later entry of the same kind replaces an earlier one. */
function complete(watch: readonly EventWatchConfig[]): EventWatchConfig[] {
  return [...new Map(watch.map((entry) => [entry.type, completeWatch(entry)])).values()];
}

function originOf(path: Path, data: unknown, document: Document, overrides: Map<string, Origin>): Origin {
  let at = data;
  for (const step of path) {
    at =
      typeof at === 'object' && at !== null && Object.hasOwn(at, step)
        ? (at as Record<string | number, unknown>)[step]
        : undefined;
    if (at === undefined) return {kind: 'default'};
  }
  return placeOf(path, document, overrides, true) ?? {kind: 'default'};
}

/** The effective configuration. Throws a ConfigError that lists every problem. */
export function loadConfig(options: LoadOptions): Config {
  return load(options).config;
}

/** The configuration when nothing is set anywhere. */
export function defaultConfig(): Config {
  return load({env: {}, cwd: '/', text: '', file: 'defaults'}).config;
}
