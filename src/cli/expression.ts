// SPDX-License-Identifier: Apache-2.0
/**
 * `--eval`: a JavaScript-like expression on an event. Parsed by jsep and interpreted here: it reads the variables it is
 * given and calls the functions listed here, nothing else. There are no assignments, no loops and no prototypes.
 */
import jsep from 'jsep';
import {ScopeError} from '../base/errors.js';

export type Variables = Readonly<Record<string, unknown>>;
type Evaluate = (v: Variables) => unknown;
type Node = jsep.Expression;

const fail = (message: string): never => {
  throw new ScopeError('SCOPE_USAGE', `error compiling JavaScript expression: ${message}`);
};

const STRING_METHODS: Record<string, (s: string, ...a: unknown[]) => unknown> = {
  startsWith: (s, x) => s.startsWith(String(x)),
  endsWith: (s, x) => s.endsWith(String(x)),
  includes: (s, x) => s.includes(String(x)),
  indexOf: (s, x) => s.indexOf(String(x)),
  lastIndexOf: (s, x) => s.lastIndexOf(String(x)),
  toLowerCase: (s) => s.toLowerCase(),
  toUpperCase: (s) => s.toUpperCase(),
  trim: (s) => s.trim(),
  slice: (s, a, b) => s.slice(Number(a), b === undefined ? undefined : Number(b)),
  substring: (s, a, b) => s.substring(Number(a), b === undefined ? undefined : Number(b)),
};
const FUNCTIONS: Record<string, (...a: unknown[]) => unknown> = {
  Number: (x) => Number(x),
  String: (x) => String(x),
  parseInt: (x) => Number.parseInt(String(x), 10),
  parseFloat: (x) => Number.parseFloat(String(x)),
};

/** What an event's line must have for the expression to be true: lets the index and a byte search go first. */
export interface Hints {
  sources?: string[];
  sourcetypes?: string[];
  match?: string;
}

/** Hints of the conditions that `&&` joins at the top. They never exclude an event for which the expression is true. */
export function expressionHints(text: string): Hints {
  const hints: Hints = {};
  const walk = (node: Node): void => {
    if (node.type !== 'BinaryExpression') return;
    const {operator, left, right} = node as jsep.BinaryExpression;
    if (operator === '&&') {
      walk(left);
      walk(right);
    } else if (operator === '==' || operator === '===') {
      const [path, literal] = left.type === 'Literal' ? [right, left] : [left, right];
      if (literal.type === 'Literal') addHint(hints, path, (literal as jsep.Literal).value);
    }
  };
  walk(jsep(text));
  return hints;
}

function addHint(hints: Hints, path: Node, value: unknown): void {
  const name = path.type === 'Identifier' ? (path as jsep.Identifier).name : '';
  // Text that JSON writes as it is; what looks like a number could equal one written differently.
  const plain =
    typeof value === 'string' && /^[\w./:-]*[A-Za-z_/:-][\w./:-]*$/.test(value) ? value : undefined;
  if (name === 'source' && plain) hints.sources ??= [plain];
  else if (name === 'sourcetype' && plain) hints.sourcetypes ??= [plain];
  else if (
    (path.type === 'MemberExpression' && !isLength(path as jsep.MemberExpression)) ||
    ['proc', 'cmd', 'host', 'pid'].includes(name)
  ) {
    const digits =
      typeof value === 'number' && Number.isSafeInteger(value) && value >= 10 ? String(value) : undefined;
    const needle = plain ?? digits;
    if (needle && needle.length > (hints.match?.length ?? 0)) hints.match = needle;
  }
}

/** The length of a text is not in the line. */
function isLength(node: jsep.MemberExpression): boolean {
  if (!node.computed) return (node.property as jsep.Identifier).name === 'length';
  return node.property.type !== 'Literal' || (node.property as jsep.Literal).value === 'length';
}

/** Compiles the text; the names are the variables it may use. Throws ScopeError SCOPE_USAGE. */
export function compileExpression(text: string, names: readonly string[]): Evaluate {
  let tree: Node;
  try {
    tree = jsep(text);
  } catch (cause) {
    return fail((cause as Error).message);
  }
  return compile(tree, new Set(names));
}

/** As compileExpression, but the value must be a boolean. */
export function compilePredicate(text: string, names: readonly string[]): (v: Variables) => boolean {
  const evaluate = compileExpression(text, names);
  return (v) => {
    const value = evaluate(v);
    if (typeof value !== 'boolean') {
      throw new ScopeError(
        'SCOPE_USAGE',
        `JavaScript return value is not boolean: ${String(JSON.stringify(value))}`,
      );
    }
    return value;
  };
}

function compile(node: Node, names: ReadonlySet<string>): Evaluate {
  const sub = (n: unknown) => compile(n as Node, names);
  switch (node.type) {
    case 'Literal': {
      const {value} = node as jsep.Literal;
      return () => value;
    }
    case 'Identifier':
      return identifier((node as jsep.Identifier).name, names);
    case 'MemberExpression':
      return member(node as jsep.MemberExpression, sub);
    case 'UnaryExpression': {
      const {operator, argument} = node as jsep.UnaryExpression;
      return unary(operator, sub(argument));
    }
    case 'BinaryExpression':
    case 'LogicalExpression': {
      const {operator, left, right} = node as jsep.BinaryExpression;
      return binary(operator, sub(left), sub(right));
    }
    case 'ConditionalExpression': {
      const {test, consequent, alternate} = node as jsep.ConditionalExpression;
      const [t, c, a] = [sub(test), sub(consequent), sub(alternate)];
      return (v) => (t(v) ? c(v) : a(v));
    }
    case 'ArrayExpression': {
      const elements = (node as jsep.ArrayExpression).elements.map((e) => sub(e));
      return (v) => elements.map((e) => e(v));
    }
    case 'CallExpression':
      return call(node as jsep.CallExpression, sub);
    case 'Compound':
      return fail('one expression is expected');
    default:
      return fail(`${node.type} is not supported`);
  }
}

function identifier(name: string, names: ReadonlySet<string>): Evaluate {
  if (name === 'undefined') return () => undefined;
  if (!names.has(name)) return fail(`${name} is not defined; there are ${[...names].join(', ')}`);
  return (v) => v[name];
}

/** Own properties only: nothing inherited can be reached. */
function property(object: unknown, key: unknown): unknown {
  if (object === null || object === undefined) return undefined;
  if (typeof object === 'string' && key === 'length') return object.length;
  if (typeof object === 'string') return object[Number(key)];
  if (typeof object !== 'object') return undefined;
  return Object.hasOwn(object, String(key)) ? (object as Record<string, unknown>)[String(key)] : undefined;
}

function member(node: jsep.MemberExpression, sub: (n: unknown) => Evaluate): Evaluate {
  const object = sub(node.object);
  if (!node.computed) {
    const key = (node.property as jsep.Identifier).name;
    return (v) => property(object(v), key);
  }
  const key = sub(node.property);
  return (v) => property(object(v), key(v));
}

function unary(operator: string, a: Evaluate): Evaluate {
  switch (operator) {
    case '!':
      return (v) => !a(v);
    case '-':
      return (v) => -Number(a(v));
    case '+':
      return (v) => Number(a(v));
    default:
      return fail(`operator ${operator} is not supported`);
  }
}

type Primitive = string | number;

function binary(operator: string, a: Evaluate, b: Evaluate): Evaluate {
  const l = (v: Variables) => a(v) as Primitive;
  const r = (v: Variables) => b(v) as Primitive;
  switch (operator) {
    case '&&':
      return (v) => a(v) && b(v);
    case '||':
      return (v) => a(v) || b(v);
    case '??':
      return (v) => a(v) ?? b(v);
    case '==':
      // biome-ignore lint/suspicious/noDoubleEquals: the user's operator
      return (v) => a(v) == b(v);
    case '!=':
      // biome-ignore lint/suspicious/noDoubleEquals: the user's operator
      return (v) => a(v) != b(v);
    case '===':
      return (v) => a(v) === b(v);
    case '!==':
      return (v) => a(v) !== b(v);
    case '<':
      return (v) => l(v) < r(v);
    case '>':
      return (v) => l(v) > r(v);
    case '<=':
      return (v) => l(v) <= r(v);
    case '>=':
      return (v) => l(v) >= r(v);
    case '+':
      return (v) => (l(v) as number) + (r(v) as number);
    case '-':
      return (v) => Number(l(v)) - Number(r(v));
    case '*':
      return (v) => Number(l(v)) * Number(r(v));
    case '/':
      return (v) => Number(l(v)) / Number(r(v));
    case '%':
      return (v) => Number(l(v)) % Number(r(v));
    default:
      return fail(`operator ${operator} is not supported`);
  }
}

function call(node: jsep.CallExpression, sub: (n: unknown) => Evaluate): Evaluate {
  const args = node.arguments.map((a) => sub(a));
  if (node.callee.type === 'Identifier') {
    const {name} = node.callee as jsep.Identifier;
    const f = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name]! : fail(`${name} is not a function here`);
    return (v) => f(...args.map((a) => a(v)));
  }
  const callee = node.callee as jsep.MemberExpression;
  if (callee.type !== 'MemberExpression' || callee.computed) return fail('only named methods can be called');
  const {name} = callee.property as jsep.Identifier;
  const method = Object.hasOwn(STRING_METHODS, name)
    ? STRING_METHODS[name]!
    : fail(`${name} is not a method here`);
  const object = sub(callee.object);
  return (v) => {
    const on = object(v);
    if (Array.isArray(on) && (name === 'includes' || name === 'indexOf')) {
      const at = on.indexOf(args[0]?.(v));
      return name === 'includes' ? at >= 0 : at;
    }
    return method(on === undefined || on === null ? '' : String(on), ...args.map((a) => a(v)));
  };
}
