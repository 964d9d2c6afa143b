// SPDX-License-Identifier: Apache-2.0
/** Puts defaults where nothing is said, and turns sizes into bytes and times into milliseconds. */
import {resolve, type SchemaNode, variant} from './schema.js';

const SIZES: Record<string, number> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
};
const TIMES: Record<string, number> = {ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000};

/** `64MiB` → 67108864 */
export function parseSize(value: string | number): number {
  if (typeof value === 'number') return value;
  const found = /^([0-9.]+) ?([kmgt]?i?)b?$/i.exec(value)!;
  return Math.floor(Number(found[1]) * SIZES[found[2]!.toLowerCase()]!);
}

/** `1m30s` → 90000; numbers are seconds. */
export function parseDuration(value: string | number): number {
  if (typeof value === 'number') return value * 1000;
  let sum = 0;
  for (const [, amount, unit] of value.matchAll(/([0-9.]+)(ms|s|m|h|d)/g))
    sum += Number(amount) * TIMES[unit!]!;
  return sum;
}

/** The default, which may depend on a key before it. */
function defaultOf(schema: SchemaNode, before: Record<string, unknown>): unknown {
  const by = schema['x-default-by'];
  return structuredClone(by ? by.values[String(before[by.key])] : schema.default);
}

function members(
  node: SchemaNode,
  value: Record<string, unknown>,
  defaults: boolean,
): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const properties = node.properties ?? {};
  const partial = node['x-partial'] === true;
  for (const [name, schema] of Object.entries(properties)) {
    const found = Object.hasOwn(value, name) ? value[name] : undefined;
    const given = found === undefined && defaults && !partial ? defaultOf(schema, out) : found;
    if (given !== undefined) out[name] = fill(schema, given, defaults && !partial);
  }
  for (const [name, found] of Object.entries(value)) {
    if (Object.hasOwn(properties, name) || !node.additionalProperties) continue;
    const filled = fill(node.additionalProperties, found, defaults);
    Object.defineProperty(out, name, {value: filled, enumerable: true, writable: true, configurable: true});
  }
  return out;
}

/** A copy of valid data with everything present that has a default (unless told not to). */
export function fill(schema: SchemaNode, value: unknown, defaults = true): unknown {
  const node = variant(resolve(schema), value) ?? {};
  if (node['x-unit'] === 'bytes') return parseSize(value as string | number);
  if (node['x-unit'] === 'milliseconds') return parseDuration(value as string | number);
  if (Array.isArray(value))
    return value.map((item) => (node.items ? fill(node.items, item, defaults) : item));
  if (typeof value === 'object' && value !== null) {
    return members(node, value as Record<string, unknown>, defaults);
  }
  return value;
}
