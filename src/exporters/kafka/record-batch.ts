// SPDX-License-Identifier: Apache-2.0
/**
 * Record batches of Kafka (format 2, since 0.11) in one piece of memory.
 *
 *   base offset i64 | length i32 | leader epoch i32 | magic i8 | crc u32 |
 *     attributes i16 | last offset delta i32 | base time i64 | max time i64 | producer i64 | epoch i16 | sequence i32 | count i32 |
 *     record: length | attributes i8 | time delta | offset delta | key length | key | value length | value | headers 0   (varints)
 */
import {crc32c} from '../../channel/crc32c.js';
import type {Entry} from './entry.js';

export interface BatchHead {
  producerId: bigint;
  producerEpoch: number;
  firstSequence: number;
  time: number;
  /** Number of the codec, and what it does. */
  compression: number;
  compress: ((records: Buffer) => Promise<Buffer>) | undefined;
}

const HEAD = 61;
/** What compression may add to what it cannot make smaller: a sixth, snappy's worst case, and heads. */
const INCOMPRESSIBLE = 1 / 6;
const COMPRESSION_HEAD = 1024;
/** The sum is over what follows it. */
const SUMMED_FROM = 21;
/** Lengths, offset and the fixed bytes of a record at most. */
const RECORD_BYTES = 5 + 1 + 1 + 5 + 5 + 5 + 1;

/** Zigzag varint of a number from 0 to 2^31. Returns the offset behind it. */
function varint(bytes: Buffer, offset: number, value: number): number {
  let at = offset;
  let rest = value * 2;
  while (rest >= 128) {
    bytes[at++] = (rest & 127) | 128;
    rest = Math.floor(rest / 128);
  }
  bytes[at++] = rest;
  return at;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value * 2; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** The parts of a record before its value. Returns the offset behind them. */
function recordHead(bytes: Buffer, offset: number, index: number, key: Buffer, length: number): number {
  const rest = 2 + varintSize(index) + varintSize(key.length) + key.length + varintSize(length) + length + 1;
  let at = varint(bytes, offset, rest);
  bytes[at++] = 0;
  bytes[at++] = 0;
  at = varint(bytes, at, index);
  at = varint(bytes, at, key.length);
  bytes.set(key, at);
  return varint(bytes, at + key.length, length);
}

function writeEntry(bytes: Buffer, offset: number, first: number, entry: Entry): number {
  const key = Buffer.from(entry.key);
  let at = offset;
  if (!('lines' in entry)) {
    at = recordHead(bytes, at, first, key, entry.bytes);
    for (const part of entry.value) {
      bytes.set(part, at);
      at += part.length;
    }
    bytes[at++] = 0;
    return at;
  }
  const {lines, ends} = entry;
  let from = entry.start;
  for (let i = 0; i < ends.length; i++) {
    const end = ends[i]!;
    at = recordHead(bytes, at, first + i, key, end - 1 - from);
    at += lines.copy(bytes, at, from, end - 1);
    bytes[at++] = 0;
    from = end;
  }
  return at;
}

/** What a batch of these entries takes at most. */
export function batchRoom(entries: readonly Entry[], compressed: boolean): number {
  const plain = entries.reduce(
    (sum, {bytes, messages, key}) => sum + bytes + messages * (RECORD_BYTES + Buffer.byteLength(key)),
    HEAD,
  );
  return compressed ? Math.ceil(plain * (1 + INCOMPRESSIBLE)) + COMPRESSION_HEAD : plain;
}

/** Writes the messages of one partition at `offset`, where batchRoom() bytes are free. Returns the offset behind them. */
export async function writeBatch(
  bytes: Buffer,
  offset: number,
  entries: readonly Entry[],
  head: BatchHead,
): Promise<number> {
  const from = offset + HEAD;
  let at = from;
  let count = 0;
  for (const entry of entries) {
    at = writeEntry(bytes, at, count, entry);
    count += entry.messages;
  }
  if (head.compress !== undefined) {
    const packed = await head.compress(bytes.subarray(from, at));
    bytes.set(packed, from);
    at = from + packed.length;
  }
  bytes.fill(0, offset, from);
  bytes.writeInt32BE(at - offset - 12, offset + 8);
  bytes[offset + 16] = 2;
  bytes.writeInt16BE(head.compression, offset + 21);
  bytes.writeInt32BE(count - 1, offset + 23);
  bytes.writeBigInt64BE(BigInt(head.time), offset + 27);
  bytes.writeBigInt64BE(BigInt(head.time), offset + 35);
  bytes.writeBigInt64BE(head.producerId, offset + 43);
  bytes.writeInt16BE(head.producerEpoch, offset + 51);
  bytes.writeInt32BE(head.firstSequence, offset + 53);
  bytes.writeInt32BE(count, offset + 57);
  bytes.writeUInt32BE(crc32c(bytes, offset + SUMMED_FROM, at), offset + 17);
  return at;
}
