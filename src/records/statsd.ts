// SPDX-License-Identifier: Apache-2.0
/** StatsD lines of metrics: AppScope's own form (DogStatsD tags) and a plain form with tags in the name. */
import {fieldLevel} from './field-levels.js';
import {metricName} from './names.js';
import {metricFields} from './ndjson.js';
import type {Metric, MetricType} from './types.js';

export interface StatsdOptions {
  /** With its final dot, or empty. */
  prefix: string;
  /** `plain`: `name.tag.value`. */
  dialect: 'dogstatsd' | 'plain';
  /** Longest line with its newline, bytes; tags that do not fit are left out. */
  maxLength: number;
  /** Tags of a higher cardinality are left out. */
  verbosity: number;
}

const TYPES: Record<MetricType, string> = {counter: 'c', gauge: 'g', timer: 'ms', histogram: 'h', set: 's'};
/** What would end a name, a value or a line. */
const UNSAFE_NAME = /[:|@#\s]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is to be replaced
const UNSAFE_TAG = /[|,#\u0000-\u001f]/g;
const UNSAFE_PLAIN = /[^A-Za-z0-9_-]/g;

/** `app` and `app.` are the same prefix. */
export function statsdPrefix(prefix: string): string {
  return prefix === '' || prefix.endsWith('.') ? prefix : `${prefix}.`;
}

/** Whole numbers as they are, others with two digits as the original does. */
function number(value: number): string {
  return Number.isInteger(value) ? BigInt(value).toString() : value.toFixed(2);
}

function shown(metric: Metric, name: string, verbosity: number): boolean {
  if (name in metric.process.tags) return true;
  // Dimensions of the application's own metrics are always shown.
  if (name in metric.attributes && metricName(metric.name) === undefined) return true;
  return fieldLevel(name, metric.name) <= verbosity;
}

function* tags(metric: Metric, verbosity: number): Generator<[string, string]> {
  for (const [name, value] of metricFields(metric)) {
    if (!shown(metric, name, verbosity)) continue;
    const text = Array.isArray(value) ? value.join('_') : String(value);
    yield [name, name === 'args' ? encodeURIComponent(Buffer.from(text).toString()) : text];
  }
}

/** A line in parts: lines of one series differ only in their value. */
export interface StatsdParts {
  /** `name:` */
  head: string;
  value: number;
  /** `|c|#tags` and the newline. */
  tail: string;
}

/** One line with its newline; undefined when the value is no number or the line without tags is too long. */
export function statsdLine(metric: Metric, options: StatsdOptions): string | undefined {
  const parts = statsdParts(metric, options);
  return parts && joinStatsd(parts);
}

export function joinStatsd({head, value, tail}: StatsdParts): string {
  return head + number(value) + tail;
}

/** As statsdLine. */
export function statsdParts(metric: Metric, options: StatsdOptions): StatsdParts | undefined {
  if (!Number.isFinite(metric.value)) return undefined;
  const plain = options.dialect === 'plain';
  const type = plain && metric.type === 'histogram' ? 'ms' : TYPES[metric.type];
  let name = options.prefix + metric.name.replace(UNSAFE_NAME, '_');
  let length = Buffer.byteLength(name) + number(metric.value).length + type.length + 3;
  if (length > options.maxLength) return undefined;
  let text = '';
  for (const [key, value] of tags(metric, options.verbosity)) {
    const tag = plain
      ? `.${key.replace(UNSAFE_PLAIN, '_')}.${value.replace(UNSAFE_PLAIN, '_')}`
      : `${text === '' ? '|#' : ','}${key.replace(UNSAFE_NAME, '_')}:${value.replace(UNSAFE_TAG, '_')}`;
    const bytes = Buffer.byteLength(tag);
    if (length + bytes > options.maxLength) continue;
    length += bytes;
    if (plain) name += tag;
    else text += tag;
  }
  return {head: `${name}:`, value: metric.value, tail: `|${type}${text}\n`};
}
