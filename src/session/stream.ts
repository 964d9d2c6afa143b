// SPDX-License-Identifier: Apache-2.0
/** An append-only NDJSON file of a session, written through one buffer. */
import {closeSync, fstatSync, ftruncateSync, openSync, writeSync} from 'node:fs';
import type {RelayRecord} from '../records/types.js';

/**
 * Writes the record's line, newline included, into `out` at `at`. Returns the offset behind it, or -1 when it does not
 * fit, or `at` when the record has no line.
 */
export type LineEncoder = (record: RelayRecord, out: Buffer, at: number) => number;

const BUFFER = 1024 * 1024;
/**
 * A write of so much takes a tenth of a millisecond, which is short: see src/relay/patience.ts. One that begins anywhere costs the
 * file system half as much again for each byte when it is of a quarter of this.
 */
const FLUSH = 256 * 1024;
/** A line larger than this is dropped and counted. */
export const MAX_LINE = 64 * 1024 * 1024;

export class Stream {
  readonly #fd: number;
  #buffer = Buffer.allocUnsafe(BUFFER);
  #used = 0;
  /** Bytes in the file. */
  #written: number;

  /** Opens or makes the file and cuts it to `size`. */
  constructor(path: string, size: number) {
    this.#fd = openSync(path, 'a+', 0o600);
    const have = fstatSync(this.#fd).size;
    if (have > size) ftruncateSync(this.#fd, size);
    this.#written = Math.min(have, size);
  }

  /** Size with what is buffered: where the next line begins. */
  get size(): number {
    return this.#written + this.#used;
  }

  /** False when the record is too large for any buffer. */
  append(record: RelayRecord, encode: LineEncoder): boolean {
    let end = encode(record, this.#buffer, this.#used);
    while (end < 0) {
      if (this.#used > 0) this.flush();
      else if (this.#buffer.length >= MAX_LINE) return false;
      else this.#buffer = Buffer.allocUnsafe(this.#buffer.length * 2);
      end = encode(record, this.#buffer, this.#used);
    }
    this.#used = end;
    if (end >= FLUSH) this.flush();
    return true;
  }

  /** Appends these bytes of a buffer as they are, through our own. */
  put(from: Uint8Array, begin: number, end: number): void {
    const length = end - begin;
    // Costs half of what Buffer.subarray does, and lines come one by one.
    const bytes = new Uint8Array(from.buffer, from.byteOffset + begin, length);
    if (this.#used + length > this.#buffer.length) this.flush();
    if (length > this.#buffer.length) {
      this.#writeAll(bytes, length);
      return;
    }
    this.#buffer.set(bytes, this.#used);
    this.#used += length;
    if (this.#used >= FLUSH) this.flush();
  }

  /** Appends bytes at once. */
  write(bytes: Uint8Array): void {
    this.flush();
    this.#writeAll(bytes, bytes.length);
  }

  flush(): void {
    const used = this.#used;
    this.#used = 0;
    this.#writeAll(this.#buffer, used);
  }

  /** Back to `size` bytes, the buffer emptied: what a full disk leaves half written must go. */
  cut(size: number): void {
    this.#used = 0;
    ftruncateSync(this.#fd, size);
    this.#written = size;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #writeAll(bytes: Uint8Array, length: number): void {
    for (let done = 0; done < length; ) {
      const n = writeSync(this.#fd, bytes, done, length - done);
      done += n;
      this.#written += n;
    }
  }
}
