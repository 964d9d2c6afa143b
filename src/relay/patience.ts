// SPDX-License-Identifier: Apache-2.0
/**
 * When a session relay works. Its rings are emptied by a thread of its own, so decoding can wait: while the machine has
 * no idle processor to give, records pile up in the spool and only a small share of the time is used, in slices too
 * short to keep the application from its processor. The fuller the spool, the larger the share. A query, the end of
 * the processes, or room on the machine ends the patience.
 */
import {existsSync, rmSync, statfsSync} from 'node:fs';
import {freemem} from 'node:os';
import {join} from 'node:path';
import type {ChannelFolder} from '../channel/index.js';
import {idleProcessors} from '../platform/idle.js';
import {FILES, INDEX_FILES, type SessionWriter} from '../session/index.js';

/** One step of the loop: work at most so long, then leave the processor for so long. */
export interface Step {
  budgetMs: number;
  napMs: number;
}

export const AT_ONCE: Step = {budgetMs: 50, napMs: 0};

/**
 * Longest slice while the machine is busy. A runnable thread that takes more than half a millisecond makes Linux move
 * its neighbours about (measured: docs/design/session.md).
 */
const SLICE_MS = 0.25;
const LEAST_SHARE = 0.02;
/** Part of the spool that may fill before the share grows. */
const CALM_PART = 0.5;
/** From this share on the loop works without naps. */
const WHOLE_SHARE = 0.9;
/** Between two looks for somebody who waits, and at the processors. */
const HURRY_MS = 50;
const ROOM_MS = 250;
/** Processors that must be idle, our own use counted as idle, for work at once. */
const ROOM = 1;
/** Less than this in the spool is not put off, but done in short slices, too. */
const SMALL_BYTES = 256 * 1024;
const SMALL_SHARE = 0.2;

export interface PatienceParts {
  /** Bytes in the spool that wait for us. */
  waiting: () => number;
  /** Most that may wait there. */
  most: number;
  /** Idle processors since the last call, with what we used ourselves; undefined: cannot be told. */
  room: () => number | undefined;
  /** Whether somebody waits for what is behind. */
  hurried: () => boolean;
  /** Whether a process is left to step back for. */
  living: () => boolean;
  /** Milliseconds, any origin. */
  now: () => number;
}

/** Share of the time for a spool that is so full. */
function shareOf(part: number): number {
  const over = Math.max(0, part - CALM_PART) / (1 - CALM_PART);
  return LEAST_SHARE + (1 - LEAST_SHARE) * over * over;
}

export class Patience {
  readonly #parts: PatienceParts;
  #hurryAt = Number.NEGATIVE_INFINITY;
  #roomAt = Number.NEGATIVE_INFINITY;
  #busy = false;
  #hurry = false;

  constructor(parts: PatienceParts) {
    this.#parts = parts;
  }

  step(): Step {
    const {waiting, most} = this.#parts;
    const bytes = waiting();
    if (bytes > 0) this.#look();
    if (this.#hurry || !this.#busy) return AT_ONCE;
    const share = bytes < SMALL_BYTES ? SMALL_SHARE : shareOf(bytes / most);
    if (share >= WHOLE_SHARE) return AT_ONCE;
    const napMs = Math.max(1, (SLICE_MS * (1 - share)) / share);
    return {budgetMs: (napMs * share) / (1 - share), napMs};
  }

  /** Nothing waits any more. */
  done(): void {
    this.#hurry = false;
  }

  #look(): void {
    const {now, room, hurried, living} = this.#parts;
    const at = now();
    if (at - this.#hurryAt >= HURRY_MS) {
      this.#hurryAt = at;
      this.#hurry ||= hurried() || !living();
    }
    if (at - this.#roomAt >= ROOM_MS) {
      this.#roomAt = at;
      const idle = room();
      this.#busy = idle !== undefined && idle < ROOM;
    }
  }
}

/** Parts of the spool, of the free memory of its file system, and of the machine that may hold what is put off. */
const SPOOL_PART = 0.75;
const FREE_PART = 0.5;
const MEMORY_PART = 0.125;

/** 0 when the folder is gone, with the container it was in: then nothing is put off for long. */
function freeBytes(dir: string): number {
  try {
    const {bavail, bsize} = statfsSync(dir);
    return bavail * bsize;
  } catch {
    return 0;
  }
}

/** Most bytes that may wait in this folder's spool without harm to anybody. */
function mostWaiting(folder: ChannelFolder): number {
  // Of the control group; far beyond any machine when it has no limit.
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  const memory = Math.min(freemem(), limit);
  return Math.min(
    folder.stats().spoolMax * SPOOL_PART,
    freeBytes(folder.dir) * FREE_PART,
    memory * MEMORY_PART,
  );
}

export function sessionPatience(folder: ChannelFolder, writer: SessionWriter): Patience {
  const flag = join(writer.workdir, FILES.index, INDEX_FILES.hurry);
  return new Patience({
    waiting: () => folder.stats().spooled,
    most: mostWaiting(folder),
    room: idleProcessors(),
    hurried() {
      if (!existsSync(flag)) return false;
      rmSync(flag, {force: true});
      return true;
    },
    living: () => [...folder.channels.values()].some((channel) => !channel.ended),
    now: () => performance.now(),
  });
}
