// SPDX-License-Identifier: Apache-2.0
/**
 * Batches of records as OTLP export requests: many processes in one request, none above the size that receivers take.
 * A request is the concatenation of its resources' messages, which protobuf reads as one.
 */
import {
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import type {Resource} from '@opentelemetry/resources';
import {isFinitePoint, type Point, toPoints} from '../points.js';
import type {Item, Rendered} from '../rendered.js';
import {resourceOf} from '../resource.js';
import {SCHEMA_URL} from '../semconv.js';
import {createSeriesStore, isTime, type Series, startOf} from '../series.js';
import type {Attributes, Event, Metric, Process, Span, Start} from '../types.js';
import {giveBack, jsonLogRequests, type LogRecords, protoLogRequests} from './log-requests.js';
import {CUMULATIVE, DELTA, makeResource, metricData, type PointData, readableSpan} from './sdk.js';

type LogItem = Event | Start | Rendered;

export type Signal = 'metrics' | 'logs' | 'traces';

export interface OtlpRequest {
  signal: Signal;
  bytes: Buffer;
  /** Records in it. */
  count: number;
  /** REQUEST_ROOM bytes in front of it are free, and the memory is used again after release(). */
  lent?: boolean;
}

export interface OtlpSettings {
  form: 'protobuf' | 'json';
  temporality: 'cumulative' | 'delta';
  /** Before compression. */
  maxBytes: number;
  maxSeries: number;
  /** Attributes of every resource. */
  resource: Record<string, string>;
  version: string;
}

export interface OtlpEncoder {
  /** Requests of a batch, and how many of its records have values that cannot be sent. `now`: Clock.now(). */
  encode(batch: readonly Item[], now: number, wall: number): {requests: OtlpRequest[]; invalid: number};
  /** Nobody reads the request any more. One that is never released is left to the collector. */
  release(request: OtlpRequest): void;
  /** Series kept for cumulative sums. */
  readonly series: number;
}

const ENDED_MS = 300_000;
const IDLE_MS = 3_600_000;
/** Points of one metric that are serialized at once; keeps a piece far below any limit. */
const POINTS_AT_ONCE = 500;
const MEMBERS: Record<Signal, string> = {
  metrics: 'resourceMetrics',
  logs: 'resourceLogs',
  traces: 'resourceSpans',
};

/** Puts pieces together into requests below the limit. */
class Packer {
  readonly requests: OtlpRequest[] = [];
  #pieces: Uint8Array[] = [];
  #size = 0;
  #count = 0;
  readonly #signal: Signal;
  readonly #settings: OtlpSettings;

  constructor(signal: Signal, settings: OtlpSettings) {
    this.#signal = signal;
    this.#settings = settings;
  }

  /** A piece is one or more resources: protobuf fields, or elements of the JSON array. */
  add(piece: Uint8Array, count: number): void {
    if (this.#size > 0 && this.#size + piece.length > this.#settings.maxBytes) this.finish();
    this.#pieces.push(piece);
    this.#size += piece.length + 1;
    this.#count += count;
  }

  /** A request that is complete. */
  whole(bytes: Buffer, count: number, lent: boolean): void {
    this.requests.push({signal: this.#signal, bytes, count, lent});
  }

  finish(): void {
    if (this.#pieces.length === 0) return;
    const bytes = this.#settings.form === 'protobuf' ? Buffer.concat(this.#pieces) : this.#json();
    this.requests.push({signal: this.#signal, bytes, count: this.#count});
    this.#pieces = [];
    this.#size = 0;
    this.#count = 0;
  }

  #json(): Buffer {
    const comma = Buffer.from(',');
    const parts = this.#pieces.flatMap((piece, i) => (i === 0 ? [piece] : [comma, piece]));
    return Buffer.concat([Buffer.from(`{"${MEMBERS[this.#signal]}":[`), ...parts, Buffer.from(']}')]);
  }
}

function byProcess<T extends Item>(items: readonly T[]): Map<Process, T[]> {
  const groups = new Map<Process, T[]>();
  for (const item of items) {
    const process = item.kind === 'rendered' ? item.first.process : item.process;
    const group = groups.get(process);
    if (group === undefined) groups.set(process, [item]);
    else group.push(item);
  }
  return groups;
}

export function createOtlpEncoder(settings: OtlpSettings): OtlpEncoder {
  const json = settings.form === 'json';
  const scope = {name: 'appscope', version: settings.version, schemaUrl: SCHEMA_URL};
  const store = createSeriesStore({maxSeries: settings.maxSeries, endedMs: ENDED_MS, idleMs: IDLE_MS});
  let attributesOf = new WeakMap<Process, Attributes>();
  let resources = new WeakMap<Process, Resource>();

  function attributes(process: Process): Attributes {
    let found = attributesOf.get(process);
    if (found === undefined) {
      found = resourceOf(process, settings.resource);
      attributesOf.set(process, found);
    }
    return found;
  }

  function resource(process: Process): Resource {
    let found = resources.get(process);
    if (found === undefined) {
      found = makeResource(attributes(process));
      resources.set(process, found);
    }
    return found;
  }

  /** The element of the JSON array that a serializer of one resource made. */
  function jsonElement(bytes: Uint8Array, signal: Signal): Uint8Array {
    const head = `{"${MEMBERS[signal]}":[`.length;
    return bytes.subarray(head, bytes.length - 2);
  }

  function addMetrics(packer: Packer, process: Process, touched: Iterable<Touched>): void {
    const count = (list: readonly Touched[]): number => list.reduce((sum, one) => sum + one.records, 0);
    for (const group of groupsOf(touched)) {
      pieces(packer, group, count, (list) => {
        const metrics = list.map((one) => metricData(one.head, one.temporality, one.points));
        const request = {resource: resource(process), scopeMetrics: [{scope, metrics}]};
        return json
          ? jsonElement(JsonMetricsSerializer.serializeRequest(request)!, 'metrics')
          : ProtobufMetricsSerializer.serializeRequest(request)!;
      });
    }
  }

  function encodeMetrics(packer: Packer, records: readonly Metric[], now: number): number {
    let invalid = 0;
    store.sweep(now);
    for (const [process, metrics] of byProcess(records)) {
      const touched = new Map<string, Touched>();
      const seen = new Set<Series>();
      for (const metric of metrics) {
        const points = toPoints(metric);
        if (!isTime(metric.time) || !points.every(isFinitePoint)) {
          invalid++;
          continue;
        }
        // A record is counted with the first of its points.
        points.forEach((point, i) => {
          const count = i === 0 ? 1 : 0;
          const added = settings.temporality === 'cumulative' ? store.add(metric, point, now) : 'over';
          if (typeof added === 'string') touch(touched, point, DELTA, deltaPoint(metric, point), count);
          else if (seen.has(added.series)) touch(touched, point, CUMULATIVE, undefined, count);
          else {
            seen.add(added.series);
            // Read when the batch has been added up.
            touch(touched, point, CUMULATIVE, added.series, count);
          }
        });
      }
      addMetrics(packer, process, touched.values());
    }
    return invalid;
  }

  function encodeLogs(packer: Packer, items: readonly LogItem[], wall: number): number {
    const groups = byProcess(items);
    const how = {
      maxBytes: settings.maxBytes,
      version: settings.version,
      attributes,
      done: (bytes: Buffer, count: number) => packer.whole(bytes, count, !json),
    };
    // Nothing is rendered ahead in JSON.
    return json
      ? jsonLogRequests(groups as LogRecords, wall / 1000, how)
      : protoLogRequests(groups, wall / 1000, how);
  }

  /** Serializes a list, in halves when it is too large for one request. */
  function pieces<T>(
    packer: Packer,
    list: readonly T[],
    records: (some: readonly T[]) => number,
    serialize: (some: readonly T[]) => Uint8Array,
  ): void {
    const bytes = serialize(list);
    if (bytes.length <= settings.maxBytes || list.length === 1) {
      packer.add(bytes, records(list));
      return;
    }
    const middle = list.length >> 1;
    pieces(packer, list.slice(0, middle), records, serialize);
    pieces(packer, list.slice(middle), records, serialize);
  }

  function encodeSpans(packer: Packer, records: readonly Span[]): void {
    for (const [process, spans] of byProcess(records)) {
      for (let at = 0; at < spans.length; at += POINTS_AT_ONCE) {
        const some = spans.slice(at, at + POINTS_AT_ONCE);
        const count = (list: readonly Span[]): number => list.length;
        pieces(packer, some, count, (list) => {
          const readable = list.map((span) => readableSpan(span, resource(process), scope));
          return json
            ? jsonElement(JsonTraceSerializer.serializeRequest(readable)!, 'traces')
            : ProtobufTraceSerializer.serializeRequest(readable)!;
        });
      }
    }
  }

  return {
    release({bytes, lent}) {
      if (lent) giveBack(bytes);
    },
    get series() {
      return store.size;
    },
    encode(batch, now, wall) {
      const metrics: Metric[] = [];
      const logs: LogItem[] = [];
      const spans: Span[] = [];
      for (const record of batch) {
        if (record.kind === 'metric') metrics.push(record);
        else if (record.kind === 'span') spans.push(record);
        else if (record.kind !== 'payload') logs.push(record);
      }
      const packers = {
        metrics: new Packer('metrics', settings),
        logs: new Packer('logs', settings),
        traces: new Packer('traces', settings),
      };
      const invalid = encodeMetrics(packers.metrics, metrics, now) + encodeLogs(packers.logs, logs, wall);
      encodeSpans(packers.traces, spans);
      attributesOf = new WeakMap();
      resources = new WeakMap();
      const requests = Object.values(packers).flatMap((packer) => {
        packer.finish();
        return packer.requests;
      });
      return {requests, invalid};
    },
  };
}

/** One metric of a request under construction. */
interface Touched {
  head: Pick<Point, 'name' | 'unit' | 'about' | 'instrument'>;
  temporality: typeof CUMULATIVE | typeof DELTA;
  points: PointData[];
  records: number;
}

function touch(
  touched: Map<string, Touched>,
  point: Point,
  temporality: Touched['temporality'],
  data: PointData | undefined,
  records: number,
): void {
  const key = `${point.name}\0${temporality}\0${point.instrument}`;
  let found = touched.get(key);
  if (found === undefined) {
    const {name, unit, about, instrument} = point;
    found = {head: {name, unit, about, instrument}, temporality, points: [], records: 0};
    touched.set(key, found);
  }
  found.records += records;
  if (data !== undefined) found.points.push(data);
}

function deltaPoint(metric: Metric, point: Point): PointData {
  return {
    attributes: point.attributes,
    start: startOf(metric),
    time: metric.time,
    value: point.value,
    buckets: point.buckets,
  };
}

/** Metrics in groups of a bounded number of points. */
function* groupsOf(touched: Iterable<Touched>): Generator<Touched[]> {
  let group: Touched[] = [];
  let points = 0;
  for (const one of touched) {
    let left = one.records;
    for (let at = 0; at < one.points.length; at += POINTS_AT_ONCE) {
      const some = one.points.slice(at, at + POINTS_AT_ONCE);
      const last = at + POINTS_AT_ONCE >= one.points.length;
      const records = last ? left : Math.min(left, some.length);
      left -= records;
      if (points + some.length > POINTS_AT_ONCE && group.length > 0) {
        yield group;
        group = [];
        points = 0;
      }
      group.push({...one, points: some, records});
      points += some.length;
    }
  }
  if (group.length > 0) yield group;
}
