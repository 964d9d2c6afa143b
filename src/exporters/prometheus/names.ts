// SPDX-License-Identifier: Apache-2.0
/** Names, labels and numbers as Prometheus wants them. */
import type {Point} from '../../records/points.js';
import type {Attributes, AttributeValue, Process} from '../../records/types.js';

/** Words for units that the naming rules of OpenTelemetry's bridge put behind a name. */
const UNIT_WORDS: Record<string, string> = {
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  By: 'bytes',
  '%': 'percent',
  byte: 'bytes',
  kibibyte: 'kibibytes',
  millisecond: 'milliseconds',
  microsecond: 'microseconds',
  percent: 'percent',
};

function clean(text: string): string {
  const name = text.replace(/[^A-Za-z0-9_]/g, '_');
  return /^[0-9]/.test(name) || name === '' ? `_${name}` : name;
}

/** Name of a family; counters without their `_total`. */
export function familyName(point: Pick<Point, 'name' | 'unit' | 'instrument'>, prefix: string): string {
  let name = clean(prefix + point.name).replace(/_total$/, '');
  let word = UNIT_WORDS[point.unit];
  if (word === undefined && point.unit === '1' && point.instrument === 'gauge') word = 'ratio';
  if (word !== undefined && !name.endsWith(`_${word}`)) name += `_${word}`;
  return name;
}

function text(value: AttributeValue): string {
  return Array.isArray(value) ? value.join(',') : String(value);
}

/** Labels of a series, each name once: the process, then its tags, then the attributes, then fixed ones. */
export function labelsOf(
  process: Process,
  attributes: Attributes,
  fixed: Record<string, string>,
): [string, string][] {
  const labels = new Map<string, string>([
    ['proc', process.proc],
    ['pid', String(process.pid)],
    ['host', process.host],
  ]);
  const add = (name: string, value: AttributeValue): void => {
    const key = clean(name);
    // A leading double underscore is reserved, and the labels of buckets are not for others.
    const safe = key.startsWith('__') || key === 'le' ? `x${key}` : key;
    if (!labels.has(safe)) labels.set(safe, text(value));
  };
  if (process.containerId !== '') add('container_id', process.containerId);
  for (const name in attributes) add(name, attributes[name]!);
  for (const name in process.tags) add(name, process.tags[name]!);
  for (const name in fixed) add(name, fixed[name]!);
  return [...labels].filter(([, value]) => value !== '');
}

/** `a="x",b="y"` */
export function renderLabels(labels: readonly (readonly [string, string])[]): string {
  return labels
    .map(
      ([name, value]) =>
        `${name}="${value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`,
    )
    .join(',');
}

export function renderNumber(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  return Number.isNaN(value) ? 'NaN' : String(value);
}
