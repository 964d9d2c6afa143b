// SPDX-License-Identifier: Apache-2.0
/** NDJSON lines of opens and closes, made by the addon: see native/addon/file_lines.h. */
import {addon, type FileLineParts, type NativeFileLines, type NativeOpenFile} from './addon.js';
import {REC} from './layout.js';
import type {RecordCursor} from './record.js';
import type {Channel} from './types.js';

export type {FileLineParts};

/** Files of one image by object, and how lines of its opens and closes look. */
export class FileLines {
  readonly native: NativeFileLines;

  constructor(parts: FileLineParts, parent: FileLines | undefined) {
    this.native = new addon.FileLines(parts, parent?.native);
  }

  /** What lines end with, by system call number; the last one for all others. */
  static setEnds(ends: readonly string[]): void {
    addon.FileLines.setEnds(ends);
  }

  get(object: number): NativeOpenFile | undefined {
    return this.native.get(object);
  }

  set(object: number, file: NativeOpenFile): void {
    this.native.set(object, file);
  }

  /** What is open, the longest open first. */
  list(most: number): [number, NativeOpenFile][] {
    return this.native.list(most);
  }
}

/** Some of the lines of a LineRun, one after the other. */
export interface LineSpan {
  bytes: Buffer;
  /** Where each line ends in `bytes`; it begins where the one before it ends. */
  ends: Uint32Array;
  /** 1: of an open, 0: of a close. */
  opens: Uint8Array;
  /** 1: the path in it may hold a secret. */
  doubts: Uint8Array;
  /** The span's first line, and the one behind its last. */
  from: number;
  to: number;
}

const BYTES = 256 * 1024;
const LINES = 512;

/**
 * Lines of the batch at hand, made ahead some hundred at a time: a call into the addon for each record would cost as much
 * as the line.
 */
export class LineRun {
  readonly #span: LineSpan = {
    bytes: Buffer.allocUnsafeSlow(BYTES),
    ends: new Uint32Array(LINES),
    opens: new Uint8Array(LINES),
    doubts: new Uint8Array(LINES),
    from: 0,
    to: 0,
  };
  readonly #clock = new Float64Array(4);
  #lines: FileLines | undefined;
  #batch: Buffer = Buffer.alloc(0);
  #made = 0;

  /** A batch of an image begins; undefined: its lines are not made here. */
  begin(lines: FileLines | undefined, channel: Channel, batch: Buffer): void {
    this.#lines = lines;
    this.#batch = batch;
    this.#made = 0;
    this.#span.from = 0;
    this.#span.to = 0;
    if (lines !== undefined) channel.clock(this.#clock);
  }

  /** Whether the record is an open or close whose line is made here. */
  takes(record: RecordCursor): boolean {
    return this.#lines !== undefined && (record.type === REC.OPEN || record.type === REC.CLOSE);
  }

  /** Adds the record's line to the span. False: the span must be taken first. */
  take(record: RecordCursor): boolean {
    const span = this.#span;
    if (span.to === this.#made) {
      if (span.from < span.to) return false;
      const {bytes, ends, doubts} = span;
      this.#made = this.#lines!.native.encode(this.#batch, record.offset, this.#clock, bytes, ends, doubts);
      span.from = 0;
      span.to = 0;
      // A line beyond any measure: a path of more than what a record can hold.
      if (this.#made === 0) return true;
    }
    span.opens[span.to] = record.type === REC.OPEN ? 1 : 0;
    span.to += 1;
    return true;
  }

  /** What was taken since the last call; undefined: nothing. Valid until the next take(). */
  span(): Readonly<LineSpan> | undefined {
    const span = this.#span;
    return span.from < span.to ? span : undefined;
  }

  /** The span has been used. */
  used(): void {
    this.#span.from = this.#span.to;
  }
}
