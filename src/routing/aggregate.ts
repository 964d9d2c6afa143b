// SPDX-License-Identifier: Apache-2.0
/** Joins the metrics of one series over an interval: counters add up, gauges keep the last value, buckets are merged. */
import type {Buckets, Metric, MetricPart, RelayRecord} from '../records/types.js';

/** Above this many series, further ones go through as they are: memory stays bounded. */
const MAX_SERIES = 50_000;

export interface Aggregator {
  /** Holds the record back, or gives it back at once. */
  add(record: RelayRecord): RelayRecord | undefined;
  /** What is due at this time (milliseconds); everything when `all`. */
  due(now: number, all?: boolean): Metric[];
  readonly size: number;
}

function keyOf(metric: Metric): string {
  let key = `${metric.process.key}\0${metric.name}\0${metric.unit}`;
  for (const name in metric.attributes) key += `\0${name}\0${String(metric.attributes[name])}`;
  return key;
}

function mergeBuckets(into: Buckets, from: Buckets): Buckets {
  const same =
    into.bounds.length === from.bounds.length && into.bounds.every((bound, i) => bound === from.bounds[i]);
  if (!same) return from;
  return {
    bounds: into.bounds,
    counts: into.counts.map((count, i) => count + from.counts[i]!),
    sum: into.sum + from.sum,
    count: into.count + from.count,
    min: Math.min(into.min, from.min),
    max: Math.max(into.max, from.max),
  };
}

const partKey = (part: MetricPart) => JSON.stringify([part.name, part.attributes]);

function mergeParts(
  into: readonly MetricPart[],
  from: readonly MetricPart[],
  type: Metric['type'],
): MetricPart[] {
  const merged = new Map(into.map((part) => [partKey(part), part]));
  for (const part of from) {
    const key = partKey(part);
    const known = merged.get(key);
    if (known === undefined) merged.set(key, part);
    else {
      const value = type === 'gauge' || type === 'set' ? part.value : known.value + part.value;
      const {buckets = part.buckets} = known;
      merged.set(key, {
        ...part,
        value,
        ...(buckets && part.buckets
          ? {buckets: known.buckets ? mergeBuckets(buckets, part.buckets) : buckets}
          : {}),
      });
    }
  }
  return [...merged.values()];
}

function merge(into: Metric, from: Metric, count: number): void {
  const first = Math.min(into.startTime ?? into.time, from.startTime ?? from.time);
  if (from.type === 'counter') into.value += from.value;
  else if (from.type === 'timer' || from.type === 'histogram')
    into.value += (from.value - into.value) / count;
  else into.value = from.value;
  if (from.buckets) into.buckets = into.buckets ? mergeBuckets(into.buckets, from.buckets) : from.buckets;
  if (from.parts) into.parts = mergeParts(into.parts ?? [], from.parts, from.type);
  into.startTime = first;
  into.time = Math.max(into.time, from.time);
  into.summary = true;
}

export function createAggregator(intervalMs: number): Aggregator {
  let series = new Map<string, {metric: Metric; count: number}>();
  let began: number | undefined;
  return {
    get size() {
      return series.size;
    },
    add(record) {
      if (record.kind !== 'metric') return record;
      const key = keyOf(record);
      const known = series.get(key);
      if (known) merge(known.metric, record, ++known.count);
      else if (series.size >= MAX_SERIES) return record;
      else series.set(key, {metric: {...record, attributes: {...record.attributes}}, count: 1});
      return undefined;
    },
    due(now, all = false) {
      began ??= now;
      if (!all && now - began < intervalMs) return [];
      began = now;
      const out = [...series.values()].map(({metric}) => metric);
      series = new Map();
      return out;
    },
  };
}
