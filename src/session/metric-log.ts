// SPDX-License-Identifier: Apache-2.0
/** Reads metrics.json. */
import {closeSync, fstatSync, openSync} from 'node:fs';
import {join} from 'node:path';
import {readCommit} from './commit.js';
import {scanLines} from './event-log.js';
import {FILES, INDEX_FILES} from './layout.js';

/** `body` of a metric line. */
export interface MetricLine {
  _metric: string;
  _metric_type: string;
  _value: number | string;
  _time: number;
  unit?: string;
  pid?: number;
  [field: string]: unknown;
}

/**
 * The metrics of the session, oldest first; none when there is no file. Lines that are no metrics are passed over, and
 * those whose name is not wanted are not even parsed.
 */
export function readMetrics(workdir: string, wanted?: (name: string) => boolean): MetricLine[] {
  const metrics: MetricLine[] = [];
  tailMetrics(workdir, 0, (m) => metrics.push(m), wanted);
  return metrics;
}

/** Calls `take` for each metric from byte `from`; returns where to go on. */
export function tailMetrics(
  workdir: string,
  from: number,
  take: (metric: MetricLine) => void,
  wanted?: (name: string) => boolean,
): number {
  let fd: number;
  try {
    fd = openSync(join(workdir, FILES.metrics), 'r');
  } catch {
    return from;
  }
  try {
    const committed = readCommit(join(workdir, FILES.index, INDEX_FILES.commit))?.metrics;
    return scanLines(fd, from, committed ?? fstatSync(fd).size, (line) => {
      if (wanted && !wanted(nameOf(line))) return;
      const metric = parse(line);
      if (metric) take(metric);
    });
  } finally {
    closeSync(fd);
  }
}

const NAME = '"_metric":"';

/** Name of the metric, from the text alone. */
function nameOf(line: Buffer): string {
  const at = line.indexOf(NAME);
  if (at < 0) return '';
  const begin = at + NAME.length;
  const end = line.indexOf(0x22, begin);
  return line.toString('utf8', begin, end < 0 ? begin : end);
}

function parse(line: Buffer): MetricLine | undefined {
  try {
    const object = JSON.parse(line.toString('utf8')) as {
      type?: string;
      body?: MetricLine;
    } & Partial<MetricLine>;
    const body = object.body ?? (object as MetricLine);
    return typeof body._metric === 'string' ? body : undefined;
  } catch {
    return undefined;
  }
}
