// SPDX-License-Identifier: Apache-2.0
// The page and remote write: names, types, labels, limits, what is removed, and the listener's manners.
import {afterEach, expect, test} from 'vitest';
import type {PrometheusExporterConfig} from '../../../../src/config/types.js';
import {createExporter, type PrometheusExporter} from '../../../../src/exporters/prometheus/index.js';
import {familyName} from '../../../../src/exporters/prometheus/names.js';
import {encodeWrites} from '../../../../src/exporters/prometheus/remote-write.js';
import {parseListen} from '../../../../src/exporters/prometheus/server.js';
import type {RelayRecord} from '../../../../src/records/types.js';
import {createFakeClock} from '../../../helpers/clock.js';
import {makeContext, makeDelivery, NEVER} from '../../../helpers/delivery.js';
import {startHttpPeer} from '../../../helpers/http-peer.js';
import {makeMetric, makeProcess} from '../../../helpers/records.js';
import {serversOf} from '../../../helpers/servers.js';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
const clock = createFakeClock();

async function make(change: Partial<PrometheusExporterConfig> = {}): Promise<PrometheusExporter> {
  const exporter = createExporter(
    {
      ...makeDelivery(),
      type: 'prometheus',
      listen: '127.0.0.1:0',
      path: '/metrics',
      stale_after: 60_000,
      max_series: 1000,
      exemplars: false,
      prefix: '',
      names: 'semconv',
      ...change,
    },
    makeContext({clock}),
  );
  ends.push(() => exporter.stop());
  await exporter.start();
  return exporter;
}

async function page(exporter: PrometheusExporter, accept = 'text/plain'): Promise<string[]> {
  const answer = await fetch(`http://${exporter.address}/metrics`, {headers: {accept}});
  return (await answer.text()).split('\n').filter((line) => !line.includes('appscope_relay'));
}

const one = makeProcess({uuid: 'a'});
const net = (change: Partial<Parameters<typeof makeMetric>[0]> = {}) =>
  makeMetric({
    process: one,
    name: 'net.rx',
    unit: 'byte',
    value: 5,
    attributes: {class: 'inet_tcp'},
    ...change,
  });
const ids = 'proc="echo",pid="4242",host="vm"';

test('adds counters up under the names of the conventions', async () => {
  const exporter = await make({labels: {zone: 'a'}});
  await exporter.send(
    [net(), net(), makeMetric({process: one, name: 'proc.mem', type: 'gauge', value: 3})],
    NEVER,
  );
  const direction = 'network_io_direction="receive",network_transport="tcp"';
  expect(await page(exporter)).toEqual([
    '# HELP process_memory_usage_bytes Resident memory',
    '# TYPE process_memory_usage_bytes gauge',
    `process_memory_usage_bytes{${ids},zone="a"} 3072`,
    '# HELP process_network_io_bytes_total Bytes received and sent',
    '# TYPE process_network_io_bytes_total counter',
    `process_network_io_bytes_total{${ids},${direction},zone="a"} 10`,
    '',
  ]);
  const open = await page(exporter, 'application/openmetrics-text');
  expect(open).toContain('# TYPE process_network_io_bytes counter');
  expect(open.at(-2)).toBe('# EOF');
});

test('or under the names of AppScope', async () => {
  const exporter = await make({names: 'appscope', prefix: 'app.'});
  await exporter.send([net({process: makeProcess({tags: {team: 'a"\n\\'}})})], NEVER);
  expect(await page(exporter)).toContain(
    `app_net_rx_bytes_total{${ids},class="inet_tcp",team="a\\"\\n\\\\"} 5`,
  );
});

test('histograms are cumulative, exemplars only when asked for', async () => {
  const duration = makeMetric({
    process: one,
    name: 'http.duration.server',
    type: 'timer',
    buckets: {bounds: [10, 100], counts: [1, 2, 3], sum: 600, count: 6, min: 1, max: 300},
  });
  const span: RelayRecord = {
    kind: 'span',
    name: 'GET',
    role: 'server',
    traceId: 'a'.repeat(32),
    spanId: 'b'.repeat(16),
    startTime: 100,
    endTime: 100.05,
    attributes: {},
    error: false,
    process: one,
  };
  const plain = await make();
  expect(plain.accepts(span)).toBe(false);
  const exporter = await make({exemplars: true});
  await exporter.send([span, duration], NEVER);
  const name = 'http_server_request_duration_seconds';
  const lines = await page(exporter, 'application/openmetrics-text');
  expect(lines.filter((line) => line.startsWith(name))).toEqual([
    `${name}_bucket{${ids},le="0.01"} 1`,
    `${name}_bucket{${ids},le="0.1"} 3 # {trace_id="${'a'.repeat(32)}",span_id="${'b'.repeat(16)}"} 0.04999999999999716 100.050`,
    `${name}_bucket{${ids},le="+Inf"} 6`,
    `${name}_sum{${ids}} 0.6`,
    `${name}_count{${ids}} 6`,
  ]);
  expect((await page(exporter)).join('')).not.toContain('trace_id');
});

test('a process that ended leaves the page after a while, and its successor goes on', async () => {
  const exporter = await make();
  const ended = makeProcess({uuid: 'old', pid: 1, endTime: 5});
  await exporter.send([net({process: ended}), net()], NEVER);
  await clock.advance(50_000);
  await exporter.send([net({process: makeProcess({uuid: 'new'})})], NEVER);
  expect((await page(exporter)).join('\n')).toContain('pid="1"');
  await clock.advance(70_000);
  const text = (await page(exporter)).join('\n');
  expect(text).not.toContain('pid="1"');
  expect(text).toContain('} 10');
});

test('the number of series is limited, and the rest counted', async () => {
  const exporter = await make({max_series: 10});
  const batch = Array.from({length: 25}, (_, i) => net({attributes: {file: `/${i}`}}));
  expect(await exporter.send(batch, NEVER)).toMatchObject({
    rejected: 15,
    reason: 'more than 10 series (max_series)',
  });
  const text = await (await fetch(`http://${exporter.address}/metrics`)).text();
  expect(text).toContain('appscope_relay_series 10');
  expect(text).toContain('appscope_relay_series_refused_total 15');
});

test('answers only for its path and for reading', async () => {
  const exporter = await make();
  const ask = (path: string, method = 'GET') => fetch(`http://${exporter.address}${path}`, {method});
  expect((await ask('/')).status).toBe(404);
  expect((await ask('/metrics', 'POST')).status).toBe(405);
  expect((await ask('/metrics?x=y', 'HEAD')).status).toBe(200);
  const second = make({listen: exporter.address!});
  await expect(second).rejects.toThrow(`cannot listen on ${exporter.address}: `);
});

test('connections that could not be accepted do not end the relay', async () => {
  let exporter!: PrometheusExporter;
  const [server] = await serversOf(async () => {
    exporter = await make();
  });
  // Without a listener an error event throws here.
  for (let i = 0; i < 2; i++) server!.emit('error', new Error('accept EMFILE'));
  expect((await fetch(`http://${exporter.address}/healthz`)).status).toBe(200);
});

test('an address without a host is this host alone', () => {
  expect(parseListen(':9464')).toEqual({host: '127.0.0.1', port: 9464});
  expect(parseListen('[::1]:1')).toEqual({host: '::1', port: 1});
  expect(parseListen('0.0.0.0:1')).toEqual({host: '0.0.0.0', port: 1});
});

test('names follow the rules of Prometheus', () => {
  const name = (text: string, unit: string, instrument: 'counter' | 'gauge' = 'counter') =>
    familyName({name: text, unit, instrument}, '');
  expect(name('process.cpu.time', 's')).toBe('process_cpu_time_seconds');
  expect(name('process.cpu.utilization', '1', 'gauge')).toBe('process_cpu_utilization_ratio');
  expect(name('a.b_total', '{x}')).toBe('a_b');
  expect(name('9.ü', '1')).toBe('_9__');
});

test('remote write sends what changed, with times that grow', async () => {
  const peer = await startHttpPeer();
  ends.push(() => peer.close());
  const exporter = await make({
    remote_write: {url: `http://127.0.0.1:${peer.port}/write`, headers: {'x-scope': 'org'}},
  });
  const metric = net({time: 100});
  await exporter.send([metric], NEVER);
  await exporter.send([metric], NEVER);
  expect(peer.requests).toHaveLength(2);
  const [first, second] = peer.requests;
  expect(first!.headers).toMatchObject({'content-encoding': 'snappy', 'x-scope': 'org'});
  expect(first!.body.toString('latin1')).toContain('process_network_io_bytes_total');
  expect(first!.body.equals(second!.body)).toBe(false);
  peer.replies.push({status: 429, headers: {'retry-after': '2'}});
  expect(await exporter.send([metric], NEVER)).toMatchObject({outcome: 'retryable', afterMs: 2000});
  expect(encodeWrites([], [], {prefix: '', labels: {}, timeOf: () => 0})).toEqual([]);
});
