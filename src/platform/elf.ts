// SPDX-License-Identifier: Apache-2.0
/** What an executable file says of itself: linkage, loader, language. Reads headers only, never the whole file. */
import {closeSync, openSync, readSync} from 'node:fs';
import {ScopeError} from '../base/errors.js';

/** Facts of a 64-bit little-endian ELF file; `kind` is `script` for a file that begins with `#!`. */
export interface ElfFacts {
  kind: 'elf' | 'script' | 'other';
  /** `#!` line of a script. */
  interpreterLine?: string;
  machine: 'x86_64' | 'aarch64' | 'other';
  /** Position-independent. */
  pie: boolean;
  /** Path of the dynamic loader; undefined: static. */
  loader?: string;
  /** DT_NEEDED names. */
  needed: string[];
  /** Lower-case hex; undefined: none. */
  buildId?: string;
  /** `go1.22.1` for a Go program. */
  goVersion?: string;
  /** Made by rustc. */
  rust: boolean;
  /** Exports OpenSSL's SSL_read itself (node, some servers). */
  exportsSsl: boolean;
}

interface Section {
  name: string;
  offset: number;
  size: number;
}

const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const PT_NOTE = 4;
const PT_LOAD = 1;

/** Reads n bytes at an offset; shorter at the end of the file. */
type Reader = (offset: number, n: number) => Buffer;

function text(bytes: Buffer, at: number): string {
  const end = bytes.indexOf(0, at);
  return bytes.toString('latin1', at, end < 0 ? bytes.length : end);
}

interface Segment {
  type: number;
  offset: number;
  vaddr: number;
  size: number;
}

function segments(read: Reader, head: Buffer): Segment[] {
  const at = Number(head.readBigUInt64LE(32));
  const count = head.readUInt16LE(56);
  const table = read(at, count * 56);
  const found: Segment[] = [];
  for (let i = 0; i + 56 <= table.length; i += 56) {
    found.push({
      type: table.readUInt32LE(i),
      offset: Number(table.readBigUInt64LE(i + 8)),
      vaddr: Number(table.readBigUInt64LE(i + 16)),
      size: Number(table.readBigUInt64LE(i + 32)),
    });
  }
  return found;
}

function sections(read: Reader, head: Buffer): Section[] {
  const at = Number(head.readBigUInt64LE(40));
  const count = head.readUInt16LE(60);
  if (at === 0 || count === 0) return [];
  const table = read(at, count * 64);
  const names = head.readUInt16LE(62) * 64;
  if (names + 64 > table.length) return [];
  const strings = read(
    Number(table.readBigUInt64LE(names + 24)),
    Math.min(Number(table.readBigUInt64LE(names + 32)), 1 << 16),
  );
  const found: Section[] = [];
  for (let i = 0; i + 64 <= table.length; i += 64) {
    found.push({
      name: text(strings, table.readUInt32LE(i)),
      offset: Number(table.readBigUInt64LE(i + 24)),
      size: Number(table.readBigUInt64LE(i + 32)),
    });
  }
  return found;
}

/** DT_NEEDED names of the dynamic section. */
function needed(read: Reader, all: Segment[]): string[] {
  const dynamic = all.find((s) => s.type === PT_DYNAMIC);
  if (!dynamic) return [];
  const bytes = read(dynamic.offset, Math.min(dynamic.size, 1 << 16));
  const offsets: number[] = [];
  let strings = 0;
  for (let i = 0; i + 16 <= bytes.length; i += 16) {
    const tag = Number(bytes.readBigInt64LE(i));
    const value = Number(bytes.readBigUInt64LE(i + 8));
    if (tag === 0) break;
    if (tag === 1) offsets.push(value);
    if (tag === 5) strings = value;
  }
  const load = all.find((s) => s.type === PT_LOAD && strings >= s.vaddr && strings < s.vaddr + s.size);
  if (!load) return [];
  const start = load.offset + strings - load.vaddr;
  return offsets.map((offset) => text(read(start + offset, 256), 0));
}

function buildId(read: Reader, all: Segment[]): string | undefined {
  for (const note of all.filter((s) => s.type === PT_NOTE)) {
    const bytes = read(note.offset, Math.min(note.size, 4096));
    for (let i = 0; i + 12 <= bytes.length; ) {
      const nameSize = bytes.readUInt32LE(i);
      const size = bytes.readUInt32LE(i + 4);
      const desc = i + 12 + ((nameSize + 3) & ~3);
      if (bytes.readUInt32LE(i + 8) === 3 && bytes.toString('latin1', i + 12, i + 15) === 'GNU')
        return bytes.toString('hex', desc, desc + size);
      i = desc + ((size + 3) & ~3);
    }
  }
  return undefined;
}

/** Version from .go.buildinfo (its inline form since Go 1.18). */
function goVersion(read: Reader, all: Section[]): string | undefined {
  const info = all.find((s) => s.name === '.go.buildinfo');
  if (!info) return undefined;
  const bytes = read(info.offset, Math.min(info.size, 256));
  if (bytes.toString('latin1', 1, 14) !== ' Go buildinf:') return undefined;
  if (bytes.length < 34 || !(bytes[15]! & 2)) return 'go (before 1.18)';
  const length = bytes[32]!;
  return bytes.toString('latin1', 33, 33 + length);
}

/** Whether a name stands in the dynamic string table. */
function exports(read: Reader, all: Section[], name: string): boolean {
  const strings = all.find((s) => s.name === '.dynstr');
  return (
    strings !== undefined && read(strings.offset, Math.min(strings.size, 8 << 20)).includes(`\0${name}\0`)
  );
}

/** Reads the facts. Throws ScopeError SCOPE_NOT_FOUND when the file cannot be read. */
export function readElf(path: string): ElfFacts {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (cause) {
    throw new ScopeError('SCOPE_NOT_FOUND', `${path}: ${(cause as Error).message}`, {cause});
  }
  const read: Reader = (offset, n) => {
    const buffer = Buffer.alloc(Math.max(0, n));
    const got = readSync(fd, buffer, 0, buffer.length, offset);
    return buffer.subarray(0, got);
  };
  try {
    return facts(read);
  } catch (cause) {
    throw new ScopeError(
      'SCOPE_NOT_FOUND',
      `${path}: not a readable executable: ${(cause as Error).message}`,
      {cause},
    );
  } finally {
    closeSync(fd);
  }
}

function facts(read: Reader): ElfFacts {
  const none: ElfFacts = {
    kind: 'other',
    machine: 'other',
    pie: false,
    needed: [],
    rust: false,
    exportsSsl: false,
  };
  const head = read(0, 256);
  if (head.toString('latin1', 0, 2) === '#!') {
    const end = head.indexOf(10);
    return {
      ...none,
      kind: 'script',
      interpreterLine: head.toString('latin1', 2, end < 0 ? head.length : end).trim(),
    };
  }
  if (head.length < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2 || head[5] !== 1) return none;
  const machine = head.readUInt16LE(18);
  const parts = segments(read, head);
  const named = sections(read, head);
  const interp = parts.find((s) => s.type === PT_INTERP);
  const id = buildId(read, parts);
  const go = goVersion(read, named);
  const comment = named.find((s) => s.name === '.comment');
  const from = comment ? read(comment.offset, Math.min(comment.size, 4096)).toString('latin1') : '';
  return {
    kind: 'elf',
    machine: machine === 62 ? 'x86_64' : machine === 183 ? 'aarch64' : 'other',
    pie: head.readUInt16LE(16) === 3,
    ...(interp && {loader: text(read(interp.offset, Math.min(interp.size, 4096)), 0)}),
    needed: needed(read, parts),
    ...(id !== undefined && {buildId: id}),
    ...(go !== undefined && {goVersion: go}),
    rust: from.includes('rustc'),
    exportsSsl: exports(read, named, 'SSL_read'),
  };
}
