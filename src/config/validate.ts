// SPDX-License-Identifier: Apache-2.0
/** Runs the generated validator and says each error in words, with the key it is about. */
import {
  child,
  type Path,
  ROOT_SCHEMA,
  resolve,
  type SchemaNode,
  type ValidationError,
  variant,
} from './schema.js';
import validate from './validator.js';

export interface Finding {
  path: Path;
  /** The problem is the key itself (unknown), not its value. */
  atKey: boolean;
  message: string;
}

/** Everything that is wrong with the shape of the data. */
export function validateShape(data: unknown): Finding[] {
  if (validate(data)) return [];
  const errors = (validate.errors ?? []).filter(isCause);
  return errors.map((error) => finding(error, data));
}

/** Leaves out what only repeats another error: branches of a choice, and the sum of them. */
function isCause(error: ValidationError): boolean {
  return !/\/anyOf\/\d/.test(error.schemaPath) && error.keyword !== 'oneOf';
}

function finding(error: ValidationError, data: unknown): Finding {
  const path = steps(error.instancePath, data);
  const node = schemaAt(path, data);
  const value = valueAt(path, data);
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(error.params.additionalProperty);
      return {
        path: [...path, key],
        atKey: true,
        message: `unknown key${hint(key, Object.keys(node?.properties ?? {}))}`,
      };
    }
    case 'propertyNames':
      return {
        path: [...path, String(error.params.propertyName)],
        atKey: true,
        message: 'a name may have letters, digits, _ . -',
      };
    case 'required':
      return {path, atKey: true, message: `${String(error.params.missingProperty)} is missing`};
    case 'discriminator':
      return {
        path: [...path, 'type'],
        atKey: false,
        message: `must be ${either(variants(node))}, is ${show((value as {type?: unknown})?.type)}`,
      };
    default:
      return {path, atKey: false, message: message(error, node, value)};
  }
}

function message(error: ValidationError, node: SchemaNode | undefined, value: unknown): string {
  const is = node?.['x-secret'] ? '' : `, is ${show(value)}`;
  switch (error.keyword) {
    case 'enum':
      return `must be ${either(error.params.allowedValues as unknown[])}${is}`;
    case 'const':
      return `must be ${String(error.params.allowedValue)}${is}`;
    case 'type':
      return `must be ${kindText(node, error.params.type)}${is}`;
    case 'pattern':
      return `must be ${patternText(node)}${is}`;
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
      return `must be ${String(error.params.comparison)} ${String(error.params.limit)}${is}`;
    case 'minItems':
      return 'must not be empty';
    case 'minProperties':
      return 'must not be empty';
    case 'maxProperties':
      return `must have one key, has ${Object.keys(value as object).join(', ')}`;
    case 'anyOf':
      if (one(node, value)?.anyOf?.some((option) => option.required)) {
        return `needs ${either(one(node, value)!.anyOf!.flatMap((option) => option.required ?? []))}`;
      }
      if (node?.anyOf?.[0]?.enum) return `must be ${either(node.anyOf[0].enum)}, or a list of them${is}`;
      return `must be a text or a list of texts${is}`;
    default:
      return `${error.message ?? error.keyword}${is}`;
  }
}

const one = (node: SchemaNode | undefined, value: unknown): SchemaNode | undefined =>
  node && variant(node, value);

function kindText(node: SchemaNode | undefined, type: unknown): string {
  if (node?.['x-unit'] === 'bytes') return 'a size such as 64MiB';
  if (node?.['x-unit'] === 'milliseconds') return 'a time such as 10s';
  const names: Record<string, string> = {
    object: 'a map',
    array: 'a list',
    string: 'a text',
    boolean: 'true or false',
    integer: 'a whole number',
    number: 'a number',
  };
  return [type]
    .flat()
    .map((one) => names[String(one)] ?? String(one))
    .join(' or ');
}

function patternText(node: SchemaNode | undefined): string {
  if (node?.['x-unit'] === 'bytes') return 'a size such as 64MiB';
  if (node?.['x-unit'] === 'milliseconds') return 'a time such as 500ms, 10s or 5m';
  if (node?.['x-type'] === 'port') return 'a port number or service name';
  const known: Record<string, string> = {
    '^.*:[0-9]+$': 'host:port',
    '^.+:[0-9]+$': 'host:port',
    '^.+$': 'a text that is not empty',
    '^https?://.+$': 'a URL with http:// or https://',
    '^(https?|grpcs?)://.+$': 'a URL such as http://host:4317',
    '^0?[0-7]{3}$': 'octal permissions such as 0600',
  };
  return known[node?.pattern ?? ''] ?? `like ${node?.pattern ?? ''}`;
}

function variants(node: SchemaNode | undefined): unknown[] {
  return (node?.oneOf ?? []).map((one) => resolve(one).properties?.type?.const);
}

function either(values: readonly unknown[]): string {
  const texts = values.map(String);
  return texts.length > 1 ? `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}` : (texts[0] ?? '');
}

function show(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a map';
  return JSON.stringify(typeof value === 'string' && value.length > 60 ? `${value.slice(0, 60)}…` : value);
}

function hint(key: string, known: readonly string[]): string {
  const best = known
    .map((name) => [distance(key.toLowerCase(), name), name] as const)
    .sort((a, b) => a[0] - b[0])[0];
  if (best && best[0] <= 2) return `; did you mean ${best[1]}?`;
  return known.length > 0 && known.length <= 12 ? `; known: ${known.join(', ')}` : '';
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({length: b.length + 1}, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

/** JSON pointer to steps; digits are list positions only where the data is a list. */
function steps(pointer: string, data: unknown): Path {
  const path: (string | number)[] = [];
  let at = data;
  for (const raw of pointer.split('/').slice(1)) {
    const name = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    const step = Array.isArray(at) ? Number(name) : name;
    path.push(step);
    at = (at as Record<string | number, unknown> | undefined)?.[step];
  }
  return path;
}

export function valueAt(path: Path, data: unknown): unknown {
  return path.reduce<unknown>(
    (at, step) => (at as Record<string | number, unknown> | undefined)?.[step],
    data,
  );
}

export function schemaAt(path: Path, data: unknown): SchemaNode | undefined {
  let node: SchemaNode | undefined = ROOT_SCHEMA;
  let at = data;
  for (const step of path) {
    if (!node) return undefined;
    node = child(node, step, at);
    at = (at as Record<string | number, unknown> | undefined)?.[step];
  }
  return node && resolve(node);
}
