// SPDX-License-Identifier: Apache-2.0
/** The books of one destination: accepted = sent + queued + dropped(reason), true whenever somebody looks. */

export const DROP_REASONS = [
  /** The exporter does not take this kind of record. */
  'unsupported',
  /** The queue was full. */
  'queue_full',
  /** Older than queue.max_age. */
  'expired',
  /** The peer refused the whole batch for good, or retry.max_elapsed ran out. */
  'failed',
  /** The peer took the batch but refused these records. */
  'rejected',
  /** Still in memory when the relay had to end. */
  'stopped',
  /** Damaged in the disk queue. */
  'corrupt',
  /** Could be neither written to the disk queue nor kept in memory beside it. */
  'disk_error',
] as const;
export type DropReason = (typeof DROP_REASONS)[number];
export type Dropped = Record<DropReason, number>;

export interface LedgerSnapshot {
  accepted: number;
  sent: number;
  queued: number;
  dropped: Dropped;
}

/** A table with a zero for every reason. */
export function noDrops(): Dropped {
  return Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as Dropped;
}

/** Counts of one destination. `queued` is never stored twice: the queue is asked. */
export interface Ledger {
  accepted: number;
  sent: number;
  readonly dropped: Dropped;
  drop(reason: DropReason, count: number): void;
}

export function createLedger(from?: {sent: number; dropped: Partial<Dropped>; queued: number}): Ledger {
  const dropped = {...noDrops(), ...from?.dropped};
  const before = Object.values(dropped).reduce((sum, count) => sum + count, 0);
  return {
    accepted: (from?.sent ?? 0) + before + (from?.queued ?? 0),
    sent: from?.sent ?? 0,
    dropped,
    drop(reason, count) {
      dropped[reason] += count;
    },
  };
}
