// SPDX-License-Identifier: Apache-2.0
/**
 * Finds events: by source and sourcetype from the index alone, by text in the raw bytes, and by a predicate on what is
 * left. Walks from the end when only the last N are wanted.
 */
import type {EventLog} from './event-log.js';
import {ENTRY, entryOffset, OTHER_TYPE, SOURCE_TYPES} from './index-file.js';

/** An event with its id. */
export interface Found {
  id: number;
  line: string;
}

export interface EventQuery {
  /** Prefixes; any may match. Empty: all. */
  sources?: readonly string[];
  sourcetypes?: readonly string[];
  /** Text that the raw line contains. */
  match?: string;
  /** Asked last, with the line. */
  predicate?: (line: string) => boolean;
  /** Only the last N that match; absent: all. */
  last?: number;
  /** Where to begin: an ordinal. */
  from?: number;
}

/** Entries looked at in one step; a step's lines are read in pieces of MAX_READ. */
const STEP = 65_536;
const FIRST_STEP = 256;
const MAX_READ = 8 * 1024 * 1024;
/** Lines that are not wanted between wanted ones are read along when they are less than this. */
const MAX_GAP = 16 * 1024;

/** Matching events in order. */
export function* findEvents(log: EventLog, query: EventQuery): Generator<Found[]> {
  const wanted = compile(log, query);
  const from = query.from ?? 0;
  if (query.last !== undefined) {
    yield* lastEvents(log, wanted, from, query.last);
    return;
  }
  const count = log.count;
  for (let first = from; first < count; first += STEP) {
    yield* step(log, wanted, first, Math.min(STEP, count - first));
  }
}

function* lastEvents(log: EventLog, wanted: Wanted, from: number, last: number): Generator<Found[]> {
  const parts: Found[][] = [];
  let have = 0;
  let size = FIRST_STEP;
  for (let end = log.count; end > from && have < last; size = Math.min(STEP, size * 4)) {
    const first = Math.max(from, end - size);
    const part = [...step(log, wanted, first, end - first)].flat();
    have += part.length;
    parts.push(have > last ? part.slice(have - last) : part);
    end = first;
  }
  yield* parts.reverse();
}

interface Wanted {
  /** By source number; undefined: every source. */
  source: Uint8Array | undefined;
  type: Uint8Array | undefined;
  needle: Buffer | undefined;
  /** Asked for the entries that the index cannot decide. */
  ask: ((line: string) => boolean) | undefined;
  predicate: ((line: string) => boolean) | undefined;
}

/** In the tables above, 0 is no. */
const YES = 1;
const ASK = 2;

function compile(log: EventLog, query: EventQuery): Wanted {
  const sources = query.sources ?? [];
  const types = query.sourcetypes ?? [];
  let source: Uint8Array | undefined;
  if (sources.length > 0) {
    source = new Uint8Array(log.sources.length + 1);
    source[0] = ASK;
    log.sources.forEach((name, i) => {
      source![i + 1] = sources.some((s) => name.startsWith(s)) ? YES : 0;
    });
  }
  let type: Uint8Array | undefined;
  if (types.length > 0) {
    type = new Uint8Array(256);
    type[OTHER_TYPE] = ASK;
    SOURCE_TYPES.forEach((name, i) => {
      type![i] = types.some((t) => name.startsWith(t)) ? YES : 0;
    });
  }
  const needle = query.match ? Buffer.from(query.match) : undefined;
  return {source, type, needle, ask: linePrefixes(sources, types), predicate: query.predicate};
}

/** The check of sources and types on the line itself. */
function linePrefixes(sources: readonly string[], types: readonly string[]) {
  if (sources.length === 0 && types.length === 0) return undefined;
  return (line: string): boolean => {
    const {body} = JSON.parse(line) as {body: {source: string; sourcetype: string}};
    const any = (list: readonly string[], text: string) =>
      list.length === 0 || list.some((p) => text.startsWith(p));
    return any(sources, body.source) && any(types, body.sourcetype);
  };
}

/** The matching events among `count` entries. */
function* step(log: EventLog, wanted: Wanted, first: number, count: number): Generator<Found[]> {
  const {bytes, end} = log.entries(first, count);
  const picked = pick(bytes, wanted);
  const endOf = (i: number) => ((i + 1) * ENTRY < bytes.length ? entryOffset(bytes, i + 1) : end);
  for (let a = 0; a < picked.length; ) {
    const begin = entryOffset(bytes, picked[a]!);
    let b = a + 1;
    let stop = endOf(picked[a]!);
    while (b < picked.length) {
      const next = entryOffset(bytes, picked[b]!);
      const nextEnd = endOf(picked[b]!);
      if (next - stop > MAX_GAP || nextEnd - begin > MAX_READ) break;
      stop = nextEnd;
      b += 1;
    }
    const found = search(log.read(begin, stop), begin, first, bytes, picked.subarray(a, b), endOf, wanted);
    if (found.length > 0) yield found;
    a = b;
  }
}

/** Positions of the entries that the index does not rule out. */
function pick(bytes: Buffer, wanted: Wanted): Uint32Array {
  const n = bytes.length / ENTRY;
  const picked = new Uint32Array(n);
  const {source, type} = wanted;
  let used = 0;
  for (let i = 0; i < n; i++) {
    const at = i * ENTRY;
    if (type && type[bytes[at + 6]!] === 0) continue;
    if (source) {
      if (source[sourceNumber(bytes, at)] === 0) continue;
    }
    picked[used++] = i;
  }
  return picked.subarray(0, used);
}

/** Looks at the lines of the picked entries in one piece of the file. */
function search(
  piece: Buffer,
  begin: number,
  first: number,
  bytes: Buffer,
  picked: Uint32Array,
  endOf: (i: number) => number,
  wanted: Wanted,
): Found[] {
  const found: Found[] = [];
  const {needle} = wanted;
  const length = needle?.length ?? 0;
  const take = (k: number, at: number): number => {
    const i = picked[k]!;
    const from = entryOffset(bytes, i) - begin;
    const newline = piece.indexOf(10, from);
    const to = newline < 0 ? Math.min(endOf(i) - begin, piece.length) : newline;
    if (at >= from && at + length <= to && accepts(bytes, i, piece, from, to, wanted)) {
      found.push({id: first + i, line: piece.toString('utf8', from, to)});
    }
    return to;
  };
  if (!needle) {
    for (let k = 0; k < picked.length; k++) take(k, entryOffset(bytes, picked[k]!) - begin);
    return found;
  }
  // Jumps from hit to hit; the lines between are not looked at.
  let k = 0;
  for (let hit = piece.indexOf(needle); hit >= 0; ) {
    k = lastAtOrBefore(bytes, picked, k, begin + hit);
    const end = take(k, hit);
    hit = piece.indexOf(needle, Math.max(end, hit + 1));
  }
  return found;
}

/** Position in `picked` of the last entry that begins at or before the offset, at `low` or later. */
function lastAtOrBefore(bytes: Buffer, picked: Uint32Array, low: number, offset: number): number {
  let a = low;
  let b = picked.length;
  while (b - a > 1) {
    const middle = (a + b) >> 1;
    if (entryOffset(bytes, picked[middle]!) <= offset) a = middle;
    else b = middle;
  }
  return a;
}

/** The checks that need the line's text. */
function accepts(bytes: Buffer, i: number, piece: Buffer, from: number, to: number, wanted: Wanted): boolean {
  const {ask, predicate} = wanted;
  const at = i * ENTRY;
  const undecided = sourceNumber(bytes, at) === 0 || bytes[at + 6] === OTHER_TYPE;
  if (!predicate && !(undecided && ask)) return true;
  const line = piece.toString('utf8', from, to);
  return !(undecided && ask && !ask(line)) && (!predicate || predicate(line));
}

const sourceNumber = (bytes: Buffer, at: number) => bytes[at + 8]! | (bytes[at + 9]! << 8);
