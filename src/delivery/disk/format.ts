// SPDX-License-Identifier: Apache-2.0
/**
 * Bytes of a disk queue. A segment is a header and entries; an entry is a header and the serialized records.
 *
 *   segment  "SCQUEUE1" | first f64 | offset f64 | boot 16 bytes | crc u32 | 0 u32            48 bytes
 *   entry    "SCE1" | length u32 | count u32 | crc u32 | first f64 | time f64 | header crc u32 | 0 u32   40 bytes
 *
 * `first` is the sequence number of the first record: every record ever accepted has one, so that a damaged stretch tells
 * exactly how many records it held. `time` is Clock.now(), `offset` the wall clock minus Clock.now().
 */
import {deserialize, serialize} from 'node:v8';
import {crc32} from 'node:zlib';
import {plainRecord} from '../../records/plain.js';
import type {Process, RelayRecord} from '../../records/types.js';

export const SEGMENT_HEADER = 48;
export const ENTRY_HEADER = 40;
const SEGMENT_MAGIC = Buffer.from('SCQUEUE1');
export const ENTRY_MAGIC = Buffer.from('SCE1');
/** No entry is longer; a length above is damage. */
export const LONGEST_ENTRY = 256 * 1024 * 1024;

export interface SegmentHeader {
  first: number;
  offset: number;
  boot: Buffer;
}

export interface EntryHeader {
  length: number;
  count: number;
  crc: number;
  first: number;
  time: number;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER);
  SEGMENT_MAGIC.copy(bytes);
  bytes.writeDoubleLE(header.first, 8);
  bytes.writeDoubleLE(header.offset, 16);
  header.boot.copy(bytes, 24, 0, 16);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 40)), 40);
  return bytes;
}

export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER || !bytes.subarray(0, 8).equals(SEGMENT_MAGIC)) return undefined;
  if (crc32(bytes.subarray(0, 40)) !== bytes.readUInt32LE(40)) return undefined;
  return {
    first: bytes.readDoubleLE(8),
    offset: bytes.readDoubleLE(16),
    boot: Buffer.from(bytes.subarray(24, 40)),
  };
}

/** One entry, ready to be written. */
export function encodeEntry(records: readonly RelayRecord[], first: number, time: number): Buffer {
  const payload = serialize(records.map(plainRecord));
  const bytes = Buffer.allocUnsafe(ENTRY_HEADER + payload.length);
  ENTRY_MAGIC.copy(bytes);
  bytes.writeUInt32LE(payload.length, 4);
  bytes.writeUInt32LE(records.length, 8);
  bytes.writeUInt32LE(crc32(payload), 12);
  bytes.writeDoubleLE(first, 16);
  bytes.writeDoubleLE(time, 24);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 32)), 32);
  bytes.writeUInt32LE(0, 36);
  payload.copy(bytes, ENTRY_HEADER);
  return bytes;
}

/** Undefined when these bytes are no entry header. */
export function decodeEntryHeader(bytes: Buffer): EntryHeader | undefined {
  if (bytes.length < ENTRY_HEADER || !bytes.subarray(0, 4).equals(ENTRY_MAGIC)) return undefined;
  if (crc32(bytes.subarray(0, 32)) !== bytes.readUInt32LE(32)) return undefined;
  const header = {
    length: bytes.readUInt32LE(4),
    count: bytes.readUInt32LE(8),
    crc: bytes.readUInt32LE(12),
    first: bytes.readDoubleLE(16),
    time: bytes.readDoubleLE(24),
  };
  return header.length <= LONGEST_ENTRY && header.count > 0 ? header : undefined;
}

/** Records of an entry; undefined when the bytes are damaged. `intern` gives one object per process. */
export function decodePayload(
  header: EntryHeader,
  payload: Buffer,
  intern: (process: Process) => Process,
): RelayRecord[] | undefined {
  if (payload.length !== header.length || crc32(payload) !== header.crc) return undefined;
  try {
    const records = deserialize(payload) as RelayRecord[];
    if (!Array.isArray(records) || records.length !== header.count) return undefined;
    for (const record of records) record.process = intern(record.process);
    return records;
  } catch {
    return undefined;
  }
}
