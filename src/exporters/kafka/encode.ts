// SPDX-License-Identifier: Apache-2.0
/** Records as Kafka messages: topic and key from templates, values as lines, packs of lines, or OTLP requests. */
import type {KafkaExporterConfig} from '../../config/types.js';
import {ByteWriter} from '../../records/byte-writer.js';
import {tryWriteRecord} from '../../records/ndjson.js';
import type {OtlpEncoder, OtlpRequest} from '../../records/otlp/encoder.js';
import type {Item} from '../../records/rendered.js';
import {compileTemplate} from '../../records/template.js';
import type {Process, RelayRecord} from '../../records/types.js';
import {type Address, cutLines, type Entry, MESSAGE_BYTES, packLines} from './entry.js';

/** Messages that go out in one request. */
export interface Piece {
  entries: Entry[];
  bytes: number;
}

export interface KafkaEncoder {
  /** All records of a kind and process have one topic and key. */
  readonly perProcess: boolean;
  /** Pieces below `maxBytes`, and how many records are too large or have no form. */
  encode(
    batch: readonly Item[],
    maxBytes: number,
    now: number,
    wall: number,
  ): {pieces: Piece[]; rejected: number; reason: string | undefined};
  /** The piece has been taken. */
  release(piece: Piece): void;
}

/** Lines of one topic and key. */
interface Run extends Address {
  bytes: Buffer;
  count: number;
}

/** A name that Kafka allows. */
export function topicName(text: string): string {
  const name = text.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 249);
  return name === '' || name === '.' || name === '..' ? '_' : name;
}

export function createKafkaEncoder(config: KafkaExporterConfig, otlp: OtlpEncoder | undefined): KafkaEncoder {
  const topic = compileTemplate(config.topic);
  const key = compileTemplate(config.key);
  const out = new ByteWriter(4096);
  const perProcess = topic.perProcess && key.perProcess;
  const known = new WeakMap<Process, Partial<Record<RelayRecord['kind'], Address>>>();

  /** Of OTLP, which lends their memory. */
  const requestOf = new WeakMap<Entry, OtlpRequest>();

  /** Where a record goes. */
  function addressOf(record: RelayRecord): Address {
    const made = known.get(record.process)?.[record.kind];
    if (made !== undefined) return made;
    const address = {topic: topicName(topic.render(record)), key: key.render(record)};
    if (perProcess) {
      const kinds = known.get(record.process);
      if (kinds === undefined) known.set(record.process, {[record.kind]: address});
      else kinds[record.kind] = address;
    }
    return address;
  }

  /** The lines of a batch. Records that have no line are left out. */
  function* runsOf(batch: readonly Item[]): Generator<Run> {
    for (const item of batch) {
      if (item.kind === 'rendered') {
        yield {...addressOf(item.first), bytes: item.bytes, count: item.count};
        continue;
      }
      out.length = 0;
      if (tryWriteRecord(out, item)) yield {...addressOf(item), bytes: Buffer.from(out.view()), count: 1};
    }
  }

  /** By topic and key, in the order of their first. */
  function groupsOf<T>(items: Iterable<T>, addressOfItem: (item: T) => Address): (Address & {items: T[]})[] {
    const groups = new Map<string, Address & {items: T[]}>();
    for (const item of items) {
      const address = addressOfItem(item);
      const id = `${address.topic}\0${address.key}`;
      const group = groups.get(id);
      if (group === undefined) groups.set(id, {topic: address.topic, key: address.key, items: [item]});
      else group.items.push(item);
    }
    return [...groups.values()];
  }

  function* packed(batch: readonly Item[], maxBytes: number): Generator<Entry> {
    for (const group of groupsOf(runsOf(batch), (run) => run)) {
      const most = Math.min(config.packed_bytes, maxBytes - group.key.length - MESSAGE_BYTES);
      yield* packLines(group, group.items, most);
    }
  }

  function* requests(batch: readonly Item[], now: number, wall: number): Generator<Entry> {
    const address = (item: Item): Address => addressOf(item.kind === 'rendered' ? item.first : item);
    for (const group of groupsOf(batch, address)) {
      for (const request of otlp!.encode(group.items, now, wall).requests) {
        const {topic, key} = group;
        const {bytes, count} = request;
        const entry = {topic, key, count, messages: 1, bytes: bytes.length, value: [bytes]};
        requestOf.set(entry, request);
        yield entry;
      }
    }
  }

  return {
    perProcess,
    release({entries}) {
      for (const entry of entries) {
        const request = requestOf.get(entry);
        if (request !== undefined) otlp!.release(request);
      }
    },
    encode(batch, maxBytes, now, wall) {
      const pieces: Piece[] = [];
      let piece: Piece = {entries: [], bytes: 0};
      let good = 0;
      let large = 0;
      const next = (): void => {
        if (piece.entries.length > 0) pieces.push(piece);
        piece = {entries: [], bytes: 0};
      };
      const add = (entry: Entry): void => {
        const size = entry.bytes + entry.messages * (entry.key.length + MESSAGE_BYTES);
        if (piece.bytes + size > maxBytes) next();
        piece.entries.push(entry);
        piece.bytes += size;
        good += entry.count;
      };
      if (otlp === undefined && !config.packed) {
        for (const run of runsOf(batch)) {
          const room = () => maxBytes - piece.bytes;
          large += cutLines(run, run.bytes, maxBytes, room, add, next);
        }
      } else {
        for (const entry of otlp === undefined ? packed(batch, maxBytes) : requests(batch, now, wall)) {
          if (entry.bytes + entry.key.length + MESSAGE_BYTES > maxBytes) large += entry.count;
          else add(entry);
        }
      }
      next();
      const total = batch.reduce((sum, item) => sum + (item.kind === 'rendered' ? item.count : 1), 0);
      const rejected = Math.max(0, total - good);
      const reason =
        large > 0
          ? `messages above ${maxBytes} bytes`
          : rejected > 0
            ? 'values that are no numbers'
            : undefined;
      return {pieces, rejected, reason};
    },
  };
}
