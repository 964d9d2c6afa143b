// SPDX-License-Identifier: Apache-2.0
/** The configuration of one process: `custom` entries that match it, then its own SCOPE_* variables. */
import {basename} from 'node:path';
import {fill} from './fill.js';
import {environmentOverrides, setValue} from './overrides.js';
import {ROOT_SCHEMA} from './schema.js';
import type {Environment} from './substitute.js';
import type {Config, CustomEntryFilterConfig, DeepPartial} from './types.js';
import {validateShape} from './validate.js';
import {completeWatch} from './watch.js';

/** What filters ask about a process. */
export interface ProcessFacts {
  proc: string;
  cmd: string;
  host: string;
  username: string;
  /** A variable of the process's environment. */
  variable(name: string): string | undefined;
  /** Executables of its parent, that one's parent, and so on, without process 1. */
  ancestors(): string[];
}

/** Whether all given fields of the filter match. */
export function filterMatches(filter: CustomEntryFilterConfig, facts: ProcessFacts): boolean {
  if (filter.procname !== undefined && filter.procname !== facts.proc) return false;
  if (filter.arg !== undefined && !facts.cmd.includes(filter.arg)) return false;
  if (filter.hostname !== undefined && filter.hostname.toLowerCase() !== facts.host.toLowerCase())
    return false;
  if (filter.username !== undefined && filter.username !== facts.username) return false;
  if (filter.env !== undefined && !variableMatches(filter.env, facts)) return false;
  return filter.ancestor === undefined || facts.ancestors().some((exe) => basename(exe) === filter.ancestor);
}

function variableMatches(text: string, facts: ProcessFacts): boolean {
  const at = text.indexOf('=');
  const value = facts.variable(at < 0 ? text : text.slice(0, at));
  return value !== undefined && (at < 0 || value === text.slice(at + 1));
}

type Data = Record<string, unknown>;
const isData = (value: unknown): value is Data =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Maps are merged, everything else replaces. */
function overlay(base: unknown, over: unknown): unknown {
  if (!isData(base) || !isData(over)) return structuredClone(over);
  const out: Data = {...base};
  for (const [key, value] of Object.entries(over))
    out[key] = value === undefined ? base[key] : overlay(base[key], value);
  return out;
}

function protocols(base: Config, over: DeepPartial<Config>): Config['protocol'] {
  const names = new Map(base.protocol.map((one) => [one.name, one]));
  for (const one of over.protocol ?? []) names.set(one.name, one);
  return [...names.values()];
}

/** The parts that are about a process, with their defaults. */
function own(config: Config): Partial<Config> {
  const names = Object.keys(ROOT_SCHEMA.$defs!.overlay!.properties!) as (keyof Config)[];
  return Object.fromEntries(names.map((name) => [name, fill(ROOT_SCHEMA.properties![name]!, config[name])]));
}

/** The configuration of this process; the very object given when nothing is different for it. */
export function configFor(config: Config, facts: ProcessFacts): Config {
  let out = config;
  for (const entry of Object.values(config.custom)) {
    if (!filterMatches(entry.filter, facts)) continue;
    const part = entry.config as DeepPartial<Config>;
    const merged = overlay(out, part) as Config;
    merged.protocol = protocols(out, part);
    out = {...out, ...own(merged)};
    out.event.watch = out.event.watch.map(completeWatch);
  }
  return out;
}

/** What a process may say about itself by its environment; destinations are the relay's alone. */
const OWN = /^SCOPE_(?:METRIC_|EVENT_|TAG_|PAYLOAD_|STATSD_|ENHANCE_FS|ALLOW_BINARY_CONSOLE)/;
const OTHER = /_(?:DEST|TLS_ENABLE|TLS_VALIDATE_SERVER|TLS_CA_CERT_PATH)$/;

/**
 * The same, after the process's own SCOPE_* variables. Its values are not ours: a wrong one is left out, never an error.
 */
export function withProcessEnvironment(config: Config, env: Environment): Config {
  const own: Record<string, string | undefined> = {};
  let some = false;
  for (const name in env) {
    if (!name.startsWith('SCOPE_') || !OWN.test(name) || OTHER.test(name)) continue;
    own[name] = env[name];
    some = true;
  }
  if (!some) return config;
  let out = config;
  for (const {path, value} of environmentOverrides(config as unknown as Data, own, '/')) {
    const data: Data = {};
    setValue(data, path, value);
    if (validateShape(data).length > 0) continue;
    out = overlay(out, data) as Config;
  }
  if (out !== config) out.event.watch = out.event.watch.map(completeWatch);
  return out;
}
