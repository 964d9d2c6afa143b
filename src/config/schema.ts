// SPDX-License-Identifier: Apache-2.0
/** What the loader needs to know of the schema: a typed view of its nodes, references resolved. */
import {schema} from './validator.js';

export interface SchemaNode {
  $ref?: string;
  $defs?: Record<string, SchemaNode>;
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  default?: unknown;
  properties?: Record<string, SchemaNode>;
  additionalProperties?: SchemaNode | false;
  items?: SchemaNode;
  oneOf?: SchemaNode[];
  anyOf?: SchemaNode[];
  required?: string[];
  description?: string;
  pattern?: string;
  'x-env'?: string;
  'x-secret'?: boolean;
  'x-unit'?: 'bytes' | 'milliseconds';
  'x-type'?: 'port';
  'x-regex'?: boolean;
  'x-template'?: boolean;
  'x-partial'?: boolean;
  'x-filled'?: boolean;
  /** Default that depends on the value of a key before it. */
  'x-default-by'?: {key: string; values: Record<string, unknown>};
}

/** An error of the generated validator. */
export interface ValidationError {
  instancePath: string;
  schemaPath: string;
  keyword: string;
  params: Record<string, unknown>;
  message?: string;
  data?: unknown;
}

/** Steps from the root of the configuration to a value. */
export type Path = readonly (string | number)[];

export const ROOT_SCHEMA: SchemaNode = schema;

/** The node with its reference followed; annotations beside the reference win. */
export function resolve(node: SchemaNode): SchemaNode {
  if (!node.$ref) return node;
  const target = schema.$defs![node.$ref.slice('#/$defs/'.length)]!;
  return {...target, ...node};
}

/** Picks the variant of a tagged union (an exporter) that the value's `type` names. */
export function variant(node: SchemaNode, value: unknown): SchemaNode | undefined {
  if (!node.oneOf) return node;
  const type = (value as {type?: unknown} | null)?.type;
  return node.oneOf.map(resolve).find((one) => one.properties?.type?.const === type);
}

/** The schema of a member of an object or list; undefined for a key that is not known. */
export function child(node: SchemaNode, key: string | number, value: unknown): SchemaNode | undefined {
  const full = variant(resolve(node), value);
  if (!full) return undefined;
  if (typeof key === 'number') return full.items && resolve(full.items);
  const own = full.properties && Object.hasOwn(full.properties, key) ? full.properties[key] : undefined;
  const found = own ?? (full.additionalProperties || undefined);
  return found && resolve(found);
}

/** `exporters.bus.brokers[0]` */
export function pathText(path: Path): string {
  return path
    .map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? step : `.${step}`))
    .join('');
}
