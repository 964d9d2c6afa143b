// SPDX-License-Identifier: Apache-2.0
/** Records that became bytes ahead of their send: what queues in memory hold. */
import type {RelayRecord} from './types.js';

/** Consecutive records of one process and kind as the bytes that will be sent, made when they were accepted. */
export interface Rendered {
  readonly kind: 'rendered';
  /** Stands for all of them: same process, same kind. */
  readonly first: RelayRecord;
  readonly count: number;
  readonly bytes: Buffer;
}

/** What a queue holds and a batch consists of. */
export type Item = RelayRecord | Rendered;

export function countOf(item: Item): number {
  return item.kind === 'rendered' ? item.count : 1;
}
