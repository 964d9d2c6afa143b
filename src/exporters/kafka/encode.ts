// SPDX-License-Identifier: Apache-2.0
/** Records as Kafka messages: topic and key from templates, values as lines, packs of lines, or OTLP requests. */
import type {KafkaExporterConfig} from '../../config/types.js';
import {ByteWriter} from '../../records/byte-writer.js';
import {tryWriteRecord} from '../../records/ndjson.js';
import type {OtlpEncoder} from '../../records/otlp/encoder.js';
import {compileTemplate} from '../../records/template.js';
import type {Process, RelayRecord} from '../../records/types.js';

export interface Message {
  topic: string;
  key: string;
  value: Buffer;
  /** Records in it. */
  count: number;
}

/** Messages that go out in one request. */
export interface Piece {
  messages: Message[];
  bytes: number;
}

export interface KafkaEncoder {
  readonly unknown: string[];
  /** Pieces below `maxBytes`, and how many records are too large or have no form. */
  encode(
    batch: readonly RelayRecord[],
    maxBytes: number,
    now: number,
    wall: number,
  ): {pieces: Piece[]; rejected: number; reason: string | undefined};
}

/** A name that Kafka allows. */
export function topicName(text: string): string {
  const name = text.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 249);
  return name === '' || name === '.' || name === '..' ? '_' : name;
}

interface Address {
  topic: string;
  key: string;
}

interface Group extends Address {
  records: RelayRecord[];
}

export function createKafkaEncoder(config: KafkaExporterConfig, otlp: OtlpEncoder | undefined): KafkaEncoder {
  const topic = compileTemplate(config.topic);
  const key = compileTemplate(config.key);
  const out = new ByteWriter();
  const perProcess = topic.perProcess && key.perProcess;
  const known = new WeakMap<Process, Partial<Record<RelayRecord['kind'], Address>>>();

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

  function groupsOf(batch: readonly RelayRecord[]): Group[] {
    const groups = new Map<string, Group>();
    let last: Group | undefined;
    let lastAddress: Address | undefined;
    for (const record of batch) {
      const address = addressOf(record);
      if (address === lastAddress) {
        last!.records.push(record);
        continue;
      }
      const id = `${address.topic}\0${address.key}`;
      let group = groups.get(id);
      if (group === undefined) {
        group = {...address, records: []};
        groups.set(id, group);
      }
      group.records.push(record);
      last = group;
      lastAddress = address;
    }
    return [...groups.values()];
  }

  /** A message per record. */
  function* single(batch: readonly RelayRecord[]): Generator<Message> {
    for (const record of batch) {
      out.length = 0;
      if (!tryWriteRecord(out, record)) continue;
      // Without the newline.
      const value = Buffer.from(out.buffer.subarray(0, out.length - 1));
      yield {...addressOf(record), value, count: 1};
    }
  }

  /** Messages of many lines, each of one key. */
  function* packed(batch: readonly RelayRecord[]): Generator<Message> {
    for (const group of groupsOf(batch)) {
      out.length = 0;
      let count = 0;
      const message = (end: number): Message => ({
        topic: group.topic,
        key: group.key,
        value: Buffer.from(out.buffer.subarray(0, end)),
        count,
      });
      for (const record of group.records) {
        const before = out.length;
        if (!tryWriteRecord(out, record)) continue;
        if (out.length > config.packed_bytes && before > 0) {
          yield message(before);
          out.buffer.copyWithin(0, before, out.length);
          out.length -= before;
          count = 0;
        }
        count++;
      }
      if (count > 0) yield message(out.length);
    }
  }

  function* requests(batch: readonly RelayRecord[], now: number, wall: number): Generator<Message> {
    for (const group of groupsOf(batch)) {
      const encoded = otlp!.encode(group.records, now, wall);
      for (const {bytes, count} of encoded.requests) {
        yield {topic: group.topic, key: group.key, value: bytes, count};
      }
    }
  }

  return {
    unknown: [...topic.unknown, ...key.unknown],
    encode(batch, maxBytes, now, wall) {
      const messages =
        otlp !== undefined ? requests(batch, now, wall) : config.packed ? packed(batch) : single(batch);
      const pieces: Piece[] = [];
      let piece: Piece = {messages: [], bytes: 0};
      let good = 0;
      let large = 0;
      for (const message of messages) {
        const size = message.value.length + message.key.length + 80;
        if (size > maxBytes) {
          large += message.count;
          continue;
        }
        if (piece.bytes + size > maxBytes) {
          pieces.push(piece);
          piece = {messages: [], bytes: 0};
        }
        piece.messages.push(message);
        piece.bytes += size;
        good += message.count;
      }
      if (piece.messages.length > 0) pieces.push(piece);
      const rejected = Math.max(0, batch.length - good);
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
