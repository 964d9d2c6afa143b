// SPDX-License-Identifier: Apache-2.0
/** The contract every exporter keeps; queue, batch, retry and timeout are added around it (see destination.ts). */
import type {ByteWriter} from '../records/byte-writer.js';
import type {Item} from '../records/rendered.js';
import type {RelayRecord} from '../records/types.js';

/** Expected outcomes are values. `rejected` of the batch's records were refused for good by the peer. */
export type SendResult =
  | {outcome: 'success'; rejected?: number; reason?: string}
  | {outcome: 'retryable'; reason: string; afterMs?: number}
  | {outcome: 'failure'; reason: string};

/** What others make of events too: NDJSON lines, or log records of OTLP. */
export type MadeForm = 'lines' | 'logs';

/** How an exporter turns single records into bytes ahead of the send. */
export interface Rendering {
  /** What `write` appends to; whoever calls it lends the memory. */
  readonly out: ByteWriter;
  /** What `write` makes of events is of this form, and what others made may stand beside it. */
  readonly form?: MadeForm;
  /** Some calls of `write` follow at once. */
  begin?(): void;
  /** True: appended. False: the record has no form here, and nothing was written. Undefined: it is to stay a record. */
  write(record: RelayRecord): boolean | undefined;
}

interface Common {
  /** Type name in the configuration: `otlp`, `kafka`, … */
  readonly type: string;
  /** Which records it can take; others are counted as dropped with reason `unsupported`. */
  accepts(record: RelayRecord): boolean;
  /** Opens what must be open before the first send. Must not fail for a peer that is down: that is `retryable`. */
  start(): Promise<void>;
  /** Asks the peer whether it can be reached; undefined when it can, else why not. Used by validate and start-up checks. */
  check?(signal: AbortSignal): Promise<string | undefined>;
  /** Safe without start() and twice; returns when background work ended. */
  stop(): Promise<void>;
}

export interface PlainExporter extends Common {
  readonly rendering?: undefined;
  /** Sends one batch, whole; called again with the same batch after `retryable`. One call at a time. */
  send(batch: readonly RelayRecord[], signal: AbortSignal): Promise<SendResult>;
}

/** An exporter whose queue in memory holds bytes: records that wait as objects are what the garbage collector pays for. */
export interface RenderingExporter extends Common {
  /** Undefined where the configuration asks for a form that is made of whole batches. */
  readonly rendering: Rendering | undefined;
  /** As above. Records come as they are where they were in a disk queue. The bytes are lent until it resolves. */
  send(batch: readonly Item[], signal: AbortSignal): Promise<SendResult>;
}

export type Exporter = PlainExporter | RenderingExporter;
