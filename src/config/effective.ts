// SPDX-License-Identifier: Apache-2.0
/** The effective configuration as text: as a file that loads to the same, or as a list with the origin of each value. */
import {stringify} from 'yaml';
import {IMPLICIT} from './implicit.js';
import type {Loaded} from './load.js';
import {originText} from './problem.js';
import {type Path, pathText, ROOT_SCHEMA, resolve, type SchemaNode, variant} from './schema.js';
import type {Config} from './types.js';

const MASK = '********';

function sizeText(bytes: number): number | string {
  for (const [unit, size] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return bytes;
}

function timeText(ms: number): number | string {
  if (ms === 0) return 0;
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

/** A value as it would stand in a file. */
function written(schema: SchemaNode | undefined, value: unknown, mask: boolean): unknown {
  const node = schema && variant(resolve(schema), value);
  if (node?.['x-unit'] === 'bytes') return sizeText(value as number);
  if (node?.['x-unit'] === 'milliseconds') return timeText(value as number);
  if (Array.isArray(value)) return value.map((item) => written(node?.items, item, mask));
  if (typeof value === 'object' && value !== null) {
    const hide = mask && node?.['x-secret'] === true;
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [
        key,
        hide
          ? MASK
          : written(node?.properties?.[key] ?? (node?.additionalProperties || undefined), member, mask),
      ]),
    );
  }
  if (mask && node?.['x-secret'] === true && value !== '') return MASK;
  return mask && typeof value === 'string' ? withoutPassword(value) : value;
}

/** `https://user:password@host` is a secret too, wherever it stands. */
function withoutPassword(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/[^/:@\s]*:)[^/@\s]+@/i, `$1${MASK}@`);
}

/** Without what transports made: they make it again when the text is loaded. */
function withoutImplicit(config: Config): Config {
  const own = new Set<string>(Object.values(IMPLICIT));
  return {
    ...config,
    exporters: Object.fromEntries(Object.entries(config.exporters).filter(([name]) => !own.has(name))),
    routes: config.routes.filter((route) => !(route.to.length === 1 && own.has(route.to[0]!))),
  };
}

/** A file that loads to this configuration, whatever the environment. It holds secrets unless masked: mode 0600. */
export function configText(config: Config, mask = false): string {
  return stringify(written(ROOT_SCHEMA, withoutImplicit(config), mask), {lineWidth: 0});
}

/** A value of the configuration and where it comes from. */
export interface EffectiveValue {
  key: string;
  value: unknown;
  origin: string;
}

/** Every value, secrets masked. `custom` entries are shown as they stand. */
export function effectiveValues(loaded: Loaded): EffectiveValue[] {
  const out: EffectiveValue[] = [];
  const walk = (value: unknown, path: Path): void => {
    const scalars = Array.isArray(value) && value.every((item) => typeof item !== 'object');
    if (typeof value === 'object' && value !== null && !scalars && Object.keys(value).length > 0) {
      for (const [key, member] of Object.entries(value)) {
        walk(member, [...path, Array.isArray(value) ? Number(key) : key]);
      }
      return;
    }
    out.push({key: pathText(path), value, origin: originOf(loaded, path)});
  };
  walk(written(ROOT_SCHEMA, loaded.config, true), []);
  return out;
}

function originOf(loaded: Loaded, path: Path): string {
  const implicit = Object.values(IMPLICIT).find((name) => path[0] === 'exporters' && path[1] === name);
  if (implicit) return `from ${implicit}`;
  if (path[0] === 'routes') {
    const made = loaded.config.routes.length - ownRoutes(loaded.config);
    if (Number(path[1]) < made) return `from ${loaded.config.routes[Number(path[1])]!.to[0]}`;
    return originText(loaded.origin(['routes', Number(path[1]) - made, ...path.slice(2)]));
  }
  return originText(loaded.origin(path));
}

const ownRoutes = (config: Config): number => withoutImplicit(config).routes.length;
