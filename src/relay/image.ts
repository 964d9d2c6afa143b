// SPDX-License-Identifier: Apache-2.0
/** One process image in the relay: its facts, its open files, its sources, and the filters its records pass. */
import {readlinkSync} from 'node:fs';
import {type Channel, FD_FLAG, type FileLines, type RecordCursor} from '../channel/index.js';
import {type MetricWatch, metricName} from '../records/names.js';
import type {Event, Metric, Payload, Process, RelayRecord, SourceType, Span} from '../records/types.js';
import {BoundedMap} from './bounded-map.js';
import {eventsOn, metricsOn, type Settings} from './settings.js';
import type {Connection} from './sources/address.js';
import {channelId} from './sources/channel-id.js';
import {isFileKind} from './sources/file.js';
import {fileLines, onlyLines} from './sources/file-lines.js';
import {type Image, type MetricValue, type OpenFile, type Source, singleKey} from './sources/source.js';
import {metricEventOn, singleOn} from './want.js';

/** Closed files that are still remembered: a child may hold them open. */
const CLOSED_KEPT = 256;
const NAMES_KEPT = 1024;
const OBJECTS_KEPT = 65_536;
const FEW_FILES = 32;
const NO_ATTRIBUTES = {};

/** What a process has open, by object. */
export interface OpenState {
  files: [number, OpenFile][];
  connections: [number, Connection][];
}

export class ProcessImage implements Image {
  readonly channel: Channel;
  readonly process: Process;
  /** Replaced by configure(): read it at every use. */
  settings: Settings;
  readonly protocols: Map<number, string> = new BoundedMap<number, string>(OBJECTS_KEPT);
  readonly names: Map<string, string> = new BoundedMap<string, string>(NAMES_KEPT);
  /** What was reported of counters one by one, by singleKey(). */
  readonly singles = new Map<string, number>();
  /** Sources in their order. */
  sources: readonly Source[] = [];
  /** Sources by record type. */
  byType: readonly (readonly Source[] | undefined)[] = [];
  /** When its metrics were last reported, seconds since the epoch. */
  reportedAt: number;
  readonly #out: RelayRecord[];
  // Bounded, for the case that the records of closes were lost.
  readonly #files = new Map<number, OpenFile>();
  readonly #connections: Map<number, Connection> = new BoundedMap<number, Connection>(OBJECTS_KEPT);
  /** Closed objects, the last ones; the place of the oldest is used next. */
  readonly #closed = new Float64Array(CLOSED_KEPT);
  #oldest = 0;
  readonly #parent: ProcessImage | undefined;
  readonly channelPrefix: string;
  /** Events go nowhere but into NDJSON lines. */
  readonly #linesOnly: boolean;
  readonly #wantsSingle = new Map<string, boolean>();
  /** Knows the files instead of us, and makes the lines of their opens and closes. */
  #lines: FileLines | undefined;
  /** Those of earlier settings: children and closes to come may name files that only they know. */
  readonly #linesBefore: FileLines[] = [];

  constructor(
    channel: Channel,
    process: Process,
    settings: Settings,
    out: RelayRecord[],
    parent: ProcessImage | undefined,
    linesOnly = false,
    /** Whether there is somebody to take lines that the addon made. */
    lines = false,
  ) {
    this.channel = channel;
    this.process = process;
    this.settings = settings;
    this.#out = out;
    this.#parent = parent;
    this.#linesOnly = linesOnly;
    this.reportedAt = process.startTime;
    // Distinct for images that begin within a thousand seconds of each other, and within 2^53 with the object.
    this.channelPrefix = String(Math.floor(process.startTime * 1e6) % 1e9 || 1);
    this.#lines = lines && onlyLines(this) ? fileLines(this, parent?.lines) : undefined;
    if (parent === undefined) return;
    // A fork: what was open is open here too, by the same objects.
    if (this.lines === undefined) {
      for (const [object, file] of parent.#files) this.#files.set(object, file);
    } else if (parent.lines === undefined) {
      for (const [object, file] of parent.#files) this.#lines!.set(object, file);
    }
    for (const [object, connection] of parent.#connections) this.#connections.set(object, connection);
  }

  get lines(): FileLines | undefined {
    return this.#lines;
  }

  /**
   * Other settings from now on, between two batches. The process keeps its tags: to destinations they are a part of who it is,
   * so that its sums would begin anew beside the old ones.
   */
  configure(settings: Settings, lines: boolean): void {
    this.settings = settings;
    this.#wantsSingle.clear();
    const before = this.#lines;
    if (before === undefined) return;
    this.#linesBefore.push(before);
    this.#lines = lines && onlyLines(this) ? fileLines(this, before) : undefined;
    if (this.#lines !== undefined) return;
    for (const [object, file] of before.list(OBJECTS_KEPT)) this.#files.set(object, file);
  }

  /** Its tags are those of settings that are no longer in force. */
  get keepsTags(): boolean {
    const [now, then] = [this.settings.tags, this.process.tags];
    const names = Object.keys(now);
    return names.length !== Object.keys(then).length || names.some((name) => now[name] !== then[name]);
  }

  channelId(object: number): string {
    if (object === 0) return 'none';
    return channelId(this.channelPrefix, object);
  }

  time(record: RecordCursor): number {
    return this.channel.seconds(record.tsc);
  }

  file(object: number): OpenFile | undefined {
    const file = this.lines === undefined ? this.#files.get(object) : this.lines.get(object);
    return file ?? this.#parent?.file(object);
  }

  /** What is open, the longest open first, at most so many of each: for the next relay. */
  open(most: number): OpenState {
    return {
      files: this.lines?.list(most) ?? this.#openFiles(most),
      connections: first(this.#connections, most),
    };
  }

  #openFiles(most: number): [number, OpenFile][] {
    // For a few files a look through the list costs less than a set made of it.
    const closed = this.#files.size > FEW_FILES ? new Set(this.#closed) : undefined;
    const isClosed = (object: number) => closed?.has(object) ?? this.#closed.includes(object);
    return first(this.#files, most, (object) => !isClosed(object));
  }

  /** What the relay before us knew, and of the rest what /proc still shows. */
  reopen(state: OpenState): void {
    for (const [object, file] of state.files) this.#remember(object, file);
    for (const [object, connection] of state.connections) this.#connections.set(object, connection);
    const {hostPid} = this.channel;
    if (hostPid === 0 || this.channel.ended) return;
    for (const {fd, object, kind, flags} of this.channel.fds()) {
      // Standard streams are named by their number, wherever they lead.
      if (!isFileKind(kind) || flags & FD_FLAG.CONSOLE || this.file(object)) continue;
      try {
        const path = readlinkSync(`/proc/${hostPid}/fd/${fd}`);
        this.#remember(object, {path, kind, perms: 0, owner: 0, group: 0});
      } catch {
        // Closed meanwhile, or not ours to see.
      }
    }
  }

  #remember(object: number, file: OpenFile): void {
    if (this.lines === undefined) this.#files.set(object, file);
    else this.lines.set(object, file);
  }

  connection(object: number): Connection | undefined {
    return this.#connections.get(object) ?? this.#parent?.connection(object);
  }

  connected(object: number, connection: Connection): void {
    this.#connections.set(object, connection);
  }

  disconnected(object: number): void {
    this.#connections.delete(object);
    this.protocols.delete(object);
  }

  opened(object: number, file: OpenFile): void {
    if (this.#files.size >= OBJECTS_KEPT) this.#files.delete(this.#files.keys().next().value!);
    this.#files.set(object, file);
  }

  closed(object: number): void {
    if (!this.#files.has(object)) return;
    const forgotten = this.#closed[this.#oldest]!;
    if (forgotten !== 0) this.#files.delete(forgotten);
    this.#closed[this.#oldest] = object;
    this.#oldest = (this.#oldest + 1) % CLOSED_KEPT;
  }

  wantsEvent(type: SourceType): boolean {
    return eventsOn(this.settings, type);
  }

  event(
    type: SourceType,
    source: string,
    time: number,
    object: number,
    data: Record<string, unknown> | string,
  ): void {
    const {events} = this.settings;
    const watch = events.watch[type];
    if (watch === undefined || !events.enabled) return;
    let kept = data;
    if (watch.name !== undefined && !watch.name(source)) return;
    if (typeof kept === 'object') {
      if (watch.field !== undefined) kept = onlyFields(kept, watch.field);
      if (watch.value !== undefined && !anyValue(kept, watch.value)) return;
    }
    const {process} = this;
    const channel = this.channelId(object);
    this.#out.push({kind: 'event', sourcetype: type, source, time, channel, data: kept, process});
  }

  plain(type: SourceType): boolean {
    const watch = this.settings.events.watch[type];
    return this.#linesOnly && watch !== undefined && !watch.name && !watch.field && !watch.value;
  }

  put(event: Event): void {
    this.#out.push(event);
  }

  /** Past all filters: what the relay itself has to say. */
  notice(text: string, time: number): void {
    const {process} = this;
    this.#out.push({
      kind: 'event',
      sourcetype: 'metric',
      source: 'notice',
      time,
      channel: 'none',
      data: text,
      process,
    });
  }

  /** Past all filters: the start message. */
  start(time: number): void {
    const {process, settings} = this;
    this.#out.push({kind: 'start', time, process, configuration: settings.configuration});
  }

  wantsSum(name: string): boolean {
    const row = metricName(name);
    if (row === undefined) return metricsOn(this.settings, 'statsd');
    if (!metricsOn(this.settings, row.watch)) return false;
    return row.single === 0 || this.settings.metrics.verbosity < row.single;
  }

  sum(metric: MetricValue, watch?: MetricWatch): void {
    const row = metricName(metric.name);
    if (!metricsOn(this.settings, watch ?? row?.watch ?? 'statsd')) return;
    const made = this.#metric(metric, row === undefined ? false : row.single !== 0);
    if (made.value === 0 && made.summary && metric.zero !== true) return;
    this.#out.push(made);
    // What never comes one by one is an event as it is.
    if (row?.single === 0 || row?.single === 10) this.#asEvent(made);
  }

  wantsSingle(name: string): boolean {
    let wanted = this.#wantsSingle.get(name);
    if (wanted === undefined) {
      wanted = singleOn(this.settings, name);
      this.#wantsSingle.set(name, wanted);
    }
    return wanted;
  }

  single(metric: MetricValue): void {
    if (!this.wantsSingle(metric.name)) return;
    const row = metricName(metric.name);
    const made = this.#metric(metric, false);
    this.#asEvent(made);
    if (row === undefined || !metricsOn(this.settings, row.watch)) return;
    if (this.settings.metrics.verbosity < row.single) return;
    this.#out.push(made);
    if (made.type !== 'counter') return;
    const key = singleKey(made.name, made.attributes.class);
    this.singles.set(key, (this.singles.get(key) ?? 0) + made.value);
  }

  span(span: Omit<Span, 'kind' | 'process'>): void {
    this.#out.push({kind: 'span', ...span, process: this.process});
  }

  payload(payload: Omit<Payload, 'kind' | 'process'>): void {
    this.#out.push({kind: 'payload', ...payload, process: this.process});
  }

  #metric(metric: MetricValue, summary: boolean): Metric {
    const row = metricName(metric.name);
    return {
      kind: 'metric',
      name: metric.name,
      type: metric.type ?? row?.type ?? 'gauge',
      unit: metric.unit ?? row?.unit ?? '',
      value: metric.value,
      attributes: metric.attributes ?? NO_ATTRIBUTES,
      summary,
      time: metric.time,
      ...(metric.startTime === undefined ? {} : {startTime: metric.startTime}),
      ...(metric.buckets === undefined ? {} : {buckets: metric.buckets}),
      ...(metric.parts === undefined || metric.parts.length === 0 ? {} : {parts: metric.parts}),
      process: this.process,
    };
  }

  /** `event.watch` type metric: the record as an event. */
  #asEvent(metric: Metric): void {
    if (!metricEventOn(this.settings, metric.name)) return;
    const {name, type, value, attributes, unit, process, time} = metric;
    this.event('metric', name, time, 0, {
      _metric: name,
      _metric_type: type,
      _value: value,
      proc: process.proc,
      pid: process.pid,
      host: process.host,
      ...attributes,
      unit,
    });
  }
}

function onlyFields(
  data: Record<string, unknown>,
  field: (name: string) => boolean,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data).filter(([name]) => field(name)));
}

function anyValue(data: Record<string, unknown>, value: (text: string) => boolean): boolean {
  return Object.values(data).some((one) => value(String(one)));
}

function first<K, V>(map: Map<K, V>, most: number, wanted: (key: K) => boolean = () => true): [K, V][] {
  const out: [K, V][] = [];
  for (const entry of map) {
    if (out.length >= most) break;
    if (wanted(entry[0])) out.push(entry);
  }
  return out;
}
