// SPDX-License-Identifier: Apache-2.0
/** The queue of a destination in memory: chunks as they were pushed, one batch of them in flight at a time. */
import type {RelayRecord} from '../records/types.js';

export interface Chunk {
  records: readonly RelayRecord[];
  /** Estimated bytes of all records. */
  bytes: number;
  /** Clock.now() when they were accepted. */
  time: number;
}

/** What destination.ts needs of a queue. Counts include the batch in flight. */
export interface Queue {
  readonly records: number;
  readonly bytes: number;
  /** Clock.now() of the first record that waits or flies; undefined when empty. */
  readonly oldest: number | undefined;
  /** False when it could not be kept at all; the caller counts the chunk as dropped. */
  push(chunk: Chunk): boolean;
  /** Next batch, now in flight; at least one record unless empty. */
  take(maxRecords: number, maxBytes: number): RelayRecord[];
  /** The batch in flight is done with, whatever became of it. */
  ack(): void;
  /** The batch in flight goes back to the front. */
  giveBack(): void;
  /** Drops waiting chunks, oldest first, until `bytes` are free or nothing waits; returns how many records. */
  dropOldest(bytes: number): number;
  /** Drops what waits since before `time`; returns how many records. */
  expire(time: number): number;
  close(): Promise<void>;
}

/** Appends to `batch` what fits of `chunk`; returns the rest, or undefined when all went. */
export function takeFrom(
  chunk: Chunk,
  batch: RelayRecord[],
  room: {records: number; bytes: number},
): Chunk | undefined {
  const count = chunk.records.length;
  const share = chunk.bytes / count;
  const fit = Math.min(room.records, Math.max(batch.length === 0 ? 1 : 0, Math.floor(room.bytes / share)));
  if (fit >= count) {
    for (const record of chunk.records) batch.push(record);
    room.records -= count;
    room.bytes -= chunk.bytes;
    return undefined;
  }
  for (let i = 0; i < fit; i++) batch.push(chunk.records[i]!);
  room.records = 0;
  room.bytes -= fit * share;
  return {records: chunk.records.slice(fit), bytes: chunk.bytes - fit * share, time: chunk.time};
}

/** A first-in first-out list with cheap removal at the front. */
class Line<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get first(): T | undefined {
    return this.#items[this.#head];
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): void {
    this.#items[this.#head] = undefined; // or it would live until the next slice
    this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  replaceFirst(item: T): void {
    this.#items[this.#head] = item;
  }

  unshift(item: T): void {
    if (this.#head > 0) this.#items[--this.#head] = item;
    else this.#items.unshift(item);
  }
}

export function createMemoryQueue(): Queue {
  const waiting = new Line<Chunk>();
  let records = 0;
  let bytes = 0;
  let flight: Chunk | undefined;

  function forget(chunk: Chunk): number {
    waiting.shift();
    records -= chunk.records.length;
    bytes -= chunk.bytes;
    if (records === 0) bytes = 0;
    return chunk.records.length;
  }

  return {
    get records() {
      return records;
    },
    get bytes() {
      return bytes;
    },
    get oldest() {
      return flight?.time ?? waiting.first?.time;
    },
    push(chunk) {
      waiting.push(chunk);
      records += chunk.records.length;
      bytes += chunk.bytes;
      return true;
    },
    take(maxRecords, maxBytes) {
      const first = waiting.first;
      if (first === undefined) return [];
      const batch: RelayRecord[] = [];
      const room = {records: maxRecords, bytes: maxBytes};
      for (let chunk = waiting.first; chunk !== undefined && room.records > 0; chunk = waiting.first) {
        if (batch.length > 0 && room.bytes < chunk.bytes / chunk.records.length) break;
        const rest = takeFrom(chunk, batch, room);
        if (rest !== undefined) {
          waiting.replaceFirst(rest);
          break;
        }
        waiting.shift();
      }
      flight = {records: batch, bytes: maxBytes - room.bytes, time: first.time};
      return batch;
    },
    ack() {
      if (flight === undefined) return;
      records -= flight.records.length;
      bytes = records === 0 ? 0 : bytes - flight.bytes;
      flight = undefined;
    },
    giveBack() {
      if (flight !== undefined) waiting.unshift(flight);
      flight = undefined;
    },
    dropOldest(wanted) {
      const goal = bytes - wanted;
      let dropped = 0;
      while (waiting.first !== undefined && bytes > goal) dropped += forget(waiting.first);
      return dropped;
    },
    expire(time) {
      let dropped = 0;
      while (waiting.first !== undefined && waiting.first.time < time) dropped += forget(waiting.first);
      return dropped;
    },
    close: () => Promise.resolve(),
  };
}
