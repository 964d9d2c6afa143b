// SPDX-License-Identifier: Apache-2.0
/** The contract every exporter keeps; queue, batch, retry and timeout are added around it (see destination.ts). */
import type {RelayRecord} from '../records/types.js';

/** Expected outcomes are values. `rejected` of the batch's records were refused for good by the peer. */
export type SendResult =
  | {outcome: 'success'; rejected?: number; reason?: string}
  | {outcome: 'retryable'; reason: string; afterMs?: number}
  | {outcome: 'failure'; reason: string};

export interface Exporter {
  /** Type name in the configuration: `otlp`, `kafka`, … */
  readonly type: string;
  /** Which records it can take; others are counted as dropped with reason `unsupported`. */
  accepts(record: RelayRecord): boolean;
  /** Opens what must be open before the first send. Must not fail for a peer that is down: that is `retryable`. */
  start(): Promise<void>;
  /** Sends one batch, whole; called again with the same batch after `retryable`. One call at a time. */
  send(batch: readonly RelayRecord[], signal: AbortSignal): Promise<SendResult>;
  /** Asks the peer whether it can be reached; undefined when it can, else why not. Used by validate and start-up checks. */
  check?(signal: AbortSignal): Promise<string | undefined>;
  /** Safe without start() and twice; returns when background work ended. */
  stop(): Promise<void>;
}
