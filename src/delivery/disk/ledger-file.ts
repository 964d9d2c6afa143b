// SPDX-License-Identifier: Apache-2.0
/** Position and counts of a disk queue: two slots written in turn, so that a torn write leaves the one before. */
import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import {promisify} from 'node:util';
import {crc32} from 'node:zlib';
import type {Dropped} from '../ledger.js';

const SLOT = 1024;
const syncData = promisify(fdatasync);

export interface LedgerState {
  /** Sequence number of the first record not yet done with. */
  acked: number;
  /** Sequence number of the next record to be accepted. */
  tail: number;
  sent: number;
  dropped: Partial<Dropped>;
}

export interface LedgerFile {
  /** What was found, undefined for a new or damaged file. */
  readonly found: LedgerState | undefined;
  write(state: LedgerState): void;
  sync(): Promise<void>;
  close(): void;
}

function readSlot(fd: number, at: number): {turn: number; state: LedgerState} | undefined {
  const bytes = Buffer.alloc(SLOT);
  if (readSync(fd, bytes, 0, SLOT, at) < SLOT) return undefined;
  const length = bytes.readUInt32LE(4);
  if (length > SLOT - 8 || crc32(bytes.subarray(4, 8 + length)) !== bytes.readUInt32LE(0)) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8', 8, 8 + length)) as {turn: number; state: LedgerState};
  } catch {
    return undefined;
  }
}

export function openLedgerFile(path: string): LedgerFile {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  // Room for both slots now, so that a full disk cannot hinder a later write.
  if (fstatSync(fd).size < 2 * SLOT) {
    ftruncateSync(fd, 0);
    writeSync(fd, Buffer.alloc(2 * SLOT), 0, 2 * SLOT, 0);
  }
  const slots = [readSlot(fd, 0), readSlot(fd, SLOT)].filter((slot) => slot !== undefined);
  const newest = slots.sort((a, b) => b.turn - a.turn)[0];
  let turn = newest?.turn ?? 0;
  const bytes = Buffer.alloc(SLOT);
  return {
    found: newest?.state,
    write(state) {
      turn++;
      bytes.fill(0);
      const length = bytes.write(JSON.stringify({turn, state}), 8);
      bytes.writeUInt32LE(length, 4);
      bytes.writeUInt32LE(crc32(bytes.subarray(4, 8 + length)), 0);
      writeSync(fd, bytes, 0, SLOT, (turn % 2) * SLOT);
    },
    sync: () => syncData(fd),
    close: () => closeSync(fd),
  };
}
