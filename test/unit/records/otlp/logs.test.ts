// SPDX-License-Identifier: Apache-2.0
// The fast writer of log records against the plain one, and records written ahead.
import {expect, test} from 'vitest';
import {Renderer} from '../../../../src/delivery/render.js';
import {createOtlpEncoder} from '../../../../src/records/otlp/encoder.js';
import {writeLogRecord} from '../../../../src/records/otlp/logs.js';
import {ProtoWriter} from '../../../../src/records/otlp/proto.js';
import type {Item} from '../../../../src/records/rendered.js';
import type {RelayRecord} from '../../../../src/records/types.js';
import {decodeOtlp, flatten} from '../../../helpers/otlp.js';
import {makeEvent, makeProcess} from '../../../helpers/records.js';

const OBSERVED = 1_795_375_600;

interface Log {
  timeUnixNano: string;
  observedTimeUnixNano: string;
  eventName?: string;
  body?: {stringValue: string};
  attributes: unknown;
}
type Logs = {resourceLogs: {resource: unknown; scopeLogs: {logRecords: Log[]}[]}[]};

function encoder(form: 'protobuf' | 'json', maxBytes = 3 << 20) {
  return createOtlpEncoder({
    form,
    temporality: 'delta',
    maxBytes,
    maxSeries: 10,
    resource: {},
    version: '2.0.0',
  });
}

function rendered(records: RelayRecord[]): Item[] {
  const out = new ProtoWriter(0);
  const write = (record: RelayRecord) =>
    record.kind === 'event' ? writeLogRecord(out, record, OBSERVED) : undefined;
  const renderer = new Renderer({out, write}, {maxRecords: 1e6, maxBytes: 1e9});
  for (const record of records) renderer.add(record);
  return renderer.take().items;
}

const shown = ({timeUnixNano, observedTimeUnixNano, eventName, body, attributes}: Log) => ({
  time: [String(timeUnixNano), String(observedTimeUnixNano)],
  eventName: eventName ?? '',
  body: body?.stringValue,
  attributes: flatten(attributes),
});

function logsOf(items: readonly Item[], form: 'protobuf' | 'json', maxBytes?: number) {
  const {requests} = encoder(form, maxBytes).encode(items, 0, OBSERVED * 1000);
  const trees = requests.map(
    ({bytes}) =>
      (form === 'json' ? JSON.parse(bytes.toString()) : decodeOtlp('logs', bytes)) as unknown as Logs,
  );
  const logs = trees.flatMap(({resourceLogs}) =>
    resourceLogs.flatMap(({scopeLogs}) => scopeLogs.flatMap(({logRecords}) => logRecords)),
  );
  return {requests, logs: logs.map(shown)};
}

/** Values that stay, vary, come back, are of another type, have characters outside ASCII, and keys in changing order. */
function events(count: number): RelayRecord[] {
  const process = makeProcess({});
  return Array.from({length: count}, (_, n) => {
    const data: Record<string, unknown> = {
      file: `/tmp/${n % 5 === 0 ? 'ü' : ''}${n % 3}`,
      proc_uid: 1000,
      file_read_bytes: n % 4 === 0 ? 0 : n,
      duration: n % 2 === 0 ? n / 8 : -n,
      proc_cgroup: n % 50 === 0 ? n : '/user.slice',
      long: 'x'.repeat(n % 200),
      op: n % 7 === 0 ? 'close' : 'open',
      flag: n % 2 === 0,
      list: ['a', n],
    };
    if (n % 11 === 0) delete data.proc_uid;
    const ordered = n % 13 === 0 ? Object.fromEntries(Object.entries(data).reverse()) : data;
    const source = n % 2 === 0 ? 'fs.open' : 'fs.close';
    return makeEvent({
      process,
      sourcetype: 'fs',
      source,
      time: OBSERVED + n / 1e3,
      channel: String(n),
      data: ordered,
    });
  });
}

test('what is written fast is what is written plainly', () => {
  const batch = events(700);
  const plain = logsOf(batch, 'json').logs;
  expect(logsOf(batch, 'protobuf').logs).toEqual(plain);
  expect(logsOf(rendered(batch), 'protobuf').logs).toEqual(plain);
});

test('records written ahead are spread over requests below the limit, in order', () => {
  const batch = events(700);
  const {requests, logs} = logsOf(rendered(batch), 'protobuf', 20_000);
  expect(requests.length).toBeGreaterThan(5);
  for (const {bytes} of requests) expect(bytes.length).toBeLessThanOrEqual(20_000 + 1000);
  expect(requests.reduce((sum, {count}) => sum + count, 0)).toBe(700);
  expect(logs).toEqual(logsOf(batch, 'json').logs);
});
