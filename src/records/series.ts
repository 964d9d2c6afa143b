// SPDX-License-Identifier: Apache-2.0
/** Sums over time: counters and histograms of each series added up, gauges kept, with a limit and an end. */
import {isFinitePoint, type Point} from './points.js';
import type {Attributes, AttributeValue, Buckets, Metric, Process} from './types.js';

export interface Series {
  point: Omit<Point, 'value' | 'buckets' | 'attributes'>;
  attributes: Attributes;
  process: Process;
  /** Seconds since the epoch from which the sum counts. */
  start: number;
  /** Of the last record. */
  time: number;
  value: number;
  buckets: Buckets | undefined;
  /** Clock.now() of the last record. */
  seen: number;
}

export interface SeriesSettings {
  maxSeries: number;
  /** A series of an ended process is forgotten when it was not seen for so long. */
  endedMs: number;
  /** Any series is forgotten when it was not seen for so long. */
  idleMs: number;
  /** What tells processes apart; default processKey. */
  keyOf?: (process: Process) => string;
}

export type Added = {series: Series; isNew: boolean} | 'invalid' | 'over';

export interface SeriesStore {
  readonly size: number;
  /** Records that were left out because there were too many series. */
  readonly over: number;
  /** `now`: Clock.now(). `over`: a new series, and no room for it. */
  add(metric: Metric, point: Point, now: number): Added;
  /** Forgets what ended; cheap when called often. Calls back for each. */
  sweep(now: number, forget?: (series: Series) => void): void;
  values(): IterableIterator<Series>;
}

/** Seconds since the epoch, for some centuries. */
export function isTime(seconds: number): boolean {
  return seconds >= 0 && seconds < 9e9;
}

const SWEEP_MS = 10_000;

/** Tells processes apart also when their objects differ (records from a disk queue). */
export function processKey(process: Process): string {
  return process.uuid === '' ? `${process.host}/${process.pid}/${process.startTime}` : process.uuid;
}

function seriesKey(processKey: string, point: Point): string {
  let text = `${processKey}\0${point.name}`;
  for (const name in point.attributes) text += `\0${name}\0${render(point.attributes[name]!)}`;
  return text;
}

function render(value: AttributeValue): string {
  return Array.isArray(value) ? value.join('\u0001') : String(value);
}

function sameBounds(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((bound, i) => bound === b[i]));
}

/** Adds `from` to `to`; counts whose bounds differ go to the bucket that holds their upper bound. */
function addBuckets(to: Buckets, from: Buckets): void {
  to.sum += from.sum;
  to.min = Math.min(to.min, from.min);
  to.max = Math.max(to.max, from.max);
  to.count += from.count;
  const same = sameBounds(to.bounds, from.bounds);
  from.counts.forEach((count, i) => {
    if (count === 0) return;
    let index = i;
    if (!same) {
      const bound = from.bounds[i] ?? Infinity;
      index = to.bounds.findIndex((upper) => bound <= upper);
      if (index < 0) index = to.bounds.length;
    }
    to.counts[index]! += count;
  });
}

function update(series: Series, metric: Metric, point: Point): void {
  series.time = Math.max(series.time, metric.time);
  if (point.buckets !== undefined && series.buckets !== undefined) addBuckets(series.buckets, point.buckets);
  else if (point.instrument === 'counter') series.value += point.value;
  else series.value = point.value;
}

/** Since when a counter counts, as far as it is known. */
export function startOf(metric: Metric): number {
  const start = metric.startTime ?? metric.process.startTime;
  return isTime(start) ? Math.min(start, metric.time) : metric.time;
}

export function createSeriesStore(settings: SeriesSettings): SeriesStore {
  const all = new Map<string, Series>();
  const keys = new WeakMap<Process, string>();
  const {keyOf = processKey} = settings;
  let over = 0;
  let swept = 0;
  return {
    get size() {
      return all.size;
    },
    get over() {
      return over;
    },
    add(metric, point, now) {
      if (!isFinitePoint(point) || !isTime(metric.time)) return 'invalid';
      let owner = keys.get(metric.process);
      if (owner === undefined) {
        owner = keyOf(metric.process);
        keys.set(metric.process, owner);
      }
      const key = seriesKey(owner, point);
      const found = all.get(key);
      if (found !== undefined) {
        found.process = metric.process;
        found.seen = now;
        update(found, metric, point);
        return {series: found, isNew: false};
      }
      if (all.size >= settings.maxSeries) {
        over++;
        return 'over';
      }
      const {name, instrument, unit, about} = point;
      const series: Series = {
        point: {name, instrument, unit, about},
        attributes: point.attributes,
        process: metric.process,
        start: startOf(metric),
        time: metric.time,
        value: point.value,
        buckets: point.buckets && {...point.buckets, counts: [...point.buckets.counts]},
        seen: now,
      };
      all.set(key, series);
      return {series, isNew: true};
    },
    sweep(now, forget) {
      if (now - swept < SWEEP_MS) return;
      swept = now;
      for (const [key, series] of all) {
        const limit = series.process.endTime === undefined ? settings.idleMs : settings.endedMs;
        if (now - series.seen < limit) continue;
        all.delete(key);
        forget?.(series);
      }
    },
    values: () => all.values(),
  };
}
