// SPDX-License-Identifier: Apache-2.0
/** From records of a process to what an OTLP destination gets: names and attributes of the conventions. */
import {availableParallelism} from 'node:os';
import {expect, it} from 'vitest';
import {COUNTER, REC} from '../../../src/channel/index.js';
import {createOtlpEncoder} from '../../../src/records/otlp/encoder.js';
import {makeExit, memoryChannel} from '../../helpers/channel-records.js';
import {makeConnOpen, makeHead, makePlain} from '../../helpers/protocol-records.js';
import {testRelay} from '../../helpers/relay.js';

const OTLP = `
exporters: {o: {type: otlp, endpoint: "http://127.0.0.1:4317"}}
routes: [{to: [o]}]`;

interface Point {
  name: string;
  attributes: Record<string, unknown>;
  count: number;
  sum: number;
}

interface Tree {
  resourceMetrics: {
    scopeMetrics: {
      metrics: {
        name: string;
        [kind: string]:
          | {
              dataPoints: {
                attributes: {key: string; value: object}[];
                count?: string;
                sum?: number;
                asDouble?: number;
              }[];
            }
          | string;
      }[];
    }[];
  }[];
}

/** The points of all metrics that the relay made. */
function exported(
  records: Buffer[],
  yaml = OTLP,
  counters: Partial<Record<keyof typeof COUNTER, number>> = {},
) {
  const relay = testRelay(yaml);
  const channel = relay.folder.add(memoryChannel(1));
  for (const [name, value] of Object.entries(counters))
    channel.counter[COUNTER[name as keyof typeof COUNTER]] = value;
  relay.folder.put(channel, ...records);
  relay.folder.end(channel);
  relay.run();
  const encoder = createOtlpEncoder({
    form: 'json',
    temporality: 'cumulative',
    maxBytes: 1 << 20,
    maxSeries: 1000,
    resource: {},
    version: '0',
  });
  const metrics = relay.records.filter((record) => record.kind === 'metric');
  const {requests, invalid} = encoder.encode(metrics, 0, 0);
  expect(invalid).toBe(0);
  expect(requests.reduce((sum, request) => sum + request.count, 0)).toBe(metrics.length);
  const points: Point[] = [];
  for (const {bytes} of requests) {
    const tree = JSON.parse(bytes.toString()) as Tree;
    for (const metric of tree.resourceMetrics.flatMap((one) =>
      one.scopeMetrics.flatMap((scope) => scope.metrics),
    )) {
      for (const kind of Object.values(metric)) {
        if (typeof kind === 'string') continue;
        for (const point of kind.dataPoints) {
          const attributes = Object.fromEntries(
            point.attributes.map(({key, value}) => [key, Object.values(value)[0] as unknown]),
          );
          points.push({
            name: metric.name,
            attributes,
            count: Number(point.count ?? 0),
            sum: point.sum ?? point.asDouble ?? 0,
          });
        }
      }
    }
  }
  return (name: string) => points.filter((point) => point.name === name);
}

const head = (method: string, target: string, more = '') =>
  `${method} ${target} HTTP/1.1\r\nHost: shop.example:8080\r\n${more}\r\n`;
const answer = (status: number, length = 0) => `HTTP/1.1 ${status} X\r\nContent-Length: ${length}\r\n\r\n`;

function exchanges(role: 'server' | 'client', heads: [string, string][]): Buffer[] {
  return [
    makeConnOpen(),
    ...heads.flatMap(([request, response], i) => [
      makeHead(request, {role, tx: role === 'client', tsc: i * 10_000_000 + 1_000_000}),
      makeHead(response, {role, tx: role === 'server', tsc: i * 10_000_000 + 3_000_000}),
    ]),
  ];
}

it('HTTP of a server: method, scheme, status, template and its own end of the connection', () => {
  const of = exported(
    exchanges('server', [
      [head('GET', '/users/17?q=1'), answer(200, 5000)],
      [head('GET', '/users/18'), answer(200, 7)],
      [head('POST', '/users/19', 'Content-Length: 30\r\n'), answer(500)],
      [head('BREW', '/pot'), answer(418)],
    ]),
  );
  const common = {
    'url.scheme': 'http',
    'network.protocol.name': 'http',
    'network.protocol.version': '1.1',
    'server.address': '127.0.0.1',
    'server.port': 36706,
  };
  const users = {...common, 'url.template': '/users/{n}'};
  const durations = of('http.server.request.duration');
  expect(durations.map(({attributes}) => attributes)).toEqual([
    {...users, 'http.request.method': 'GET', 'http.response.status_code': 200},
    {...users, 'http.request.method': 'POST', 'http.response.status_code': 500, 'error.type': '500'},
    {...common, 'url.template': '/pot', 'http.request.method': '_OTHER', 'http.response.status_code': 418},
  ]);
  expect(durations.map(({count}) => count)).toEqual([2, 1, 1]);
  expect(durations[0]!.sum).toBeCloseTo(0.004);
  expect(of('http.client.request.duration')).toEqual([]);
  expect(of('http.server.request.body.size')).toMatchObject([{count: 1, sum: 30}]);
  expect(of('http.server.response.body.size')).toMatchObject([{count: 2, sum: 5007}]);
});

it('HTTP of a client: whom it asked, and 4xx as failures', () => {
  const of = exported(exchanges('client', [[head('GET', '/a'), answer(404)]]));
  expect(of('http.client.request.duration')).toMatchObject([
    {
      count: 1,
      attributes: {
        'http.request.method': 'GET',
        'server.address': 'shop.example',
        'server.port': 8080,
        'error.type': '404',
        'url.template': '/a',
      },
    },
  ]);
});

it('HTTP stays bounded whatever a client sends', () => {
  const many = Array.from({length: 300}, (_, i): [string, string] => [head('GET', '/a'), answer(200 + i)]);
  const durations = exported(exchanges('server', many))('http.server.request.duration');
  expect(durations).toHaveLength(65);
  expect(durations.reduce((sum, point) => sum + point.count, 0)).toBe(300);
  expect(durations.at(-1)!.attributes).toMatchObject({'otel.metric.overflow': true});
});

it('lookups by name, failures with the error', () => {
  const of = exported([
    makePlain(REC.RESOLVE, 'good.example', {ret: 0, ticks: 2_000_000, tsc: 5_000_000, tid: 1}),
    makePlain(REC.RESOLVE, 'bad.example', {ret: -2, ticks: 3_000_000, tsc: 9_000_000, tid: 1}),
  ]);
  expect(of('dns.lookup.duration')).toMatchObject([
    {count: 1, sum: 0.002, attributes: {'dns.question.name': 'good.example'}},
    {count: 1, sum: 0.003, attributes: {'dns.question.name': 'bad.example', 'error.type': 'host_not_found'}},
  ]);
});

it('processor time by mode, utilization of all processors, memory, reads and writes apart', () => {
  const of = exported(
    [makeExit({utime_us: 3_000_000, stime_us: 1_000_000, rss_kib: 10, vm_kib: 20}, {tsc: 2_500_000_000})],
    OTLP,
    {
      FS_READ_BYTES: 500,
      FS_READ_OPS: 2,
      FS_READ_TICKS: 4000,
      FS_WRITE_OPS: 1,
      FS_WRITE_TICKS: 9000,
    },
  );
  expect(of('process.cpu.time')).toMatchObject([
    {sum: 3, attributes: {'cpu.mode': 'user'}},
    {sum: 1, attributes: {'cpu.mode': 'system'}},
  ]);
  const [user, system] = of('process.cpu.utilization');
  expect(user!.sum).toBeCloseTo(1.5 / availableParallelism());
  expect(system!.sum).toBeCloseTo(0.5 / availableParallelism());
  expect(of('process.memory.usage')).toMatchObject([{sum: 10_240, attributes: {}}]);
  expect(of('process.memory.virtual')).toMatchObject([{sum: 20_480, attributes: {}}]);
  expect(of('appscope.file.io')).toMatchObject([{sum: 500, attributes: {'disk.io.direction': 'read'}}]);
  expect(of('appscope.file.operations')).toMatchObject([
    {sum: 2, attributes: {'appscope.file.operation': 'read'}},
  ]);
  expect(of('appscope.file.operation.duration')).toMatchObject([
    {count: 2, sum: 4e-6, attributes: {'appscope.file.operation': 'read'}},
    {count: 1, sum: 9e-6, attributes: {'appscope.file.operation': 'write'}},
  ]);
});

it('nothing is told apart when no destination uses the conventions', () => {
  const relay = testRelay();
  const channel = relay.folder.add(memoryChannel(1));
  relay.folder.put(channel, ...exchanges('server', [[head('GET', '/a'), answer(200, 5)]]));
  relay.folder.end(channel);
  relay.run();
  expect(relay.metrics('http.duration.server')).toHaveLength(1);
  expect(relay.metrics('http.duration.server')[0]!.parts).toBeUndefined();
});
