// SPDX-License-Identifier: Apache-2.0
/**
 * Metrics as OpenTelemetry and Prometheus see them: name, instrument, unit and attributes of the conventions. Custom
 * tags are the process's, not the point's.
 */
import {
  attributeName,
  CONVENTIONS,
  type Convention,
  DURATION_BOUNDS,
  FILE_DURATION_BOUNDS,
} from './semconv.js';
import type {Attributes, AttributeValue, Buckets, Metric, MetricType} from './types.js';

export interface Point {
  name: string;
  instrument: Convention['instrument'];
  /** UCUM. */
  unit: string;
  about: string;
  attributes: Attributes;
  /** In `unit`. Of histograms: the sum. */
  value: number;
  /** Of histograms, in `unit`. */
  buckets?: Buckets;
}

/** Measures of the record itself, useless as attributes; and the command line, which may hold secrets. */
const MEASURES = new Set(['numops', 'req_per_sec', 'duration', 'req', 'resp', 'args']);

const INSTRUMENTS: Record<MetricType, Convention['instrument']> = {
  counter: 'counter',
  gauge: 'gauge',
  timer: 'histogram',
  histogram: 'histogram',
  set: 'gauge',
};
/** Units of metrics that are not ours. */
const UNITS: Record<string, string> = {
  byte: 'By',
  millisecond: 'ms',
  microsecond: 'us',
  second: 's',
  percent: '%',
};

/** `TCP` and `IP.TCP` -> `tcp`, `UNIX` and `Unix.TCP` -> `unix`. */
export function transportName(value: string): string {
  const lower = value.toLowerCase();
  if (lower.startsWith('unix')) return 'unix';
  return lower.startsWith('ip.') ? lower.slice(3) : lower;
}

function put(out: Attributes, metric: string, name: string, value: AttributeValue): void {
  if (MEASURES.has(name)) return;
  if (name === 'class' && (metric === 'net.rx' || metric === 'net.tx')) {
    // inet_tcp, inet_udp, unix_tcp, unix_udp, other
    const [family, protocol] = String(value).split('_');
    out['network.transport'] = family === 'inet' ? protocol! : family!;
    return;
  }
  if (name === 'class' && !metric.endsWith('.error')) {
    out['appscope.class'] = value;
    return;
  }
  if (name === 'http_target') {
    // A template of ours. Not http.route: that is what a framework says.
    if (value !== '' && value !== OTHER_TARGET) out['url.template'] = value;
    return;
  }
  const key = metric.startsWith('net.') && name === 'domain' ? 'appscope.domain' : attributeName(name);
  if (key === undefined || key in out) return;
  out[key] = key === 'network.transport' ? transportName(String(value)) : value;
}

function attributesOf(metric: Metric, convention: Convention): Attributes {
  const out: Attributes = {...convention.attributes};
  for (const name in metric.attributes) put(out, metric.name, name, metric.attributes[name]!);
  return out;
}

/** Dividing gives 0.009 where multiplying by a thousandth gives 0.009000000000000001. */
function times(value: number, scale: number): number {
  return scale < 1 ? value / Math.round(1 / scale) : value * scale;
}

function scaled(buckets: Buckets, scale: number): Buckets {
  return {
    bounds: buckets.bounds.map((bound) => times(bound, scale)),
    counts: buckets.counts,
    sum: times(buckets.sum, scale),
    count: buckets.count,
    min: times(buckets.min, scale),
    max: times(buckets.max, scale),
  };
}

/** Buckets with these bounds that hold `count` values of mean `mean`. */
function around(bounds: readonly number[], mean: number, count: number): Buckets {
  const counts = new Array<number>(bounds.length + 1).fill(0);
  let index = bounds.findIndex((bound) => mean <= bound);
  if (index < 0) index = bounds.length;
  counts[index] = count;
  return {bounds, counts, sum: mean * count, count, min: mean, max: mean};
}

/** What is known of a duration, spread over the bounds the conventions advise when it came without. */
function bucketsOf(metric: Metric, bounds: readonly number[], scale: number): Buckets {
  const {buckets, attributes, name} = metric;
  if (buckets !== undefined && buckets.bounds.length > 0) return scaled(buckets, scale);
  if (buckets !== undefined) {
    const {count, sum, min, max} = scaled(buckets, scale);
    return {...around(bounds, count > 0 ? sum / count : 0, count), sum, min, max};
  }
  const count = typeof attributes.numops === 'number' && attributes.numops > 0 ? attributes.numops : 1;
  // HTTP durations are sums over numops requests, the others means.
  const mean = name.startsWith('http.') ? metric.value / count : metric.value;
  return around(bounds, times(mean, scale), count);
}

/** What a source calls the targets beyond those it tells apart. */
const OTHER_TARGET = '*';
const CAPTURED_BOUNDS: readonly number[] = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

function captured(metric: Metric): Point {
  const instrument = INSTRUMENTS[metric.type];
  const attributes: Attributes = {...metric.attributes};
  const unit = metric.type === 'timer' ? 'ms' : (UNITS[metric.unit] ?? '1');
  const point: Point = {name: metric.name, instrument, unit, about: '', attributes, value: metric.value};
  if (instrument === 'histogram') point.buckets = bucketsOf(metric, CAPTURED_BOUNDS, 1);
  return point;
}

/** A metric under the names of the conventions, in its parts where it has some. */
export function toPoints(metric: Metric): Point[] {
  const {parts} = metric;
  if (parts === undefined) return [toPoint(metric)];
  return parts.map((part) => {
    const {value, buckets} = part;
    const {buckets: _, ...rest} = metric;
    const name = part.name ?? metric.name;
    const point = toPoint({...rest, name, value, ...(buckets === undefined ? {} : {buckets})});
    Object.assign(point.attributes, part.attributes);
    return point;
  });
}

/** A metric under the names of the conventions. Metrics that are not ours keep their names and dimensions. */
function toPoint(metric: Metric): Point {
  const convention = CONVENTIONS.get(metric.name);
  if (convention === undefined) return captured(metric);
  const {name, instrument, unit, about, scale} = convention;
  const point: Point = {
    name,
    instrument,
    unit,
    about,
    attributes: attributesOf(metric, convention),
    value: times(metric.value, scale),
  };
  if (instrument === 'histogram') {
    const bounds = name === 'appscope.file.operation.duration' ? FILE_DURATION_BOUNDS : DURATION_BOUNDS;
    point.buckets = bucketsOf(metric, bounds, scale);
  }
  return point;
}

/** The metric as the one point it is under AppScope's own names. */
export function toOwnPoints(metric: Metric): Point[] {
  return [toOwnPoint(metric)];
}

/** A metric under AppScope's own names, units and fields. */
function toOwnPoint(metric: Metric): Point {
  const instrument = INSTRUMENTS[metric.type];
  const attributes: Attributes = {};
  for (const name in metric.attributes) if (!MEASURES.has(name)) attributes[name] = metric.attributes[name]!;
  const about = CONVENTIONS.get(metric.name)?.about ?? '';
  const point: Point = {
    name: metric.name,
    instrument,
    unit: metric.unit,
    about,
    attributes,
    value: metric.value,
  };
  if (instrument === 'histogram') {
    const scale = CONVENTIONS.get(metric.name)?.scale ?? 1;
    const bounds = metric.name === 'fs.duration' ? FILE_DURATION_BOUNDS : DURATION_BOUNDS;
    point.buckets = bucketsOf(
      metric,
      CONVENTIONS.has(metric.name)
        ? bounds.map((bound) => Number((bound / scale).toPrecision(6)))
        : CAPTURED_BOUNDS,
      1,
    );
  }
  return point;
}

/** Whether all its numbers can be sent. */
export function isFinitePoint(point: Point): boolean {
  if (!Number.isFinite(point.value)) return false;
  if (point.instrument === 'counter' && point.value < 0) return false;
  const {buckets} = point;
  return buckets === undefined || (Number.isFinite(buckets.sum) && buckets.count >= 0);
}
