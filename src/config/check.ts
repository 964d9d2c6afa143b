// SPDX-License-Identifier: Apache-2.0
/** What a schema cannot say: expressions that compile, names that exist, keys that need each other. */
import {RE2JS} from 're2js';
import {compileTemplate, TEMPLATE_FIELDS} from '../records/template.js';
import {type Path, resolve, type SchemaNode, variant} from './schema.js';
import type {Finding} from './validate.js';

type Data = Record<string, unknown>;
const isData = (value: unknown): value is Data =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The expression's error, if it has one. */
export function regexError(text: string): string | undefined {
  try {
    RE2JS.compile(text);
    return undefined;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const look = /\(\?[=!<]|\\[1-9]/.test(text) ? ' (RE2 has neither look-around nor back-references)' : '';
    return `not a regular expression: ${message}${look}`;
  }
}

/** The expression inside `/…/`; undefined for other texts. */
export function slashed(text: string): string | undefined {
  return text.length > 2 && text.startsWith('/') && text.endsWith('/') ? text.slice(1, -1) : undefined;
}

function templateError(text: string): string | undefined {
  const [unknown] = compileTemplate(text).unknown;
  if (unknown === undefined) return undefined;
  return `{${unknown}} is not known in a template; there are ${TEMPLATE_FIELDS.map((name) => `{${name}}`).join(', ')}`;
}

function textError(text: string, node: SchemaNode): string | undefined {
  if (node['x-template']) return templateError(text);
  const expression = node['x-regex'] ? text : node.anyOf ? slashed(text) : undefined;
  return expression === undefined ? undefined : regexError(expression);
}

/** What is wrong in texts that the schema calls a regular expression, a pattern or a template. */
function* texts(value: unknown, schema: SchemaNode | undefined, path: Path): Generator<[Path, string]> {
  const node = schema && variant(resolve(schema), value);
  if (!node) return;
  if (typeof value === 'string') {
    const error = textError(value, node);
    if (error !== undefined) yield [path, error];
  } else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) {
      const inner = node.items ?? (node.anyOf ? node : undefined);
      yield* texts(item, inner, [...path, i]);
    }
  } else if (isData(value)) {
    for (const [key, member] of Object.entries(value)) {
      yield* texts(member, node.properties?.[key] ?? (node.additionalProperties || undefined), [
        ...path,
        key,
      ]);
    }
  }
}

function targets(data: Data, find: Finding[]): void {
  const known = new Set(Object.keys(isData(data.exporters) ? data.exporters : {}));
  const check = (to: unknown, path: Path): void => {
    if (!Array.isArray(to)) return;
    for (const [i, name] of to.entries()) {
      if (known.has(String(name))) continue;
      const list = known.size > 0 ? `; there are ${[...known].join(', ')}` : '';
      find.push({
        path: [...path, i],
        atKey: false,
        message: `there is no exporter ${JSON.stringify(name)}${list}`,
      });
    }
  };
  const routes = Array.isArray(data.routes) ? (data.routes as Data[]) : [];
  for (const [i, route] of routes.entries()) {
    check(route?.to, ['routes', i, 'to']);
    if (Array.isArray(route?.to) && route.to.length === 0 && route.final !== true) {
      find.push({
        path: ['routes', i, 'to'],
        atKey: false,
        message: 'is empty; only a route with final: true may drop',
      });
    }
  }
  if (isData(data.default)) check(data.default.to, ['default', 'to']);
}

function transport(value: unknown, path: Path, find: Finding[]): void {
  if (!isData(value)) return;
  const need = (key: string): void => {
    if (value[key] === undefined)
      find.push({path, atKey: true, message: `${key} is missing: type ${String(value.type)} needs it`});
  };
  if (value.type === 'udp' || value.type === 'tcp') need('port');
  if (value.type === 'unix' || value.type === 'file') need('path');
}

function transports(data: Data, path: Path, find: Finding[]): void {
  for (const section of ['metric', 'event', 'cribl']) {
    const part = data[section];
    if (isData(part)) transport(part.transport, [...path, section, 'transport'], find);
  }
  const log = isData(data.libscope) ? data.libscope.log : undefined;
  if (isData(log)) transport(log.transport, [...path, 'libscope', 'log', 'transport'], find);
}

function exporters(data: Data, find: Finding[]): void {
  for (const [name, raw] of Object.entries(isData(data.exporters) ? data.exporters : {})) {
    if (!isData(raw)) continue;
    const path = ['exporters', name];
    const missing = (key: string, why: string): void => {
      if (raw[key] === undefined)
        find.push({path, atKey: true, message: `${key} is missing: ${why} needs it`});
    };
    const protocol = raw.protocol;
    if (raw.type === 'statsd' && /^unix/.test(String(protocol)))
      missing('path', `protocol ${String(protocol)}`);
    if (raw.type === 'socket') {
      if (protocol === 'unix') missing('path', 'protocol unix');
      else if (protocol !== 'edge') missing('port', `protocol ${String(protocol ?? 'tcp')}`);
    }
    if (raw.type === 'kafka' && raw.idempotent === true && raw.acks !== undefined && raw.acks !== 'all') {
      find.push({path: [...path, 'acks'], atKey: false, message: 'must be all when idempotent is true'});
    }
    const tls = raw.tls;
    if (isData(tls) && (tls.cert_file === undefined) !== (tls.key_file === undefined)) {
      find.push({path: [...path, 'tls'], atKey: true, message: 'cert_file and key_file need each other'});
    }
    const auth = raw.auth;
    if (isData(auth)) credentials(auth, [...path, 'auth'], find);
  }
}

function credentials(auth: Data, path: Path, find: Finding[]): void {
  if (auth.type === 'basic') {
    for (const key of ['username', 'password']) {
      if (auth[key] === undefined)
        find.push({path, atKey: true, message: `${key} is missing: type basic needs it`});
    }
  } else if (auth.type === 'bearer' && auth.token === undefined && auth.token_file === undefined) {
    find.push({path, atKey: true, message: 'token or token_file is missing: type bearer needs one'});
  }
}

/** Everything wrong in data whose shape is right (or nearly: parts of the wrong shape are passed over). */
export function checkMeaning(data: Data, schema: SchemaNode): Finding[] {
  const find: Finding[] = [];
  for (const [path, message] of texts(data, schema, [])) find.push({path, atKey: false, message});
  targets(data, find);
  transports(data, [], find);
  exporters(data, find);
  for (const [name, entry] of Object.entries(isData(data.custom) ? data.custom : {})) {
    if (isData(entry) && isData(entry.config)) transports(entry.config, ['custom', name, 'config'], find);
  }
  return find;
}
