// SPDX-License-Identifier: Apache-2.0
/**
 * `.index/commit`: how much of each file of the session is valid. Two slots, written in turn, each with a checksum: a
 * relay killed at any instant leaves the older one whole. What lies beyond the committed sizes is cut when the next
 * relay opens the session and is not shown by readers.
 */
import {closeSync, openSync, readSync, writeSync} from 'node:fs';

/** Committed state; sizes in bytes. */
export interface Commit {
  events: number;
  metrics: number;
  /** Entries of `.index/events`. */
  count: number;
  names: number;
  /** Size of the journal of payload files. */
  payloads: number;
  /** What the writer's owner had read of its source when it committed; its own unit. */
  position: number;
  /** Everything that happened before this time is in; milliseconds since the epoch. */
  asOf: number;
}

export const NOTHING: Readonly<Commit> = {
  events: 0,
  metrics: 0,
  count: 0,
  names: 0,
  payloads: 0,
  position: 0,
  asOf: 0,
};

const FIELDS = ['events', 'metrics', 'count', 'names', 'payloads', 'position', 'asOf'] as const;
const MAGIC = 0x53434d31;
/** magic u32, checksum u32, sequence f64, then the fields as f64. */
const SLOT = 16 + FIELDS.length * 8;

/** Writes the two slots in turn. */
export class CommitFile {
  readonly #fd: number;
  readonly #slot = Buffer.alloc(SLOT);
  #sequence: number;

  constructor(path: string) {
    this.#sequence = readSlots(path)?.sequence ?? 0;
    this.#fd = openSync(path, 'r+');
  }

  /** Replaces the committed state, atomically for whoever reads after this process was killed. */
  write(commit: Readonly<Commit>): void {
    const slot = this.#slot;
    this.#sequence += 1;
    slot.writeUInt32LE(MAGIC, 0);
    slot.writeDoubleLE(this.#sequence, 8);
    FIELDS.forEach((field, i) => {
      slot.writeDoubleLE(commit[field], 16 + i * 8);
    });
    slot.writeUInt32LE(checksum(slot), 4);
    writeSync(this.#fd, slot, 0, SLOT, (this.#sequence & 1) * SLOT);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** The committed state; undefined when there is none that is whole. */
export function readCommit(path: string): Commit | undefined {
  return readSlots(path)?.commit;
}

function readSlots(path: string): {commit: Commit; sequence: number} | undefined {
  const both = Buffer.alloc(2 * SLOT);
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    readSync(fd, both, 0, both.length, 0);
  } finally {
    closeSync(fd);
  }
  const slots = [both.subarray(0, SLOT), both.subarray(SLOT)].map(parse).filter((s) => s !== undefined);
  return slots.sort((a, b) => b.sequence - a.sequence)[0];
}

function parse(slot: Buffer): {commit: Commit; sequence: number} | undefined {
  if (slot.readUInt32LE(0) !== MAGIC || slot.readUInt32LE(4) !== checksum(slot)) return undefined;
  const commit: Commit = {...NOTHING};
  FIELDS.forEach((field, i) => {
    commit[field] = slot.readDoubleLE(16 + i * 8);
  });
  return {commit, sequence: slot.readDoubleLE(8)};
}

/** FNV-1a over everything behind the checksum. */
function checksum(slot: Buffer): number {
  let h = 0x811c9dc5;
  for (let i = 8; i < SLOT; i++) h = Math.imul(h ^ slot[i]!, 0x01000193);
  return h >>> 0;
}
