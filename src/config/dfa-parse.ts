// SPDX-License-Identifier: Apache-2.0
/**
 * Parses the part of RE2's syntax that a byte automaton can express. Anything else (word boundaries,
 * multi-line anchors, Unicode classes) gives undefined: the caller then lets everything through, and the exact
 * expression decides later. What is parsed may accept more than RE2 would, never less.
 */

/** Sets of bytes are 256 booleans as 0/1. */
export type ByteSet = Uint8Array;
export type Node =
  | {kind: 'bytes'; set: ByteSet}
  | {kind: 'cat'; parts: Node[]}
  | {kind: 'alt'; parts: Node[]}
  | {kind: 'repeat'; node: Node; min: number; max: number}
  | {kind: 'start'}
  | {kind: 'end'};

class Unsupported extends Error {}

const MAX_REPEAT = 64;
const EMPTY: Node = {kind: 'cat', parts: []};

function range(...pairs: readonly (readonly [number, number])[]): ByteSet {
  const set = new Uint8Array(256);
  for (const [from, to] of pairs) set.fill(1, from, to + 1);
  return set;
}
const bytes = (set: ByteSet): Node => ({kind: 'bytes', set});

const DIGIT = range([48, 57]);
const WORD = range([48, 57], [65, 90], [95, 95], [97, 122]);
const SPACE = range([9, 10], [12, 13], [32, 32]);
const PERL: Record<string, ByteSet> = {d: DIGIT, w: WORD, s: SPACE};
const POSIX: Record<string, ByteSet> = {
  digit: DIGIT,
  word: WORD,
  space: range([9, 13], [32, 32]),
  alpha: range([65, 90], [97, 122]),
  alnum: range([48, 57], [65, 90], [97, 122]),
  lower: range([97, 122]),
  upper: range([65, 90]),
  punct: range([33, 47], [58, 64], [91, 96], [123, 126]),
  xdigit: range([48, 57], [65, 70], [97, 102]),
};
const CONTROL: Record<string, number> = {n: 10, t: 9, r: 13, f: 12, v: 11, a: 7};

/** Any character outside ASCII: its UTF-8 sequence, or a stray byte. */
const TAIL = bytes(range([0x80, 0xbf]));
const BEYOND_ASCII: Node = {
  kind: 'alt',
  parts: [
    bytes(range([0x80, 0xff])),
    {kind: 'cat', parts: [bytes(range([0xc2, 0xdf])), TAIL]},
    {kind: 'cat', parts: [bytes(range([0xe0, 0xef])), TAIL, TAIL]},
    {kind: 'cat', parts: [bytes(range([0xf0, 0xf4])), TAIL, TAIL, TAIL]},
  ],
};

function invert(set: ByteSet): ByteSet {
  const out = new Uint8Array(256);
  for (let byte = 1; byte < 128; byte++) out[byte] = set[byte] ? 0 : 1;
  return out;
}

function folded(set: ByteSet): ByteSet {
  const out = set.slice();
  for (let upper = 65; upper <= 90; upper++)
    if (set[upper] || set[upper + 32]) out[upper] = out[upper + 32] = 1;
  return out;
}

class Parser {
  private at = 0;
  private fold = false;
  private dotAll = false;

  constructor(private readonly text: string) {}

  parse(): Node {
    const node = this.alternatives();
    if (this.at < this.text.length) throw new Unsupported('unmatched )');
    return node;
  }

  private peek(): string {
    return this.text[this.at] ?? '';
  }

  private take(text: string): boolean {
    if (!this.text.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  private alternatives(): Node {
    const parts = [this.sequence()];
    while (this.take('|')) parts.push(this.sequence());
    return parts.length === 1 ? parts[0]! : {kind: 'alt', parts};
  }

  private sequence(): Node {
    const parts: Node[] = [];
    while (this.at < this.text.length && this.peek() !== '|' && this.peek() !== ')')
      parts.push(this.repeated());
    return parts.length === 1 ? parts[0]! : {kind: 'cat', parts};
  }

  private repeated(): Node {
    let node = this.atom();
    for (;;) {
      const bounds = this.bounds();
      if (!bounds) return node;
      this.take('?'); // laziness does not change whether there is a match
      node = {kind: 'repeat', node, min: bounds[0], max: bounds[1]};
    }
  }

  private bounds(): [number, number] | undefined {
    if (this.take('*')) return [0, Infinity];
    if (this.take('+')) return [1, Infinity];
    if (this.take('?')) return [0, 1];
    const found = /^\{(\d+)(,(\d*))?\}/.exec(this.text.slice(this.at));
    if (!found) return undefined;
    this.at += found[0].length;
    const min = Number(found[1]);
    const max = found[2] === undefined ? min : found[3] ? Number(found[3]) : Infinity;
    if (min > MAX_REPEAT || (max !== Infinity && (max > MAX_REPEAT || max < min)))
      throw new Unsupported('repeat');
    return [min, max];
  }

  private atom(): Node {
    if (this.take('(')) return this.group();
    if (this.take('[')) return this.charClass();
    if (this.take('.')) return this.dot();
    if (this.take('^')) return {kind: 'start'};
    if (this.take('$')) return {kind: 'end'};
    if (this.take('\\')) return this.escape();
    if ('*+?'.includes(this.peek())) throw new Unsupported('nothing to repeat');
    const char = String.fromCodePoint(this.text.codePointAt(this.at)!);
    this.at += char.length;
    return this.literal(char);
  }

  private dot(): Node {
    const ascii = invert(this.dotAll ? range() : range([10, 10]));
    return {kind: 'alt', parts: [bytes(ascii), BEYOND_ASCII]};
  }

  private literal(char: string): Node {
    const parts = [...Buffer.from(char)].map((byte) => bytes(this.cased(range([byte, byte]))));
    if (!this.fold) return parts.length === 1 ? parts[0]! : {kind: 'cat', parts};
    // Letters have relatives outside ASCII (ſ for s) and the other way round: let all of them through.
    if (parts.length > 1) return {kind: 'alt', parts: [BEYOND_ASCII, bytes(WORD)]};
    return /[ks]/i.test(char) ? {kind: 'alt', parts: [parts[0]!, BEYOND_ASCII]} : parts[0]!;
  }

  private cased(set: ByteSet): ByteSet {
    return this.fold ? folded(set) : set;
  }

  /** Flags hold until the end of the group they stand in. */
  private group(): Node {
    const saved = [this.fold, this.dotAll] as const;
    const flags = /^\?([is]*)(-[ims]+)?([:)])/.exec(this.text.slice(this.at));
    if (flags) {
      this.at += flags[0].length;
      if (flags[1]!.includes('i')) this.fold = true;
      if (flags[1]!.includes('s')) this.dotAll = true;
      if (flags[2]?.includes('i')) this.fold = false;
      if (flags[2]?.includes('s')) this.dotAll = false;
      if (flags[3] === ')') return EMPTY;
    } else {
      const name = /^\?P?<[A-Za-z_]\w*>/.exec(this.text.slice(this.at));
      if (name) this.at += name[0].length;
      else if (this.peek() === '?') throw new Unsupported('group');
    }
    const node = this.alternatives();
    if (!this.take(')')) throw new Unsupported('missing )');
    [this.fold, this.dotAll] = saved;
    return node;
  }

  private escape(): Node {
    const char = this.text[this.at++] ?? '';
    const perl = PERL[char.toLowerCase()];
    if (perl) {
      if (char === char.toLowerCase()) return bytes(perl);
      return {kind: 'alt', parts: [bytes(invert(perl)), BEYOND_ASCII]};
    }
    if (char === 'A') return {kind: 'start'};
    if (char === 'z') return {kind: 'end'};
    return this.literal(String.fromCodePoint(this.escapedPoint(char)));
  }

  private escapedPoint(char: string): number {
    if (CONTROL[char] !== undefined) return CONTROL[char];
    if (char === 'x') {
      const hex = /^(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,6})\})/.exec(this.text.slice(this.at));
      if (!hex || Number.parseInt(hex[1] ?? hex[2]!, 16) > 0x10ffff) throw new Unsupported('\\x');
      this.at += hex[0].length;
      return Number.parseInt(hex[1] ?? hex[2]!, 16);
    }
    if (char === '' || /[A-Za-z0-9]/.test(char)) throw new Unsupported(`\\${char}`);
    return char.codePointAt(0)!;
  }

  private charClass(): Node {
    const negated = this.take('^');
    const set = new Uint8Array(256);
    let beyond = false;
    for (let first = true; first || this.peek() !== ']'; first = false) {
      if (this.at >= this.text.length) throw new Unsupported('missing ]');
      beyond = this.classItem(set) || beyond;
    }
    this.at++;
    const ascii = bytes(negated ? invert(this.cased(set)) : this.cased(set));
    return negated || beyond || this.fold ? {kind: 'alt', parts: [ascii, BEYOND_ASCII]} : ascii;
  }

  /** Adds one item to the set; true when it reaches beyond ASCII. */
  private classItem(set: ByteSet): boolean {
    const posix = /^\[:(\^?)([a-z]+):\]/.exec(this.text.slice(this.at));
    if (posix) {
      const named = POSIX[posix[2]!];
      if (!named) throw new Unsupported(posix[0]);
      this.at += posix[0].length;
      add(set, posix[1] ? invert(named) : named);
      return posix[1] !== '';
    }
    const perl = /^\\([dwsDWS])/.exec(this.text.slice(this.at));
    if (perl) {
      this.at += 2;
      const lower = perl[1]!.toLowerCase();
      add(set, perl[1] === lower ? PERL[lower]! : invert(PERL[lower]!));
      return perl[1] !== lower;
    }
    const from = this.classPoint();
    let to = from;
    if (this.peek() === '-' && this.text[this.at + 1] !== ']' && this.at + 1 < this.text.length) {
      this.at++;
      to = this.classPoint();
    }
    if (to < from) throw new Unsupported('range');
    set.fill(1, Math.min(from, 128), Math.min(to, 127) + 1);
    return to > 127;
  }

  private classPoint(): number {
    if (this.take('\\')) return this.escapedPoint(this.text[this.at++] ?? '');
    const point = this.text.codePointAt(this.at)!;
    this.at += point > 0xffff ? 2 : 1;
    return point;
  }
}

function add(set: ByteSet, more: ByteSet): void {
  for (let byte = 0; byte < 256; byte++) if (more[byte]) set[byte] = 1;
}

/** The syntax tree, or undefined when the expression is beyond a byte automaton. */
export function parseRegex(text: string): Node | undefined {
  try {
    return new Parser(text).parse();
  } catch (error) {
    if (error instanceof Unsupported) return undefined;
    throw error;
  }
}
