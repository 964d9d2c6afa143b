// SPDX-License-Identifier: Apache-2.0
/** Reads events.json by its index: any event by ordinal, ranges, and the entries that filters look at. */
import {closeSync, existsSync, fstatSync, openSync, readFileSync, readSync} from 'node:fs';
import {join} from 'node:path';
import {type Commit, readCommit} from './commit.js';
import {ENTRY, entryOffset, IndexBuffer, parseNames} from './index-file.js';
import {FILES, INDEX_FILES} from './layout.js';
import {lineFacts} from './line-facts.js';

/** Some consecutive events' entries and where the event behind the last one begins (or the file ends). */
export interface Entries {
  first: number;
  count: number;
  bytes: Buffer;
  end: number;
}

export class EventLog {
  readonly #path: string;
  readonly #index: string;
  readonly #fd: number;
  #indexFd = -1;
  /** The index in memory, for a folder without one of ours (copied, or of another tool). */
  #built: {entries: Buffer; names: string[]; size: number} | undefined;
  #commit: Commit | undefined;
  #scratch = Buffer.allocUnsafeSlow(64 * 1024);
  #names: string[] = [];
  #namesSize = -1;

  /** Throws ENOENT when there is no events.json. */
  constructor(workdir: string) {
    this.#path = join(workdir, FILES.events);
    this.#index = join(workdir, FILES.index);
    this.#fd = openSync(this.#path, 'r');
    this.refresh();
  }

  /** Looks again at what is committed. */
  refresh(): void {
    if (this.#built === undefined && this.#useIndex()) return;
    this.#commit = undefined;
    this.#build();
  }

  /** False when there is no index, or one that does not fit the file: then the file alone counts. */
  #useIndex(): boolean {
    const commit = readCommit(join(this.#index, INDEX_FILES.commit));
    if (commit === undefined || fstatSync(this.#fd).size < commit.events) return false;
    const path = join(this.#index, INDEX_FILES.events);
    if (this.#indexFd < 0 && existsSync(path)) this.#indexFd = openSync(path, 'r');
    const have = this.#indexFd < 0 ? 0 : fstatSync(this.#indexFd).size;
    if (have < commit.count * ENTRY) return false;
    try {
      if (commit.names !== this.#namesSize) this.#readNames(commit.names);
    } catch {
      return false;
    }
    this.#commit = commit;
    return true;
  }

  get count(): number {
    if (this.#built) return this.#built.entries.length / ENTRY;
    return this.#commit?.count ?? 0;
  }

  /** Valid bytes of events.json. */
  get size(): number {
    return this.#built?.size ?? this.#commit?.events ?? 0;
  }

  /** Sources by number - 1. */
  get sources(): readonly string[] {
    return this.#names;
  }

  entries(first: number, count: number): Entries {
    const last = first + count;
    const more = last < this.count ? 1 : 0;
    const bytes = this.#entryBytes(first, count + more);
    const end = more ? entryOffset(bytes, count) : this.size;
    return {first, count, bytes: bytes.subarray(0, count * ENTRY), end};
  }

  /** Bytes of events.json, valid until the next read: fresh memory for each piece would cost more than the read. */
  read(from: number, to: number): Buffer {
    if (to - from > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(to - from);
    return readExactly(this.#fd, from, to - from, this.#scratch);
  }

  /** The line of one event, without its newline. */
  line(ordinal: number): string {
    const e = this.entries(ordinal, 1);
    const bytes = this.read(entryOffset(e.bytes, 0), e.end);
    const newline = bytes.indexOf(10);
    return bytes.toString('utf8', 0, newline < 0 ? bytes.length : newline);
  }

  close(): void {
    closeSync(this.#fd);
    if (this.#indexFd >= 0) closeSync(this.#indexFd);
    this.#indexFd = -1;
  }

  #entryBytes(first: number, count: number): Buffer {
    if (this.#built) return this.#built.entries.subarray(first * ENTRY, (first + count) * ENTRY);
    return readExactly(this.#indexFd, first * ENTRY, count * ENTRY);
  }

  #readNames(size: number): void {
    const bytes = readFileSync(join(this.#index, INDEX_FILES.names)).subarray(0, size);
    this.#names = parseNames(bytes.toString('utf8'));
    this.#namesSize = size;
  }

  /** Indexes the file as it is; only what grew is looked at again. */
  #build(): void {
    const size = fstatSync(this.#fd).size;
    const before = this.#built;
    if (before && size === before.size) return;
    const from = before?.size ?? 0;
    const index = new IndexBuffer(before?.names ?? []);
    const used = scanLines(this.#fd, from, size, (line, offset) => {
      const facts = lineFacts(line);
      if (facts) index.add(offset, facts.sourcetype, facts.source, facts.pid);
    });
    const {entries, names} = index.take();
    const all = [...(before?.names ?? []), ...parseNames(names)];
    this.#built = {
      entries: Buffer.concat([before?.entries ?? Buffer.alloc(0), entries]),
      names: all,
      size: used,
    };
    this.#names = all;
  }
}

function readExactly(fd: number, from: number, length: number, into?: Buffer): Buffer {
  const bytes = into ?? Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const n = readSync(fd, bytes, done, length - done, from + done);
    if (n === 0) break;
    done += n;
  }
  return bytes.subarray(0, done);
}

const CHUNK = 4 * 1024 * 1024;

/** Calls `take` for each whole line in [from, to); returns the offset behind the last newline. */
export function scanLines(
  fd: number,
  from: number,
  to: number,
  take: (line: Buffer, offset: number) => void,
): number {
  let at = from;
  let size = CHUNK;
  while (at < to) {
    const chunk = readExactly(fd, at, Math.min(size, to - at));
    let begin = 0;
    for (let nl = chunk.indexOf(10); nl >= 0; nl = chunk.indexOf(10, begin)) {
      take(chunk.subarray(begin, nl), at + begin);
      begin = nl + 1;
    }
    // No newline in all that is left: an unfinished line. In a full chunk: a line longer than the chunk.
    if (begin === 0 && (chunk.length < size || at + chunk.length >= to)) return at;
    size = begin === 0 ? size * 2 : CHUNK;
    at += begin;
  }
  return at;
}
