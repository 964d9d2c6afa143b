// SPDX-License-Identifier: Apache-2.0
/**
 * A YAML text as plain data with the position of every key. Scalars become what the schema asks for (`port: "8125"`,
 * `tags: {a: 1}`), references to the environment are resolved, anchors and merge keys followed, and the size of it all
 * is bounded.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
} from 'yaml';
import type {Origin, Problem} from './problem.js';
import {child, type Path, pathText, ROOT_SCHEMA, resolve, type SchemaNode} from './schema.js';
import {type Environment, substitute} from './substitute.js';

const MAX_BYTES = 1024 * 1024;
const MAX_NODES = 50_000;
const MAX_DEPTH = 40;

export interface Document {
  data: Record<string, unknown>;
  problems: Problem[];
  /** Where the value with this path stands (its key, for members of a map). */
  keys: Map<string, Origin>;
  values: Map<string, Origin>;
}

/** Text of a scalar as the schema wants it; unchanged when it does not fit, so that validation can say so. */
export function coerce(value: unknown, text: string, node: SchemaNode | undefined): unknown {
  const types = node?.type === undefined ? [] : [node.type].flat();
  if (typeof value === 'string') {
    if (types.includes('boolean') && /^(true|false)$/.test(value)) return value === 'true';
    const numeric = types.includes('integer') || types.includes('number');
    if (numeric && /^[+-]?(\d+(\.\d*)?|\.\d+)$/.test(value)) return Number(value);
    return value;
  }
  const scalar = typeof value === 'number' || typeof value === 'boolean';
  const wantsText =
    (types.length === 1 && types[0] === 'string') || node?.anyOf?.some((one) => one.type === 'string');
  return scalar && wantsText ? text : value;
}

class Reader {
  readonly keys = new Map<string, Origin>();
  readonly values = new Map<string, Origin>();
  readonly problems: Problem[] = [];
  private nodes = 0;

  constructor(
    private readonly file: string,
    private readonly lines: LineCounter,
    private readonly root: ReturnType<typeof parseDocument>,
    private readonly env: Environment | undefined,
  ) {}

  origin(node: {range?: readonly number[] | null} | null | undefined): Origin {
    const {line, col} = this.lines.linePos(node?.range?.[0] ?? 0);
    return {kind: 'file', file: this.file, line: Math.max(1, line), column: Math.max(1, col)};
  }

  private fail(node: Node | null, path: Path, message: string): void {
    this.problems.push({origin: this.origin(node), key: pathText(path), message});
  }

  read(node: Node | null, schema: SchemaNode | undefined, path: Path): unknown {
    if (++this.nodes > MAX_NODES) throw new RangeError(`more than ${MAX_NODES} values`);
    if (path.length > MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH}`);
    this.values.set(pathText(path), this.origin(node));
    if (isAlias(node)) {
      const target = node.resolve(this.root);
      if (!target) this.fail(node, path, `there is no anchor &${node.source}`);
      return target ? this.read(target, schema, [...path]) : undefined;
    }
    if (isMap(node)) return this.map(node.items as Pair<Node, Node | null>[], schema, path);
    if (isSeq(node)) {
      return node.items.map((item, i) =>
        this.read(item as Node, schema && child(schema, i, undefined), [...path, i]),
      );
    }
    return isScalar(node) ? this.scalar(node, schema, path) : undefined;
  }

  private map(
    items: Pair<Node, Node | null>[],
    schema: SchemaNode | undefined,
    path: Path,
  ): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    const tag = {type: this.plainType(items)};
    const define = (name: string, value: unknown): void => {
      Object.defineProperty(out, name, {value, enumerable: true, writable: true, configurable: true});
    };
    for (const pair of items) {
      if (isMerge(pair)) this.merge(pair.value, schema, path, define);
    }
    for (const pair of items) {
      if (isMerge(pair)) continue;
      const name = isScalar(pair.key) ? (pair.key.source ?? String(pair.key.value)) : String(pair.key);
      const at = [...path, name];
      this.keys.set(pathText(at), this.origin(pair.key));
      const member = schema && child(schema, name, tag);
      const value = this.read(pair.value, member, at);
      const list = member?.type === 'array' && name === 'watch';
      if (value !== null && value !== undefined) define(name, value);
      else if (list) define(name, []); // AppScope 1.x: an empty `watch:` turns everything off
    }
    return out;
  }

  private plainType(items: Pair<Node, Node | null>[]): unknown {
    const pair = items.find((item) => isScalar(item.key) && item.key.value === 'type');
    return isScalar(pair?.value) ? pair.value.value : undefined;
  }

  /** `<<: *anchor`, or a list of them, the earlier ones first. */
  private merge(
    node: Node | null,
    schema: SchemaNode | undefined,
    path: Path,
    define: (name: string, value: unknown) => void,
  ): void {
    const sources = isSeq(node) ? ([...node.items].reverse() as Node[]) : [node];
    for (const source of sources) {
      const value = this.read(source, schema, path);
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        this.fail(source, path, '<< must name a map');
        continue;
      }
      for (const [name, member] of Object.entries(value)) define(name, member);
    }
  }

  private scalar(node: Scalar, schema: SchemaNode | undefined, path: Path): unknown {
    if (typeof node.value !== 'string') return coerce(node.value, node.source ?? String(node.value), schema);
    if (!this.env) return coerce(node.value, node.value, schema);
    const plain = substitute(node.value, this.env, schema?.['x-regex'] === true, (message) => {
      this.problems.push({origin: this.origin(node), key: pathText(path), message, environment: true});
    });
    return coerce(plain, plain, schema);
  }
}

const isMerge = (pair: Pair<Node, Node | null>): boolean =>
  isScalar(pair.key) &&
  (pair.key.value === '<<' || typeof pair.key.value === 'symbol') &&
  pair.key.type === 'PLAIN';

/** Reads the text of a configuration file; never throws for what is in it. Without `env`, `$` has no meaning. */
export function readDocument(text: string, file: string, env: Environment | undefined): Document {
  const start: Origin = {kind: 'file', file, line: 1, column: 1};
  const failed = (message: string): Document => ({
    data: {},
    problems: [{origin: start, key: '', message}],
    keys: new Map(),
    values: new Map(),
  });
  if (Buffer.byteLength(text) > MAX_BYTES) return failed(`larger than ${MAX_BYTES} bytes`);
  try {
    const lines = new LineCounter();
    const root = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: true,
      merge: false,
    });
    const reader = new Reader(file, lines, root, env);
    for (const error of root.errors) {
      const {line, col} = lines.linePos(error.pos[0]);
      reader.problems.push({
        origin: {...start, line, column: col},
        key: '',
        message: `not valid YAML: ${error.message.replace('Maximum call stack size exceeded', 'nested too deeply')}`,
      });
    }
    if (reader.problems.length > 0)
      return {data: {}, problems: reader.problems, keys: reader.keys, values: reader.values};
    const data = reader.read(root.contents as Node | null, resolve(ROOT_SCHEMA), []) ?? {};
    if (typeof data !== 'object' || Array.isArray(data))
      return failed('must be a map of keys (metric, event, exporters …)');
    return {
      data: data as Record<string, unknown>,
      problems: reader.problems,
      keys: reader.keys,
      values: reader.values,
    };
  } catch (error) {
    if (error instanceof RangeError) return failed(`too large: ${error.message}`);
    throw error;
  }
}
