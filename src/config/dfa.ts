// SPDX-License-Identifier: Apache-2.0
/**
 * File-name expressions as a byte automaton for the hub (struct sc_dfa of channel.h), so that the library decides with
 * one table look-up per byte which files' text is wanted. The name's final NUL is fed too: it is what `$` waits for.
 */
import {type ByteSet, type Node, parseRegex} from './dfa-parse.js';

/** sizeof(struct sc_dfa). */
export const DFA_SIZE = 48 * 1024;
const HEAD = 392;
const MAX_STATES = 1024;
const MAX_NFA = 20_000;
/** `states` of an automaton that accepts everything. */
const EVERYTHING = 0xffff;

/** One NFA state: either a set of bytes that leads to `next`, or free edges. */
interface State {
  set?: ByteSet;
  next: number;
  free: number[];
  /** Free edge that only holds at the start or at the end of the text. */
  at?: 'start' | 'end';
}

class Nfa {
  readonly states: State[] = [{next: 0, free: []}]; // 0: match

  build(node: Node, next: number): number {
    if (this.states.length > MAX_NFA) throw new RangeError('too large');
    switch (node.kind) {
      case 'bytes':
        return this.push({set: node.set, next, free: []});
      case 'cat':
        return node.parts.reduceRight((after, part) => this.build(part, after), next);
      case 'alt':
        return this.push({next: 0, free: node.parts.map((part) => this.build(part, next))});
      case 'repeat':
        return this.repeat(node, next);
      default:
        return this.push({next: 0, free: [next], at: node.kind});
    }
  }

  private repeat(node: Extract<Node, {kind: 'repeat'}>, next: number): number {
    let entry = next;
    if (node.max === Infinity) {
      const loop = this.push({next: 0, free: [next]});
      this.states[loop]!.free.push(this.build(node.node, loop));
      entry = loop;
    } else {
      for (let i = node.min; i < node.max; i++) {
        entry = this.push({next: 0, free: [next, this.build(node.node, entry)]});
      }
    }
    for (let i = 0; i < node.min; i++) entry = this.build(node.node, entry);
    return entry;
  }

  private push(state: State): number {
    return this.states.push(state) - 1;
  }

  /** States with bytes (and 0 for a match) that can be reached for free. */
  closure(from: Iterable<number>, start: boolean, end: boolean): number[] {
    const seen = new Set<number>();
    const stack = [...from];
    while (stack.length > 0) {
      const at = stack.pop()!;
      if (seen.has(at)) continue;
      const state = this.states[at]!;
      seen.add(at);
      if (state.at === 'start' && !start) continue;
      if (state.at === 'end' && !end) continue;
      stack.push(...state.free);
    }
    return [...seen].sort((a, b) => a - b);
  }
}

/** Bytes that no set tells apart share a class. */
function byteClasses(nfa: Nfa): {classOf: Uint8Array; sample: number[]} {
  const classOf = new Uint8Array(256);
  const names = new Map<string, number>();
  const sample: number[] = [];
  const sets = [...new Set(nfa.states.flatMap((state) => (state.set ? [state.set] : [])))];
  for (let byte = 0; byte < 256; byte++) {
    const name = byte === 0 ? 'end' : sets.map((set) => set[byte]).join('');
    let id = names.get(name);
    if (id === undefined) {
      id = names.size;
      names.set(name, id);
      sample.push(byte);
    }
    classOf[byte] = id;
  }
  return {classOf, sample};
}

interface Dfa {
  classes: number;
  classOf: Uint8Array;
  accept: boolean[];
  next: number[][];
}

/** Subset construction; undefined when it grows too large. */
function determinize(nfa: Nfa, entry: number): Dfa | undefined {
  const {classOf, sample} = byteClasses(nfa);
  const ids = new Map<string, number>();
  const sets: number[][] = [];
  const accept: boolean[] = [];
  const next: number[][] = [];
  const add = (set: number[]): number => {
    const matched = set.includes(0);
    const key = matched ? 'match' : set.join(' ');
    const known = ids.get(key);
    if (known !== undefined) return known;
    ids.set(key, sets.length);
    accept.push(matched);
    return sets.push(matched ? [] : set) - 1;
  };
  add(nfa.closure([entry], true, false));
  for (let id = 0; id < sets.length; id++) {
    if (sets.length > MAX_STATES * 4) return undefined;
    next.push(sample.map((byte) => (accept[id] ? id : add(step(nfa, sets[id]!, byte, entry, id === 0)))));
  }
  return {classes: sample.length, classOf, accept, next};
}

/** The states after a byte; a new try begins at each byte, since a match may lie anywhere. */
function step(nfa: Nfa, set: readonly number[], byte: number, entry: number, first: boolean): number[] {
  if (byte === 0) {
    return nfa.closure([...set, entry], first, true).includes(0) ? [0] : nfa.closure([entry], false, false);
  }
  const to = [entry];
  for (const id of set) {
    const state = nfa.states[id]!;
    if (state.set?.[byte]) to.push(state.next);
  }
  return nfa.closure(to, false, false);
}

/** Joins states that behave alike (Moore). */
function minimize(dfa: Dfa): Dfa {
  let group: number[] = dfa.accept.map((accepts) => (accepts ? 1 : 0));
  for (let count = 0; ; ) {
    const names = new Map<string, number>();
    const refined = group.map((own, id) => {
      const name = `${own}:${dfa.next[id]!.map((to) => group[to]).join(',')}`;
      if (!names.has(name)) names.set(name, names.size);
      return names.get(name)!;
    });
    group = refined;
    if (names.size === count) break;
    count = names.size;
  }
  const first = new Map<number, number>();
  group.forEach((own, id) => {
    if (!first.has(own)) first.set(own, id);
  });
  const members = [...first.entries()].sort((a, b) => a[0] - b[0]).map(([, id]) => id);
  return {
    ...dfa,
    accept: members.map((id) => dfa.accept[id]!),
    next: members.map((id) => dfa.next[id]!.map((to) => group[to]!)),
  };
}

function encode(dfa: Dfa): Uint8Array {
  const out = new Uint8Array(DFA_SIZE);
  const view = new DataView(out.buffer);
  view.setUint16(0, dfa.next.length, true);
  view.setUint16(2, dfa.classes, true);
  out.set(dfa.classOf, 8);
  dfa.accept.forEach((accepts, id) => {
    if (accepts) out[264 + (id >> 3)]! |= 1 << (id & 7);
  });
  dfa.next.flat().forEach((to, i) => {
    view.setUint16(HEAD + 2 * i, to, true);
  });
  return out;
}

function everything(): Uint8Array {
  const out = new Uint8Array(DFA_SIZE);
  new DataView(out.buffer).setUint16(0, EVERYTHING, true);
  return out;
}

/**
 * The bytes of a struct sc_dfa that accepts a name when one of the expressions matches somewhere in it. No expression:
 * nothing is accepted. An expression that is too large or beyond a byte automaton: everything is.
 */
export function compileDfa(patterns: readonly string[]): Uint8Array {
  if (patterns.length === 0) return new Uint8Array(DFA_SIZE);
  const parts: Node[] = [];
  for (const pattern of patterns) {
    const node = parseRegex(pattern);
    if (!node) return everything();
    parts.push(node);
  }
  try {
    const nfa = new Nfa();
    const entry = nfa.build({kind: 'alt', parts}, 0);
    const full = determinize(nfa, entry);
    const dfa = full && minimize(full);
    if (!dfa || dfa.accept[0]) return everything();
    if (dfa.next.length > MAX_STATES || dfa.next.length * dfa.classes > (DFA_SIZE - HEAD) / 2)
      return everything();
    return encode(dfa);
  } catch (error) {
    if (error instanceof RangeError) return everything();
    throw error;
  }
}

/** What the library does with the table: for tests, and the reference of its C twin. */
export function runDfa(dfa: Uint8Array, name: string): boolean {
  const view = new DataView(dfa.buffer, dfa.byteOffset, dfa.byteLength);
  const states = view.getUint16(0, true);
  if (states === 0 || states === EVERYTHING) return states === EVERYTHING;
  const classes = view.getUint16(2, true);
  let state = 0;
  for (const byte of [...Buffer.from(name), 0]) {
    state = view.getUint16(HEAD + 2 * (state * classes + dfa[8 + byte]!), true);
    if (dfa[264 + (state >> 3)]! & (1 << (state & 7))) return true;
  }
  return false;
}
