// SPDX-License-Identifier: Apache-2.0
/**
 * The queue of a destination on disk. push() has written the records when it returns, so they survive the end of the
 * relay at any point; the position moves only after the peer has taken a batch (at least once). When the disk takes
 * no more, a small queue in memory stands in until it does.
 *
 *   acked ........ head .............. tail            sequence numbers
 *     | in flight  |  waiting on disk  |  overflow in memory
 */
import {mkdirSync} from 'node:fs';
import type {Clock, Timer} from '../../base/clock.js';
import {ScopeError} from '../../base/errors.js';
import type {RelayRecord} from '../../records/types.js';
import type {Dropped, DropReason} from '../ledger.js';
import {type Chunk, createMemoryQueue, type Queue} from '../queue.js';
import {decodePayload, ENTRY_HEADER, type EntryHeader, encodeEntry, SEGMENT_HEADER} from './format.js';
import {bootId, createIntern} from './identity.js';
import {openLedgerFile} from './ledger-file.js';
import {lockFolder} from './lock.js';
import {
  appendTo,
  closeSegment,
  createSegment,
  endOf,
  entryAt,
  openSegments,
  readPayload,
  removeSegment,
  type Segment,
  syncSegment,
} from './segments.js';

export interface DiskQueueSettings {
  path: string;
  maxBytes: number;
  /** Longest time between two fdatasync; 0: without delay. */
  syncMs: number;
}

export interface DiskQueue extends Queue<RelayRecord> {
  /** Counts of the relays before. */
  readonly recovered: {sent: number; dropped: Partial<Dropped>};
  /** Why the disk takes nothing at the moment. */
  readonly fault: string | undefined;
  /** Writes position and counts; called after each batch. */
  saveLedger(): void;
}

/** Kept in memory at most while the disk is full. */
const OVERFLOW_BYTES = 8 * 1024 * 1024;
const LARGEST_SEGMENT = 16 * 1024 * 1024;
const SMALLEST_SEGMENT = 64 * 1024;
/** A full disk is tried again no sooner than this. */
const FAULT_PAUSE_MS = 1000;

const lockedHere = new Set<string>();

interface Flight {
  records: RelayRecord[];
  bytes: number;
  time: number;
  /** Sequence number after its last record; undefined: it came from the overflow. */
  end: number | undefined;
}

export function createDiskQueue(
  settings: DiskQueueSettings,
  clock: Clock,
  drop: (reason: DropReason, count: number) => void,
  counts: () => {sent: number; dropped: Dropped},
): DiskQueue {
  const folder = settings.path;
  const fail = (error: unknown): never => {
    if (error instanceof ScopeError) throw error;
    throw new ScopeError('SCOPE_IO', `queue folder ${folder}: ${(error as Error).message}`, {cause: error});
  };
  let unlock: () => void;
  try {
    mkdirSync(folder, {recursive: true, mode: 0o700});
    unlock = lockFolder(folder, lockedHere);
  } catch (error) {
    return fail(error);
  }
  const boot = bootId();
  const intern = createIntern();
  const ledger = openLedgerFile(`${folder}/ledger`);
  const segments = openSegments(folder, boot, clock);
  const found = ledger.found;
  let lastEnd = 0;
  while (segments.length > 0) {
    const last = segments.at(-1)!;
    lastEnd = endOf(last);
    if (lastEnd > last.first) break;
    // Nothing in it can be read, and the next segment will have its name.
    removeSegment(last);
    segments.pop();
  }
  let tail = Math.max(lastEnd, found?.tail ?? 0);
  let head = Math.min(tail, found?.acked ?? segments[0]?.first ?? tail);
  let acked = head;
  /** Where `head` is, in segments[0 .. ]; entries before are passed over. */
  let reading = {segment: 0, at: SEGMENT_HEADER};
  let writer: Segment | undefined;
  let waitingBytes = segments.reduce((sum, segment) => sum + segment.size, 0);
  let flight: Flight | undefined;
  let decoded: {first: number; records: RelayRecord[]} | undefined;
  /** Answer of the last look at the first entry. */
  let oldest: {head: number; time: number} | undefined;
  let fault: string | undefined;
  let faultAt = 0;
  let unsynced = false;
  let syncTimer: Timer | undefined;
  let work: Promise<void> = Promise.resolve();
  let closed = false;
  const overflow = createMemoryQueue<RelayRecord>();
  const segmentBytes = Math.max(SMALLEST_SEGMENT, Math.min(LARGEST_SEGMENT, settings.maxBytes / 8));

  function saveLedger(): void {
    try {
      ledger.write({acked, tail, ...counts()});
    } catch (error) {
      fault = (error as Error).message;
    }
  }

  /** Runs after everything queued before; a failure is remembered, not thrown. */
  function later(action: () => Promise<void> | void): void {
    work = work.then(action).catch((error: unknown) => {
      fault = (error as Error).message;
    });
  }

  /** Forces what was written to the device, once for all that came meanwhile. */
  function syncWriter(): void {
    syncTimer = undefined;
    if (!unsynced) return;
    later(() => {
      unsynced = false;
      return writer !== undefined && segments.includes(writer) ? syncSegment(writer) : undefined;
    });
  }

  function syncLater(): void {
    const first = !unsynced;
    unsynced = true;
    if (closed) return;
    if (settings.syncMs > 0) syncTimer ??= clock.after(settings.syncMs, syncWriter);
    else if (first) syncWriter();
  }

  /** An entry of what can be stored; a record that cannot (it holds a function, say) is counted and left out. */
  function encode(chunk: Chunk<RelayRecord>): {bytes: Buffer; records: readonly RelayRecord[]} {
    try {
      return {bytes: encodeEntry(chunk.items, tail, chunk.time), records: chunk.items};
    } catch {
      const good = chunk.items.filter((record) => {
        try {
          encodeEntry([record], 0, 0);
          return true;
        } catch {
          return false;
        }
      });
      drop('disk_error', chunk.items.length - good.length);
      return {bytes: encodeEntry(good, tail, chunk.time), records: good};
    }
  }

  function append(chunk: Chunk<RelayRecord>): boolean {
    const {bytes, records} = encode(chunk);
    if (records.length === 0) return true;
    try {
      if (writer !== undefined && writer.size + bytes.length > segmentBytes && writer.size > SEGMENT_HEADER) {
        const full = writer;
        later(() => (segments.includes(full) ? syncSegment(full) : undefined));
        writer = undefined;
      }
      if (writer === undefined) {
        writer = createSegment(folder, tail, boot, clock);
        segments.push(writer);
      }
      appendTo(writer, bytes);
    } catch (error) {
      fault = (error as Error).message;
      faultAt = clock.now();
      return false;
    }
    fault = undefined;
    tail += records.length;
    waitingBytes += bytes.length;
    syncLater();
    return true;
  }

  function overflowFlies(): boolean {
    return flight !== undefined && flight.end === undefined;
  }

  /** What memory kept while the disk was full goes to disk, in order. */
  function moveOverflow(): boolean {
    while (overflow.records > 0 && !overflowFlies()) {
      const time = overflow.oldest ?? clock.now();
      const items = overflow.take(Infinity, Infinity);
      if (!append({items, count: items.length, bytes: 0, time})) {
        overflow.giveBack();
        return false;
      }
      overflow.ack();
    }
    return overflow.records === 0;
  }

  function push(chunk: Chunk<RelayRecord>): boolean {
    const waitForDisk = fault !== undefined && clock.now() - faultAt < FAULT_PAUSE_MS;
    if (!waitForDisk && (overflow.records === 0 || moveOverflow()) && append(chunk)) return true;
    if (overflow.bytes + chunk.bytes > Math.min(OVERFLOW_BYTES, settings.maxBytes)) return false;
    return overflow.push(chunk);
  }

  /** Passes over records that are damaged beyond reading. */
  function skipTo(sequence: number): void {
    if (sequence <= head) return;
    drop('corrupt', sequence - head);
    head = sequence;
  }

  /** The entry that holds `head`; undefined when nothing waits on disk. */
  function nextEntry(): {segment: Segment; at: number; header: EntryHeader} | undefined {
    while (head < tail && !closed) {
      const segment = segments[reading.segment];
      const entry = segment && entryAt(segment, reading.at);
      if (segment !== undefined && entry !== undefined) {
        const end = entry.header.first + entry.header.count;
        reading.at = entry.at;
        if (end <= head) {
          passEntry(entry.header);
          continue;
        }
        skipTo(entry.header.first);
        return {segment, ...entry};
      }
      if (reading.segment + 1 >= segments.length) {
        skipTo(tail);
        break;
      }
      reading = {segment: reading.segment + 1, at: SEGMENT_HEADER};
      const first = segments[reading.segment]!.first;
      skipTo(Math.min(tail, first));
    }
    if (head === tail) waitingBytes = 0;
    return undefined;
  }

  function passEntry(header: EntryHeader): void {
    reading.at += ENTRY_HEADER + header.length;
    waitingBytes = Math.max(0, waitingBytes - ENTRY_HEADER - header.length);
    decoded = undefined;
  }

  function entryTime(entry: {segment: Segment; header: EntryHeader}): number {
    return Math.min(clock.now(), entry.header.time + entry.segment.shift);
  }

  function takeFromDisk(maxRecords: number, maxBytes: number): Flight | undefined {
    const batch: Flight = {records: [], bytes: 0, time: 0, end: head};
    while (batch.records.length < maxRecords && batch.bytes < maxBytes) {
      const entry = nextEntry();
      if (entry === undefined) break;
      const {header} = entry;
      if (decoded?.first !== header.first) {
        const records = decodePayload(header, readPayload(entry.segment, entry), intern);
        decoded = records && {first: header.first, records};
      }
      if (decoded === undefined) {
        passEntry(header);
        skipTo(header.first + header.count);
        continue;
      }
      if (batch.records.length === 0) batch.time = entryTime(entry);
      const share = header.length / header.count;
      const room = Math.min(maxRecords - batch.records.length, Math.ceil((maxBytes - batch.bytes) / share));
      const from = head - header.first;
      const records = decoded.records.slice(from, from + room);
      for (const record of records) batch.records.push(record);
      batch.bytes += records.length * share;
      head += records.length;
      if (from + records.length === header.count) passEntry(header);
    }
    batch.end = head;
    return batch.records.length > 0 ? batch : undefined;
  }

  /** Removes segments nobody needs; the position is on the device before a file goes. */
  function release(): void {
    const old: Segment[] = [];
    while (segments.length > 1 && reading.segment > 0 && segments[1]!.first <= acked) {
      old.push(segments.shift()!);
      reading.segment--;
    }
    if (old.length === 0) return;
    // Not before the caller has counted what it does with the batch.
    later(async () => {
      saveLedger();
      await ledger.sync();
      for (const segment of old) removeSegment(segment);
    });
  }

  function dropWhile(more: (entry: {segment: Segment; header: EntryHeader}) => boolean): number {
    let dropped = 0;
    for (let entry = nextEntry(); entry !== undefined && more(entry); entry = nextEntry()) {
      dropped += entry.header.first + entry.header.count - head;
      head = entry.header.first + entry.header.count;
      passEntry(entry.header);
    }
    if (flight === undefined || overflowFlies()) acked = head;
    release();
    return dropped;
  }

  return {
    recovered: {sent: found?.sent ?? 0, dropped: found?.dropped ?? {}},
    get fault() {
      return fault;
    },
    get records() {
      return tail - head + (flight?.end === undefined ? 0 : flight.records.length) + overflow.records;
    },
    get bytes() {
      return (
        (head < tail ? waitingBytes : 0) + (flight?.end === undefined ? 0 : flight.bytes) + overflow.bytes
      );
    },
    get oldest() {
      if (flight !== undefined) return flight.time;
      if (oldest?.head === head && head < tail) return oldest.time;
      const entry = nextEntry();
      if (entry === undefined) return overflow.oldest;
      oldest = {head, time: entryTime(entry)};
      return oldest.time;
    },
    saveLedger,
    push,
    take(maxRecords, maxBytes) {
      if (flight !== undefined) return flight.records;
      flight = takeFromDisk(maxRecords, maxBytes);
      if (flight === undefined && overflow.records > 0) {
        const time = overflow.oldest ?? clock.now();
        flight = {records: overflow.take(maxRecords, maxBytes), bytes: 0, time, end: undefined};
      }
      return flight?.records ?? [];
    },
    ack() {
      if (flight === undefined) return;
      if (flight.end === undefined) overflow.ack();
      flight = undefined;
      acked = head;
      release();
    },
    giveBack() {
      // Stays in flight: the next take() returns it, and the position on disk has not moved.
    },
    dropOldest(wanted) {
      const goal = waitingBytes - wanted;
      const dropped = dropWhile(() => waitingBytes > goal);
      return dropped + (waitingBytes > goal ? overflow.dropOldest(waitingBytes - goal) : 0);
    },
    expire(time) {
      return dropWhile((entry) => entryTime(entry) < time) + overflow.expire(time);
    },
    async close() {
      if (closed) return;
      if (syncTimer !== undefined) clock.cancel(syncTimer);
      if (overflowFlies()) {
        overflow.giveBack();
        flight = undefined;
      }
      moveOverflow();
      drop('stopped', overflow.dropOldest(Infinity));
      closed = true;
      saveLedger();
      const empty = head === tail && flight === undefined;
      later(() => ledger.sync());
      if (writer !== undefined && !empty) later(() => syncSegment(writer!));
      await work;
      for (const segment of segments) empty ? removeSegment(segment) : closeSegment(segment);
      ledger.close();
      unlock();
    },
  };
}
