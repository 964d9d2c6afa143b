// SPDX-License-Identifier: Apache-2.0
/** docs/metrics.md and docs/events.md say what the tables of the code say. */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, it} from 'vitest';
import {EVENTS, METRICS} from '../../../src/records/names.js';
import {CONVENTIONS} from '../../../src/records/semconv.js';

/** Cells of the table that begins with this header. */
function table(page: string, header: string): string[][] {
  const lines = readFileSync(join(import.meta.dirname, '../../../docs', page), 'utf8').split('\n');
  const start = lines.findIndex((line) => line.startsWith(header));
  expect(start).toBeGreaterThan(0);
  const rows: string[][] = [];
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break;
    rows.push(
      line
        .slice(2, -2)
        .split(' | ')
        .map((cell) => cell.trim()),
    );
  }
  return rows;
}

it('docs/metrics.md lists every metric with type, unit, meaning and verbosity', () => {
  const from = (single: number) => (single === 0 ? 'sample' : single === 10 ? 'never' : String(single));
  expect(table('metrics.md', '| name | type |')).toEqual(
    METRICS.map((metric) => [metric.name, metric.type, metric.unit, metric.about, from(metric.single)]),
  );
});

it('docs/metrics.md lists the fields of every metric', () => {
  const list = (names: readonly string[], shown: boolean) => (shown ? names.join(', ') : '');
  expect(table('metrics.md', '| name | fields of a sum')).toEqual(
    METRICS.map(({name, single, sum, fields}) => [
      name,
      list(sum, single !== 0),
      list(fields, single !== 10),
    ]),
  );
});

it('docs/events.md lists every event with its data', () => {
  const source = (event: (typeof EVENTS)[number]) =>
    event.source ?? (event.sourcetype === 'console' ? '`stdout`, `stderr`' : 'the path');
  expect(table('events.md', '| sourcetype | source |')).toEqual(
    EVENTS.map((event) => [event.sourcetype, source(event), event.about, event.data.join(', ') || 'a text']),
  );
});

it('every metric has a row in the table of OpenTelemetry names', () => {
  const sizes = ['client', 'server'].flatMap((role) => [
    `http.${role}.request.size`,
    `http.${role}.response.size`,
  ]);
  const parts = [...sizes, 'proc.mem.virtual', 'fs.read.ops', 'fs.write.ops'];
  expect([...CONVENTIONS.keys()].sort()).toEqual([...METRICS.map((metric) => metric.name), ...parts].sort());
});
