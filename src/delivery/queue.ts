// SPDX-License-Identifier: Apache-2.0
/** The queue of a destination in memory: chunks as they were pushed, one batch of them in flight at a time. */
import {countOf, type Item} from '../records/rendered.js';

export interface Chunk<T extends Item = Item> {
  items: readonly T[];
  /** Records in them. */
  count: number;
  /** Estimated bytes of all of them. */
  bytes: number;
  /** Clock.now() when they were accepted. */
  time: number;
}

/** What destination.ts needs of a queue. Counts include the batch in flight. */
export interface Queue<T extends Item = Item> {
  readonly records: number;
  readonly bytes: number;
  /** Clock.now() of the first record that waits or flies; undefined when empty. */
  readonly oldest: number | undefined;
  /** False when it could not be kept at all; the caller counts the chunk as dropped. */
  push(chunk: Chunk<T>): boolean;
  /** Next batch, now in flight; at least one record unless empty. */
  take(maxRecords: number, maxBytes: number): T[];
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

/** Appends to `batch` what fits of `chunk`; returns the rest, or undefined when all went. Items are never cut. */
export function takeFrom<T extends Item>(
  chunk: Chunk<T>,
  batch: T[],
  room: {records: number; bytes: number},
): Chunk<T> | undefined {
  const {items, count, bytes, time} = chunk;
  if (count <= room.records && bytes <= room.bytes) {
    for (const item of items) batch.push(item);
    room.records -= count;
    room.bytes -= bytes;
    return undefined;
  }
  const share = bytes / count;
  let next = 0;
  let taken = 0;
  for (; next < items.length; next++) {
    const more = taken + countOf(items[next]!);
    if (batch.length > 0 && (more > room.records || more * share > room.bytes)) break;
    batch.push(items[next]!);
    taken = more;
  }
  room.records = 0;
  room.bytes -= taken * share;
  if (taken === count) return undefined;
  return {items: items.slice(next), count: count - taken, bytes: bytes - taken * share, time};
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

/** `dropped` is told of items that went without having been taken. */
export function createMemoryQueue<T extends Item = Item>(
  dropped: (items: readonly T[]) => void = () => undefined,
): Queue<T> {
  const waiting = new Line<Chunk<T>>();
  let records = 0;
  let bytes = 0;
  let flight: Chunk<T> | undefined;

  function forget(chunk: Chunk<T>): number {
    waiting.shift();
    records -= chunk.count;
    bytes -= chunk.bytes;
    if (records === 0) bytes = 0;
    dropped(chunk.items);
    return chunk.count;
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
      records += chunk.count;
      bytes += chunk.bytes;
      return true;
    },
    take(maxRecords, maxBytes) {
      const first = waiting.first;
      if (first === undefined) return [];
      const batch: T[] = [];
      const room = {records: maxRecords, bytes: maxBytes};
      for (let chunk = waiting.first; chunk !== undefined && room.records > 0; chunk = waiting.first) {
        if (batch.length > 0 && room.bytes < chunk.bytes / chunk.count) break;
        const rest = takeFrom(chunk, batch, room);
        if (rest !== undefined) {
          waiting.replaceFirst(rest);
          break;
        }
        waiting.shift();
      }
      const count = batch.reduce((sum, item) => sum + countOf(item), 0);
      flight = {items: batch, count, bytes: maxBytes - room.bytes, time: first.time};
      return batch;
    },
    ack() {
      if (flight === undefined) return;
      records -= flight.count;
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
