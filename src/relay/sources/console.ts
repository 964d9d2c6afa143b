// SPDX-License-Identifier: Apache-2.0
/**
 * Console and file text: writes to one descriptor are joined into one event, until it is full, another descriptor's
 * object takes its number, or the relay commits.
 */
import {REC, REC_FLAG, type RecordCursor} from '../../channel/index.js';
import type {Image, Source, SourceKind} from './source.js';

/** An event has at most about so many bytes of text. */
const TEXT_MAX = 32 * 1024;
/** So much of each write is looked at to tell text from binary data. */
const BINARY_LOOK = 256;
const BINARY_NOTE = '-- binary data ignored --';
const STREAMS: Readonly<Record<number, string>> = {1: 'stdout', 2: 'stderr'};
const ESC = 0x1b;

/** Text that waits to become an event. */
interface Pending {
  object: number;
  fd: number;
  type: 'console' | 'file';
  source: string;
  /** Of its first write. */
  time: number;
  bytes: Buffer;
  length: number;
}

/** What an object's text becomes; undefined type: nothing. */
interface Target {
  type: 'console' | 'file' | undefined;
  source: string;
}

class ConsoleSource implements Source {
  readonly #image: Image;
  /** By descriptor. */
  readonly #pending = new Map<number, Pending>();
  readonly #targets = new Map<number, Target>();
  /** Descriptors in a run of binary writes. */
  readonly #binary = new Set<number>();
  /** Threads whose write goes on in their next record, and whether it is binary. */
  readonly #continued = new Map<number, boolean>();

  constructor(image: Image) {
    this.#image = image;
  }

  record(record: RecordCursor): void {
    const target = this.#targets.get(record.object) ?? this.#target(record.object, this.#sourceOf(record));
    if (target.type === undefined) return;
    const data = record.data();
    let pending = this.#pending.get(record.fd);
    if (pending !== undefined && pending.object !== record.object) {
      this.#send(pending, true);
      pending = undefined;
    }
    if (target.type === 'console' && !this.#image.settings.events.allowBinary) {
      if (this.#isBinary(record, data)) {
        if (this.#binary.has(record.fd)) return;
        this.#binary.add(record.fd);
        if (pending) this.#send(pending, true);
        this.#append(record, target, Buffer.from(BINARY_NOTE));
        return;
      }
      this.#binary.delete(record.fd);
    }
    this.#append(record, target, data);
  }

  flush(): boolean {
    for (const pending of this.#pending.values()) this.#send(pending, true);
    this.#pending.clear();
    return false;
  }

  #append(record: RecordCursor, target: Target, data: Buffer): void {
    let pending = this.#pending.get(record.fd);
    if (pending === undefined) {
      pending = {
        object: record.object,
        fd: record.fd,
        type: target.type!,
        source: target.source,
        time: this.#image.time(record),
        bytes: Buffer.allocUnsafe(Math.max(4096, data.length)),
        length: 0,
      };
      this.#pending.set(record.fd, pending);
    } else if (pending.length === 0) {
      pending.object = record.object;
      pending.type = target.type!;
      pending.source = target.source;
      pending.time = this.#image.time(record);
    }
    if (pending.length + data.length > pending.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(pending.bytes.length * 2, pending.length + data.length));
      pending.bytes.copy(grown, 0, 0, pending.length);
      pending.bytes = grown;
    }
    pending.length += data.copy(pending.bytes, pending.length);
    if (pending.length > TEXT_MAX) this.#send(pending, false);
  }

  /** Makes the event. Unless `all`, the bytes of a character that is not complete wait for the rest. */
  #send(pending: Pending, all: boolean): void {
    const held = all ? 0 : incompleteTail(pending.bytes, pending.length);
    const end = pending.length - held;
    if (end > 0) {
      const message = pending.bytes.toString('utf8', 0, end);
      this.#image.event(pending.type, pending.source, pending.time, pending.object, {message});
    }
    pending.bytes.copy(pending.bytes, 0, end, pending.length);
    pending.length = held;
  }

  #sourceOf(record: RecordCursor): string {
    return this.#image.file(record.object)?.path ?? STREAMS[record.fd] ?? '';
  }

  /** Console names first, then file names. */
  #target(object: number, source: string): Target {
    const {watch} = this.#image.settings.events;
    const accepts = (type: 'console' | 'file') => {
      const entry = watch[type];
      if (entry === undefined || source === '') return false;
      return entry.name === undefined || entry.name(source);
    };
    const type = accepts('console') ? 'console' : accepts('file') ? 'file' : undefined;
    const target = {type, source} as const;
    if (this.#targets.size > 4096) this.#targets.clear();
    this.#targets.set(object, target);
    return target;
  }

  /** Whether a write holds something else than text; what goes on from the last record is as that one. */
  #isBinary(record: RecordCursor, data: Buffer): boolean {
    const before = this.#continued.get(record.tid);
    const binary = before ?? looksBinary(data);
    if (record.flags & REC_FLAG.MORE) this.#continued.set(record.tid, binary);
    else if (before !== undefined) this.#continued.delete(record.tid);
    return binary;
  }
}

/** A byte among the first that is neither printable, space, escape nor part of UTF-8 text. */
function looksBinary(data: Buffer): boolean {
  const end = Math.min(data.length, BINARY_LOOK);
  for (let i = 0; i < end; i++) {
    const c = data[i]!;
    if (c >= 0x20 && c < 0x7f) continue;
    if ((c >= 9 && c <= 13) || c === ESC) continue;
    if (c < 0x80) return true;
    const length = sequenceLength(c);
    if (length === 0) return true;
    for (let k = 1; k < length && i + k < end; k++) if ((data[i + k]! & 0xc0) !== 0x80) return true;
    i += length - 1;
  }
  return false;
}

/** Bytes of the UTF-8 sequence that a byte begins; 0: it begins none. */
function sequenceLength(c: number): number {
  if (c >= 0xc2 && c < 0xe0) return 2;
  if (c >= 0xe0 && c < 0xf0) return 3;
  return c >= 0xf0 && c < 0xf5 ? 4 : 0;
}

/** Bytes at the end that are the beginning of a longer character. */
function incompleteTail(bytes: Buffer, length: number): number {
  for (let back = 1; back <= 3 && back <= length; back++) {
    const c = bytes[length - back]!;
    if ((c & 0xc0) === 0x80) continue;
    return sequenceLength(c) > back ? back : 0;
  }
  return 0;
}

export const consoleSource: SourceKind = {
  name: 'console',
  types: () => [REC.TEXT],
  create: (image) =>
    image.wantsEvent('console') || image.wantsEvent('file') ? new ConsoleSource(image) : undefined,
};
