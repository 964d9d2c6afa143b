// SPDX-License-Identifier: Apache-2.0
/**
 * What a source is: it turns records of one process image into metrics, events, spans and payloads. One instance per
 * image, so its state lives as long as the image. Sources know nothing of each other, of sessions and of destinations.
 */
import type {Channel, RecordCursor} from '../../channel/index.js';
import type {
  Attributes,
  Buckets,
  Event,
  MetricPart,
  MetricType,
  Payload,
  Process,
  SourceType,
  Span,
} from '../../records/types.js';
import type {Settings} from '../settings.js';
import type {Connection} from './address.js';

/** A metric as a source hands it over; type and unit come from the table of names when not given. */
export interface MetricValue {
  name: string;
  value: number;
  /** Fields besides proc, pid, host, unit, summary. */
  attributes?: Attributes;
  /** Seconds since the epoch. */
  time: number;
  startTime?: number;
  buckets?: Buckets;
  parts?: readonly MetricPart[];
  type?: MetricType;
  unit?: string;
  /** Send a sum of zero too. */
  zero?: boolean;
}

/** What a process opened by path. */
export interface OpenFile {
  /** As the program passed it. */
  readonly path: string;
  /** One of KIND. */
  kind: number;
  /** Permission bits as octal digits read as a decimal number (0644 is 644); 0: unknown. */
  perms: number;
  owner: number;
  group: number;
}

/** The process image a source works for, and the way out for what it makes. */
export interface Image {
  readonly channel: Channel;
  readonly process: Process;
  readonly settings: Settings;
  /** What every `_channel` of the image begins with. */
  readonly channelPrefix: string;
  /** What stands in `_channel` for an object (sc_record.object); `none` for 0. */
  channelId(object: number): string;
  /** Seconds since the epoch of a record. */
  time(record: RecordCursor): number;
  /**
   * An event, unless its kind is off or a filter refuses it. `data` is yours no longer.
   * Ask `wantsEvent` first where making `data` costs.
   */
  event(
    type: SourceType,
    source: string,
    time: number,
    object: number,
    data: Record<string, unknown> | string,
  ): void;
  wantsEvent(type: SourceType): boolean;
  /** An event as a source made it itself: only where `plain` says that no filter looks at its data. */
  put(event: Event): void;
  /** Whether events of this kind pass unfiltered and nobody but the session's files wants their data. */
  plain(type: SourceType): boolean;
  /** A sum over the period or a sample; not made when its kind is off. Zero is not sent for counters that are sums. */
  sum(metric: MetricValue): void;
  /** One operation: sent when the verbosity asks for single ones, and as an event when `event.watch` has metric. */
  single(metric: MetricValue): void;
  /** What was reported of counters one by one, by singleKey(). */
  readonly singles: Map<string, number>;
  /** Whether single() of this name would do anything. */
  wantsSingle(name: string): boolean;
  /** Whether sum() of this name would do anything: its kind is on and the verbosity is below its limit for sums. */
  wantsSum(name: string): boolean;
  /** Protocols found on connections, by object: set by whoever detects one, shown in net.close. */
  readonly protocols: Map<number, string>;
  /** Names that were resolved, by address: set by the DNS source, shown as net_peer_name. */
  readonly names: Map<string, string>;
  /** The connection of this object, from the record of its beginning; kept until its close was handled. */
  connection(object: number): Connection | undefined;
  connected(object: number, connection: Connection): void;
  disconnected(object: number): void;
  /** What is open by this object: from the records so far, else from the descriptor's parent image. */
  file(object: number): OpenFile | undefined;
  /** Remembers what was opened. */
  opened(object: number, file: OpenFile): void;
  /** Forgets it, after the records of its close. */
  closed(object: number): void;
  span(span: Omit<Span, 'kind' | 'process'>): void;
  payload(payload: Omit<Payload, 'kind' | 'process'>): void;
}

/** One image's part of a source. Every method is optional; none may throw for what a process wrote. */
export interface Source {
  /** A record of one of the source's types. The cursor is only valid during the call. */
  record?(record: RecordCursor): void;
  /** A summary period ended, or (`final`) the image did. `now`: seconds since the epoch. */
  report?(now: number, final: boolean): void;
  /**
   * Hand over what is held back (text being aggregated): a commit follows. Called before commits when there were records, and
   * before end; true: something is held back still, so it is to be called at the next commit whatever comes.
   */
  flush?(now: number): boolean;
  /** The image is gone; nothing may be handed over any more. */
  end?(): void;
  /** What the next relay of this image must know, as JSON can hold it; asked at every commit. */
  save?(): unknown;
  /** Given what save() returned in the relay before, ahead of the first record. */
  restore?(saved: unknown): void;
}

/** How a source is made: one constant per file, listed in src/relay/sources/index.ts. */
export interface SourceKind {
  readonly name: string;
  /** Record types it is given (values of RECORD), read once when the first image begins. */
  types(): readonly number[];
  /** Undefined when the settings of the image leave it nothing to do. */
  create(image: Image): Source | undefined;
}

/** How the single ones of a counter are summed up: by name, and class where there is one. */
export function singleKey(name: string, kind: unknown = ''): string {
  return `${name}/${kind}`;
}
