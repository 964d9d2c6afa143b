// SPDX-License-Identifier: Apache-2.0
/**
 * The event index, `.index/events` and `.index/names`: 16 bytes for each event line, so that an id, the last N and a
 * filter by source or sourcetype never parse the lines they pass over.
 *
 *   u32 offset low | u16 offset high | u8 sourcetype | u8 0 | u32 source | u32 pid
 *
 * Sources are numbered from 1 in the order of `.index/names` (one JSON string per line); 0 means not numbered: look at
 * the line.
 */
import type {SourceType} from '../records/types.js';

export const ENTRY = 16;
/** Distinct sources that get a number; more (a program that logs to ever new files) are found by the line. */
export const MAX_SOURCES = 65_535;

export const SOURCE_TYPES: readonly SourceType[] = [
  'file',
  'console',
  'syslog',
  'metric',
  'http',
  'net',
  'fs',
  'dns',
];
const TYPE_NUMBER = new Map<string, number>(SOURCE_TYPES.map((t, i) => [t, i]));
/** Sourcetype of a line whose type is none of ours. */
export const OTHER_TYPE = 255;

export function typeNumber(sourcetype: string): number {
  return TYPE_NUMBER.get(sourcetype) ?? OTHER_TYPE;
}

/** Words of 32 bits in an entry; little-endian, as every machine that this runs on. */
const WORDS = ENTRY / 4;

/** Collects entries in memory until they are written. */
export class IndexBuffer {
  #words = new Uint32Array(16 * 1024);
  #used = 0;
  readonly #ids = new Map<string, number>();
  #newNames: string[] = [];

  constructor(names: readonly string[] = []) {
    for (const name of names) this.#ids.set(name, this.#ids.size + 1);
  }

  add(offset: number, sourcetype: string, source: string, pid: number): void {
    this.addNumbered(offset, typeNumber(sourcetype), this.number(source), pid);
  }

  /** add() for many of a kind: `type` of typeNumber(), `source` of number(). */
  addNumbered(offset: number, type: number, source: number, pid: number): void {
    let at = this.#used;
    if (at + WORDS > this.#words.length) this.#grow();
    const words = this.#words;
    words[at++] = offset;
    words[at++] = Math.floor(offset / 0x1_0000_0000) | (type << 16);
    words[at++] = source;
    words[at++] = pid;
    this.#used = at;
  }

  get entries(): number {
    return this.#used / WORDS;
  }

  /** Everything added since the last take; the bytes are valid until the next add. */
  take(): {entries: Buffer; names: string} {
    const entries = Buffer.from(this.#words.buffer, 0, this.#used * 4);
    const names = this.#newNames.map((n) => `${JSON.stringify(n)}\n`).join('');
    this.#used = 0;
    this.#newNames = [];
    return {entries, names};
  }

  /** The source's number, a new one where it has none yet. */
  number(source: string): number {
    const known = this.#ids.get(source);
    if (known !== undefined) return known;
    if (this.#ids.size >= MAX_SOURCES || source.length > 4096) return 0;
    const id = this.#ids.size + 1;
    this.#ids.set(source, id);
    this.#newNames.push(source);
    return id;
  }

  #grow(): void {
    const bigger = new Uint32Array(this.#words.length * 2);
    bigger.set(this.#words);
    this.#words = bigger;
  }
}

/** Offset of entry `i` in events.json. */
export function entryOffset(entries: Buffer, i: number): number {
  return entries.readUInt16LE(i * ENTRY + 4) * 0x1_0000_0000 + entries.readUInt32LE(i * ENTRY);
}

/** `.index/names` back to the list; index 0 is source 1. */
export function parseNames(text: string): string[] {
  const names: string[] = [];
  for (const line of text.split('\n')) {
    if (line !== '') names.push(JSON.parse(line) as string);
  }
  return names;
}
