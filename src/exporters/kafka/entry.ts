// SPDX-License-Identifier: Apache-2.0
/** Messages of one topic and key: many lines, a message each, or one message made of parts. Nothing is copied. */

export interface Address {
  topic: string;
  key: string;
}

interface Counts extends Address {
  /** Records. */
  readonly count: number;
  /** Messages of Kafka. */
  readonly messages: number;
  /** Of all values. */
  readonly bytes: number;
}

/** A message for each line, without its newline. `ends`: where each line ends, behind its newline; the first begins at `start`. */
export interface Lines extends Counts {
  readonly lines: Buffer;
  readonly start: number;
  readonly ends: readonly number[];
}

/** One message. */
export interface Whole extends Counts {
  readonly value: readonly Buffer[];
}

export type Entry = Lines | Whole;

/** What Kafka and its protocol add to key and value, and a little more. */
export const MESSAGE_BYTES = 80;
const NEWLINE = 0x0a;

function linesEntry({topic, key}: Address, lines: Buffer, start: number, ends: readonly number[]): Lines {
  const bytes = (ends.at(-1) ?? start) - start - ends.length;
  return {topic, key, count: ends.length, messages: ends.length, bytes, lines, start, ends};
}

/**
 * Hands lines to `add` in entries that fit into the room that is left, after `next` when not one line does; returns how
 * many are longer than `most` with their key.
 */
export function cutLines(
  address: Address,
  lines: Buffer,
  most: number,
  room: () => number,
  add: (entry: Entry) => void,
  next: () => void,
): number {
  const added = address.key.length + MESSAGE_BYTES;
  let left = room();
  let large = 0;
  let start = 0;
  let ends: number[] = [];
  const flush = (): void => {
    if (ends.length > 0) add(linesEntry(address, lines, start, ends));
    ends = [];
  };
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf(NEWLINE, at) + 1;
    const size = end - at - 1 + added;
    if (size > left || size > most) {
      flush();
      start = at;
      if (size > most) {
        large++;
        start = end;
      } else {
        next();
        left = room();
      }
    }
    if (size <= most) {
      ends.push(end);
      left -= size;
    }
    at = end;
  }
  flush();
  return large;
}

function linesIn(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

/** Messages of many whole lines, up to `most` bytes each where a single line is not longer. */
export function* packLines(
  {topic, key}: Address,
  runs: readonly {bytes: Buffer; count: number}[],
  most: number,
): Generator<Whole> {
  let value: Buffer[] = [];
  let size = 0;
  let count = 0;
  const message = (): Whole => {
    const made = {topic, key, count, messages: 1, bytes: size, value};
    value = [];
    size = 0;
    count = 0;
    return made;
  };
  for (const run of runs) {
    let {bytes} = run;
    let lines = run.count;
    while (size + bytes.length > most) {
      const fits = bytes.lastIndexOf(NEWLINE, most - size - 1) + 1;
      // A line that is longer than a message may be is a message of its own.
      const end = fits > 0 || size > 0 ? fits : bytes.indexOf(NEWLINE) + 1;
      if (end > 0) {
        const part = bytes.subarray(0, end);
        const more = end === bytes.length ? lines : linesIn(part);
        value.push(part);
        size += end;
        count += more;
        lines -= more;
        bytes = bytes.subarray(end);
      }
      yield message();
      if (bytes.length === 0) break;
    }
    if (bytes.length === 0) continue;
    value.push(bytes);
    size += bytes.length;
    count += lines;
  }
  if (count > 0) yield message();
}

/** Two halves; undefined: it is a single message. */
export function halves(entry: Entry): [Entry, Entry] | undefined {
  if (!('lines' in entry) || entry.messages === 1) return undefined;
  const middle = entry.messages >> 1;
  const {lines, start, ends} = entry;
  return [
    linesEntry(entry, lines, start, ends.slice(0, middle)),
    linesEntry(entry, lines, ends[middle - 1]!, ends.slice(middle)),
  ];
}

/** The values one by one. */
export function* valuesOf(entry: Entry): Generator<Buffer> {
  if (!('lines' in entry)) {
    yield entry.value.length === 1 ? entry.value[0]! : Buffer.concat(entry.value);
    return;
  }
  let from = entry.start;
  for (const end of entry.ends) {
    yield entry.lines.subarray(from, end - 1);
    from = end;
  }
}
