// SPDX-License-Identifier: Apache-2.0
/** What the environment (SCOPE_*) sets, as changes to the data of the file. Nothing here is checked: that comes after. */
import {parseDestination} from './destination.js';
import {coerce} from './document.js';
import type {Origin} from './problem.js';
import {type Path, ROOT_SCHEMA, resolve, type SchemaNode} from './schema.js';
import {type Environment, substituteOld} from './substitute.js';
import {type EventKind, WATCH_DEFAULTS} from './watch.js';

/** A change to one value of the configuration data. */
export interface Override {
  path: Path;
  value: unknown;
  origin: Origin;
}

type Data = Record<string, unknown>;

/** Environment names of plain values, found in the schema (`x-env`). */
function plainNames(): {name: string; path: string[]; node: SchemaNode}[] {
  const found: {name: string; path: string[]; node: SchemaNode}[] = [];
  const walk = (node: SchemaNode, path: string[]): void => {
    for (const [key, raw] of Object.entries(node.properties ?? {})) {
      const member = resolve(raw);
      if (raw['x-env']) found.push({name: raw['x-env'], path: [...path, key], node: member});
      else if (member.properties && path.length < 3) walk(member, [...path, key]);
    }
  };
  walk(ROOT_SCHEMA, []);
  return found;
}
let names: ReturnType<typeof plainNames> | undefined;

const DESTINATIONS: Record<string, string[]> = {
  SCOPE_METRIC_DEST: ['metric', 'transport'],
  SCOPE_EVENT_DEST: ['event', 'transport'],
  SCOPE_LOG_DEST: ['libscope', 'log', 'transport'],
  SCOPE_CRIBL: ['cribl', 'transport'],
  SCOPE_CRIBL_CLOUD: ['cribl', 'transport'],
};
const TLS: Record<string, string[]> = {
  SCOPE_METRIC_TLS: ['metric', 'transport', 'tls'],
  SCOPE_EVENT_TLS: ['event', 'transport', 'tls'],
  SCOPE_LOG_TLS: ['libscope', 'log', 'transport', 'tls'],
  SCOPE_CRIBL_TLS: ['cribl', 'transport', 'tls'],
};
const METRIC_WATCH: Record<string, string> = {
  STATSD: 'statsd',
  FS: 'fs',
  NET: 'net',
  HTTP: 'http',
  DNS: 'dns',
  PROC: 'process',
};
const EVENT_WATCH: Record<string, EventKind> = {
  LOGFILE: 'file',
  CONSOLE: 'console',
  SYSLOG: 'syslog',
  METRIC: 'metric',
  HTTP: 'http',
  NET: 'net',
  FS: 'fs',
  DNS: 'dns',
};

export function valueIn(data: Data, path: Path): unknown {
  return path.reduce<unknown>((at, step) => (at as Data | undefined)?.[step], data);
}

/** Sets a value, making the maps on the way. */
export function setValue(data: Data, path: Path, value: unknown): void {
  let at = data;
  for (const step of path.slice(0, -1)) {
    const next = at[step];
    if (typeof next !== 'object' || next === null || Array.isArray(next)) at[step] = {};
    at = at[step] as Data;
  }
  at[path.at(-1)!] = value;
}

/** Changes the lists `metric.watch` and `event.watch`, which start from what the file (or the default) has. */
class WatchLists {
  readonly overrides: Override[] = [];
  private readonly lists = new Map<string, Data[]>();

  constructor(private readonly data: Data) {}

  private list(section: 'metric' | 'event'): Data[] {
    let list = this.lists.get(section);
    if (!list) {
      const given =
        valueIn(this.data, [section, 'watch']) ??
        resolve(ROOT_SCHEMA.properties![section]!).properties!.watch!.default;
      list = Array.isArray(given) ? structuredClone(given as Data[]) : [];
      this.lists.set(section, list);
    }
    return list;
  }

  change(
    section: 'metric' | 'event',
    type: string,
    on: boolean | undefined,
    fields: Data,
    name: string,
  ): void {
    const list = this.list(section);
    const at = list.findIndex((entry) => entry.type === type);
    if (on === false) {
      if (at >= 0) list.splice(at, 1);
    } else if (at >= 0) Object.assign(list[at]!, fields);
    else if (on) list.push({type, ...fields});
    this.overrides.push({path: [section, 'watch'], value: list, origin: {kind: 'environment', name}});
  }
}

function flag(text: string | undefined): boolean | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

function watchOverrides(data: Data, get: (name: string) => string | undefined): Override[] {
  const lists = new WatchLists(data);
  for (const [word, type] of Object.entries(METRIC_WATCH)) {
    const on = flag(get(`SCOPE_METRIC_${word}`));
    if (on !== undefined) lists.change('metric', type, on, {}, `SCOPE_METRIC_${word}`);
  }
  for (const [word, type] of Object.entries(EVENT_WATCH)) {
    const name = `SCOPE_EVENT_${word}`;
    const fields: Data = {};
    for (const field of Object.keys(WATCH_DEFAULTS[type])) {
      const value = get(`${name}_${field.toUpperCase()}`);
      if (value !== undefined) fields[field] = value;
    }
    const header = type === 'http' ? get('SCOPE_EVENT_HTTP_HEADER') : undefined;
    if (header !== undefined) fields.headers = [...headersOf(data), header];
    const binary = type === 'console' ? flag(get('SCOPE_ALLOW_BINARY_CONSOLE')) : undefined;
    if (binary !== undefined) fields.allowbinary = binary;
    const on = flag(get(name));
    if (on !== undefined || Object.keys(fields).length > 0) lists.change('event', type, on, fields, name);
  }
  return lists.overrides;
}

function headersOf(data: Data): unknown[] {
  const list = valueIn(data, ['event', 'watch']);
  const entry = Array.isArray(list) ? (list as Data[]).find((one) => one.type === 'http') : undefined;
  return Array.isArray(entry?.headers) ? (entry.headers as unknown[]) : [];
}

function destinationOverrides(get: (name: string) => string | undefined, cwd: string): Override[] {
  const found: Override[] = [];
  for (const [name, path] of Object.entries(DESTINATIONS)) {
    const text = get(name);
    if (text === undefined) continue;
    const origin: Origin = {kind: 'environment', name};
    const value = parseDestination(text, cwd);
    found.push({path, value: value ?? text, origin});
    if (value && name === 'SCOPE_CRIBL_CLOUD')
      found.push({path: [...path, 'tls'], value: {enable: true, validateserver: true}, origin});
  }
  const settings = {
    _ENABLE: 'enable',
    _VALIDATE_SERVER: 'validateserver',
    _CA_CERT_PATH: 'cacertpath',
  } as const;
  for (const [prefix, path] of Object.entries(TLS)) {
    for (const [suffix, key] of Object.entries(settings)) {
      const text = get(prefix + suffix);
      if (text === undefined) continue;
      const value = key === 'cacertpath' ? text : (flag(text) ?? text);
      found.push({path: [...path, key], value, origin: {kind: 'environment', name: prefix + suffix}});
    }
  }
  return found;
}

/**
 * What the environment changes, given the data of the file. A TLS variable without a transport it could belong to is
 * left out, as it always was.
 */
export function environmentOverrides(data: Data, env: Environment, cwd: string): Override[] {
  names ??= plainNames();
  const get = (name: string): string | undefined => {
    const value = env[name];
    return value === undefined || value === '' ? undefined : substituteOld(value, env, false);
  };
  const found: Override[] = [];
  for (const {name, path, node} of names) {
    const text = get(name);
    if (text === undefined || name === 'SCOPE_EVENT_FORMAT') continue;
    found.push({path, value: coerce(text, text, node), origin: {kind: 'environment', name}});
  }
  found.push(...destinationOverrides(get, cwd), ...watchOverrides(data, get));
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('SCOPE_TAG_') || !value || name === 'SCOPE_TAG_') continue;
    found.push({
      path: ['tags', name.slice('SCOPE_TAG_'.length)],
      value: substituteOld(value, env, false),
      origin: {kind: 'environment', name},
    });
  }
  const transports = new Set(
    found.filter(({path}) => path.at(-1) === 'transport').map(({path}) => path.join('.')),
  );
  return found.filter(({path}) => {
    const at = path.indexOf('tls');
    if (at < 0) return true;
    const transport = path.slice(0, at);
    return transports.has(transport.join('.')) || valueIn(data, transport) !== undefined;
  });
}
