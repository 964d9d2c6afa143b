// SPDX-License-Identifier: Apache-2.0
/** The page that is scraped: families with their series, in Prometheus' text form or OpenMetrics. */
import type {Series} from '../../records/series.js';
import {familyName, labelsOf, renderLabels, renderNumber} from './names.js';

export interface Exemplar {
  traceId: string;
  spanId: string;
  /** Seconds. */
  value: number;
  time: number;
}

export interface PageSettings {
  prefix: string;
  labels: Record<string, string>;
  openMetrics: boolean;
  /** Exemplar of a histogram series; undefined: none. */
  exemplar?: (series: Series) => Exemplar | undefined;
}

const TYPES = {counter: 'counter', updowncounter: 'gauge', gauge: 'gauge', histogram: 'histogram'} as const;

interface Family {
  name: string;
  type: (typeof TYPES)[keyof typeof TYPES];
  help: string;
  series: Series[];
}

/** Families by name. A series whose type differs from that of its family is left out: the page would not be valid. */
function familiesOf(all: Iterable<Series>, prefix: string): Family[] {
  const families = new Map<string, Family>();
  for (const series of all) {
    const {point} = series;
    const name = familyName(point, prefix);
    const type = TYPES[point.instrument];
    const found = families.get(name);
    if (found === undefined) families.set(name, {name, type, help: point.about, series: [series]});
    else if (found.type === type) found.series.push(series);
  }
  return [...families.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function exemplarText(exemplar: Exemplar): string {
  const {traceId, spanId, value, time} = exemplar;
  return ` # {trace_id="${traceId}",span_id="${spanId}"} ${renderNumber(value)} ${time.toFixed(3)}`;
}

function histogramLines(name: string, labels: string, series: Series, settings: PageSettings): string {
  const buckets = series.buckets!;
  const separator = labels === '' ? '' : ',';
  const exemplar = settings.openMetrics ? settings.exemplar?.(series) : undefined;
  let placed = exemplar === undefined;
  let sum = 0;
  let out = '';
  buckets.counts.forEach((count, i) => {
    sum += count;
    const bound = buckets.bounds[i] ?? Infinity;
    out += `${name}_bucket{${labels}${separator}le="${renderNumber(bound)}"} ${sum}`;
    if (!placed && exemplar!.value <= bound) {
      out += exemplarText(exemplar!);
      placed = true;
    }
    out += '\n';
  });
  return `${out}${name}_sum{${labels}} ${renderNumber(buckets.sum)}\n${name}_count{${labels}} ${sum}\n`;
}

/** The whole page. `own`: lines about this exporter, put at the end. */
export function renderPage(all: Iterable<Series>, settings: PageSettings, own: OwnMetric[]): string {
  const parts: string[] = [];
  for (const {name, type, help, series} of familiesOf(all, settings.prefix)) {
    // OpenMetrics names the family, the older form the sample.
    const head = type === 'counter' && !settings.openMetrics ? `${name}_total` : name;
    if (help !== '') parts.push(`# HELP ${head} ${help}\n`);
    parts.push(`# TYPE ${head} ${type}\n`);
    for (const one of series) {
      const labels = renderLabels(labelsOf(one.process, one.attributes, settings.labels));
      if (type === 'histogram') parts.push(histogramLines(name, labels, one, settings));
      else parts.push(`${name}${type === 'counter' ? '_total' : ''}{${labels}} ${renderNumber(one.value)}\n`);
    }
  }
  for (const {name, help, type, value} of own) {
    const head = type === 'counter' && !settings.openMetrics ? `${name}_total` : name;
    parts.push(`# HELP ${head} ${help}\n# TYPE ${head} ${type}\n`);
    parts.push(`${name}${type === 'counter' ? '_total' : ''} ${value}\n`);
  }
  if (settings.openMetrics) parts.push('# EOF\n');
  return parts.join('');
}

export interface OwnMetric {
  name: string;
  help: string;
  type: 'counter' | 'gauge';
  value: number;
}
