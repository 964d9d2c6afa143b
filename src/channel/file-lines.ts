// SPDX-License-Identifier: Apache-2.0
/** NDJSON lines and log records of opens and closes, made by the addon: see native/addon/file_lines.h and file_logs.h. */
import {
  addon,
  type FileLineParts,
  type FileLogParts,
  type NativeFileLines,
  type NativeOpenFile,
} from './addon.js';
import {REC} from './layout.js';
import type {RecordCursor} from './record.js';
import type {Channel} from './types.js';

export type {FileLineParts, FileLogParts};

/** Files of one image by object, and how lines of its opens and closes look. */
export class FileLines {
  readonly native: NativeFileLines;
  #makesLogs = false;

  constructor(parts: FileLineParts, parent: FileLines | undefined) {
    this.native = new addon.FileLines(parts, parent?.native);
  }

  /** What lines end with, by system call number; the last one for all others. */
  static setEnds(ends: readonly string[]): void {
    addon.FileLines.setEnds(ends);
  }

  /** The operation in a log record, by system call number; the last one for all others. */
  static setOps(ops: readonly Buffer[]): void {
    addon.FileLines.setOps(ops);
  }

  /** Log records can be made from now on. */
  makeLogs(parts: () => FileLogParts): void {
    if (!this.#makesLogs) this.native.setLogs(parts());
    this.#makesLogs = true;
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
  /** The same events as log records of OTLP; undefined: they were not asked for. */
  logs: LogSpan | undefined;
}

/** Where an event has no line, it has no log record. */
export interface LogSpan {
  bytes: Buffer;
  ends: Uint32Array;
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
    logs: undefined,
  };
  /** Made when somebody asks for log records. */
  #logs: LogSpan | undefined;
  /** Microseconds since the epoch; undefined: no log records are made. */
  #observed: number | undefined;
  readonly #clock = new Float64Array(4);
  #lines: FileLines | undefined;
  #batch: Buffer = Buffer.alloc(0);
  #made = 0;

  /**
   * A batch of an image begins; undefined: its lines are not made here. `observed`: the time (seconds) that its log records
   * show, for which makeLogs() was called; undefined: none are made.
   */
  begin(lines: FileLines | undefined, channel: Channel, batch: Buffer, observed?: number): void {
    this.#lines = lines;
    this.#observed = observed === undefined ? undefined : Math.round(observed * 1e6);
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
      const {native} = this.#lines!;
      span.logs = this.#logSpan();
      this.#made =
        span.logs === undefined
          ? native.encode(this.#batch, record.offset, this.#clock, bytes, ends, doubts)
          : native.encode(
              ...([this.#batch, record.offset, this.#clock, bytes, ends, doubts] as const),
              ...([span.logs.bytes, span.logs.ends, this.#observed] as const),
            );
      span.from = 0;
      span.to = 0;
      // A line beyond any measure: a path of more than what a record can hold.
      if (this.#made === 0) return true;
    }
    span.opens[span.to] = record.type === REC.OPEN ? 1 : 0;
    span.to += 1;
    return true;
  }

  #logSpan(): LogSpan | undefined {
    if (this.#observed === undefined) return undefined;
    this.#logs ??= {bytes: Buffer.allocUnsafeSlow(BYTES), ends: new Uint32Array(LINES)};
    return this.#logs;
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
