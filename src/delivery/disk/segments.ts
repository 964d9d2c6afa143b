// SPDX-License-Identifier: Apache-2.0
/** Segment files of a disk queue: written at the end of the last, read from the first, found again after a crash. */
import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';
import type {Clock} from '../../base/clock.js';
import {
  decodeEntryHeader,
  decodeSegmentHeader,
  ENTRY_HEADER,
  ENTRY_MAGIC,
  type EntryHeader,
  encodeSegmentHeader,
  SEGMENT_HEADER,
} from './format.js';

const syncData = promisify(fdatasync);
const WINDOW = 64 * 1024;

export interface Segment {
  path: string;
  /** Sequence number of its first record. */
  first: number;
  fd: number;
  size: number;
  /** Added to an entry's time it gives the time on our clock. */
  shift: number;
}

function readAt(fd: number, length: number, at: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let got = 0;
  while (got < length) {
    const n = readSync(fd, bytes, got, length - got, at + got);
    if (n === 0) break;
    got += n;
  }
  return bytes.subarray(0, got);
}

/** Offset of the next valid entry header at or after `from`; undefined when there is none. */
function findEntry(segment: Segment, from: number): number | undefined {
  for (let at = from; at + ENTRY_HEADER <= segment.size; at += WINDOW - ENTRY_HEADER) {
    const bytes = readAt(segment.fd, Math.min(WINDOW, segment.size - at), at);
    for (let i = bytes.indexOf(ENTRY_MAGIC); i >= 0; i = bytes.indexOf(ENTRY_MAGIC, i + 1)) {
      const header = decodeEntryHeader(bytes.subarray(i, i + ENTRY_HEADER));
      if (header !== undefined && at + i + ENTRY_HEADER + header.length <= segment.size) return at + i;
    }
  }
  return undefined;
}

/** The entry at `at`, or the next valid one after damage. */
export function entryAt(segment: Segment, at: number): {at: number; header: EntryHeader} | undefined {
  if (at + ENTRY_HEADER > segment.size) return undefined;
  const header = decodeEntryHeader(readAt(segment.fd, ENTRY_HEADER, at));
  if (header !== undefined && at + ENTRY_HEADER + header.length <= segment.size) return {at, header};
  const next = findEntry(segment, at + 1);
  return next === undefined ? undefined : entryAt(segment, next);
}

export function readPayload(segment: Segment, entry: {at: number; header: EntryHeader}): Buffer {
  return readAt(segment.fd, entry.header.length, entry.at + ENTRY_HEADER);
}

/** Sequence number after the last valid entry. */
export function endOf(segment: Segment): number {
  let end = segment.first;
  for (let entry = entryAt(segment, SEGMENT_HEADER); entry !== undefined; ) {
    end = entry.header.first + entry.header.count;
    entry = entryAt(segment, entry.at + ENTRY_HEADER + entry.header.length);
  }
  return end;
}

/** Segments of a folder in order; files that are none of ours, or empty, are removed. */
export function openSegments(folder: string, boot: Buffer, clock: Clock): Segment[] {
  const segments: Segment[] = [];
  const names = readdirSync(folder).filter((name) => /^[0-9a-f]{14}\.seg$/.test(name));
  for (const name of names.sort()) {
    const path = join(folder, name);
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const size = fstatSync(fd).size;
    const header = decodeSegmentHeader(readAt(fd, SEGMENT_HEADER, 0));
    if (size <= SEGMENT_HEADER) {
      closeSync(fd);
      unlinkSync(path);
      continue;
    }
    // A damaged header costs only the age of the entries: the name says where it begins.
    const sameBoot = header?.boot.equals(boot) ?? true;
    const shift = sameBoot ? 0 : header!.offset - (clock.wall() - clock.now());
    segments.push({path, fd, size, first: Number.parseInt(name, 16), shift});
  }
  return segments;
}

export function createSegment(folder: string, first: number, boot: Buffer, clock: Clock): Segment {
  const path = join(folder, `${first.toString(16).padStart(14, '0')}.seg`);
  const fd = openSync(
    path,
    constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW,
    0o600,
  );
  const segment: Segment = {path, fd, first, size: 0, shift: 0};
  try {
    appendTo(segment, encodeSegmentHeader({first, offset: clock.wall() - clock.now(), boot}));
  } catch (error) {
    closeSync(fd);
    unlinkSync(path);
    throw error;
  }
  return segment;
}

/** All of it or nothing: a short write (full disk) is taken back. */
export function appendTo(segment: Segment, bytes: Buffer): void {
  let written = 0;
  try {
    while (written < bytes.length) {
      const n = writeSync(segment.fd, bytes, written, bytes.length - written, segment.size + written);
      if (n === 0) throw Object.assign(new Error('no space left on device'), {code: 'ENOSPC'});
      written += n;
    }
  } catch (error) {
    ftruncateSync(segment.fd, segment.size);
    throw error;
  }
  segment.size += bytes.length;
}

export function syncSegment(segment: Segment): Promise<void> {
  return syncData(segment.fd);
}

export function removeSegment(segment: Segment): void {
  closeSync(segment.fd);
  unlinkSync(segment.path);
}

export function closeSegment(segment: Segment): void {
  closeSync(segment.fd);
}
