// SPDX-License-Identifier: Apache-2.0
/** What AppScope 1.x wrote, read into records and written again: the same bytes, times aside. */
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, it} from 'vitest';
import {lineOf} from '../../../src/records/ndjson.js';
import type {Attributes, MetricType, Process, RelayRecord, SourceType} from '../../../src/records/types.js';
import {problemsOf} from '../../helpers/schemas.js';

const GOLDEN = join(import.meta.dirname, '../../fixtures/golden');

interface Wire {
  type?: string;
  id: string;
  _channel: string;
  body: Record<string, unknown> & {_time: number};
  info?: {process: Record<string, unknown>; configuration: Record<string, unknown>};
}

function processOf(fields: Record<string, unknown>, id: string): Process {
  const {proc, pid, host, cmd} = fields;
  return {proc, pid, host, cmd, id, tags: {}, env: {}} as unknown as Process;
}

const BUILT_IN = new Set([
  '_metric',
  '_metric_type',
  '_value',
  '_time',
  'proc',
  'pid',
  'host',
  'unit',
  'summary',
]);

function recordOf(line: Wire): RelayRecord {
  const {body} = line;
  if (line.info !== undefined) {
    const {hostname, procname, cgroup, machine_id, ...rest} = line.info.process;
    const process = {
      ...rest,
      host: hostname,
      proc: procname,
      cgroup,
      machineId: machine_id,
      tags: {},
      env: {},
    };
    return {
      kind: 'start',
      time: 0,
      process: process as unknown as Process,
      configuration: line.info.configuration,
    };
  }
  if (line.type === 'metric') {
    const attributes = Object.entries(body).filter(([name]) => !BUILT_IN.has(name));
    return {
      kind: 'metric',
      name: body._metric as string,
      type: body._metric_type as MetricType,
      unit: body.unit as string,
      value: body._value as number,
      attributes: Object.fromEntries(attributes) as Attributes,
      summary: body.summary === 'true',
      time: body._time,
      process: processOf(body, ''),
    };
  }
  return {
    kind: 'event',
    sourcetype: body.sourcetype as SourceType,
    source: body.source as string,
    time: body._time,
    channel: line._channel,
    data: body.data as Record<string, unknown>,
    process: processOf(body, line.id),
  };
}

/** Times are written with six digits of a fraction, and ours name our own release. */
const comparable = (line: string): string =>
  line
    .replace(/"_time":(\d+\.\d+)/, (_all, time: string) => `"_time":${Math.round(Number(time) * 1e6)}`)
    .replace(/"libscopever":"[^"]*"/, '"libscopever":""');

describe('lines of AppScope 1.x', () => {
  for (const program of readdirSync(GOLDEN)) {
    for (const file of ['events.json', 'metrics.json']) {
      it(`of ${program}/${file} are written the same`, () => {
        const lines = readFileSync(join(GOLDEN, program, file), 'utf8')
          .split('\n')
          .filter(Boolean);
        for (const line of lines) {
          const again = lineOf(recordOf(JSON.parse(line) as Wire)).trimEnd();
          expect(comparable(again)).toBe(comparable(line));
        }
      });

      it(`of ${program}/${file} keep the schemas`, () => {
        const lines = readFileSync(join(GOLDEN, program, file), 'utf8')
          .split('\n')
          .filter(Boolean);
        expect(lines.flatMap(problemsOf)).toEqual([]);
      });
    }
  }
});
