// SPDX-License-Identifier: Apache-2.0
// Records as OTLP, read back by protobufjs: names, temporality, histograms, resources, sizes, hostile values.
import {expect, test} from 'vitest';
import {createOtlpEncoder, type OtlpSettings} from '../../../../src/records/otlp/encoder.js';
import {CONVENTIONS} from '../../../../src/records/semconv.js';
import type {RelayRecord, Span} from '../../../../src/records/types.js';
import {decodeOtlp, flatten} from '../../../helpers/otlp.js';
import {makeEvent, makeMetric, makeProcess} from '../../../helpers/records.js';

function make(change: Partial<OtlpSettings> = {}) {
  return createOtlpEncoder({
    form: 'protobuf',
    temporality: 'cumulative',
    maxBytes: 3 << 20,
    maxSeries: 1000,
    resource: {},
    version: '2.0.0',
    ...change,
  });
}

interface Tree {
  resource: {attributes: unknown};
  schemaUrl: string;
  scopeMetrics: {scope: {name: string; version: string}; schemaUrl: string; metrics: Item[]}[];
  scopeLogs: {logRecords: Item[]}[];
  scopeSpans: {spans: Item[]}[];
}
type Item = Record<string, never> & {
  name: string;
  attributes: unknown;
  sum?: {dataPoints: Item[]; aggregationTemporality: number; isMonotonic?: boolean};
  gauge?: {dataPoints: Item[]};
  histogram?: {dataPoints: Item[]; aggregationTemporality: number};
};

function encode(
  encoder: ReturnType<typeof make>,
  batch: RelayRecord[],
  form: 'protobuf' | 'json' = 'protobuf',
) {
  const {requests, invalid} = encoder.encode(batch, 0, 1_795_375_600_000);
  const trees = requests.map(
    ({signal, bytes}) =>
      (form === 'json' ? JSON.parse(bytes.toString()) : decodeOtlp(signal, bytes)) as unknown as Record<
        string,
        Tree[]
      >,
  );
  return {requests, invalid, trees: trees.flatMap((tree) => Object.values(tree)[0]!)};
}
const metricsOf = (trees: Tree[]) => trees.flatMap((tree) => tree.scopeMetrics[0]!.metrics);

test('every metric of ours goes out under the name, unit and scale of its convention', () => {
  for (const convention of CONVENTIONS.values()) {
    const type =
      convention.instrument === 'histogram'
        ? 'timer'
        : convention.instrument === 'counter'
          ? 'counter'
          : 'gauge';
    const {trees} = encode(make(), [makeMetric({name: convention.metric, type, value: 3})]);
    const [metric] = metricsOf(trees);
    expect(metric).toMatchObject({
      name: convention.name,
      unit: convention.unit,
      description: convention.about,
    });
    const body = metric!.sum ?? metric!.gauge ?? metric!.histogram;
    const point = body!.dataPoints[0]!;
    if (convention.instrument !== 'histogram')
      expect(point).toMatchObject({asDouble: expect.closeTo(3 * convention.scale, 12)});
    expect(flatten(point.attributes)).toEqual(convention.attributes);
    expect(metric!.sum?.isMonotonic ?? false).toBe(convention.instrument === 'counter');
  }
});

test('cumulative sums grow from one start, deltas stand alone', () => {
  const process = makeProcess({uuid: 'a'});
  const metric = makeMetric({process, value: 2, startTime: 1_795_375_570});
  const later = {...metric, value: 5, time: metric.time + 10, startTime: metric.time};
  const cumulative = make();
  encode(cumulative, [metric]);
  const sum = metricsOf(encode(cumulative, [later, later]).trees)[0]!.sum!;
  expect(sum).toMatchObject({aggregationTemporality: 2, isMonotonic: true});
  expect(sum.dataPoints).toHaveLength(1);
  expect(sum.dataPoints[0]).toMatchObject({
    asDouble: 12,
    startTimeUnixNano: '1795375570000000000',
    timeUnixNano: '1795375588500000000',
  });
  const delta = metricsOf(encode(make({temporality: 'delta'}), [metric, later]).trees)[0]!.sum!;
  expect(delta.aggregationTemporality).toBe(1);
  expect(delta.dataPoints.map((point) => point.asDouble)).toEqual([2, 5]);
  expect(delta.dataPoints[1]).toMatchObject({startTimeUnixNano: '1795375578500000000'});
});

test('durations become histograms in seconds, added up bucket by bucket', () => {
  const buckets = {bounds: [1, 5, 10], counts: [1, 0, 2, 0], sum: 20, count: 3, min: 0.5, max: 9};
  const metric = makeMetric({
    name: 'http.duration.server',
    type: 'timer',
    unit: 'millisecond',
    value: 20,
    buckets,
  });
  const encoder = make();
  encode(encoder, [metric]);
  const [out] = metricsOf(encode(encoder, [metric]).trees);
  const point = out!.histogram!.dataPoints[0]!;
  expect(point).toMatchObject({
    count: '6',
    sum: 0.04,
    bucketCounts: ['2', '0', '4', '0'],
    explicitBounds: [0.001, 0.005, 0.01],
    min: 0.0005,
    max: 0.009,
  });
  // Without buckets: numops operations of the mean, on the bounds that the conventions advise.
  const plain = makeMetric({
    name: 'net.duration',
    type: 'timer',
    unit: 'millisecond',
    value: 60,
    attributes: {numops: 4},
  });
  const plainPoint = metricsOf(encode(make(), [plain]).trees)[0]!.histogram!.dataPoints[0]!;
  expect(plainPoint).toMatchObject({count: '4', sum: 0.24, min: 0.06});
  expect((plainPoint.explicitBounds as unknown as number[]).length).toBe(14);
});

test('a process in a pid namespace has the pid of the host, and its own beside', () => {
  const pids = (change: object) => {
    const {trees} = encode(make(), [makeMetric({process: makeProcess({pid: 1, ...change})})]);
    const {'process.pid': pid, 'process.vpid': vpid} = flatten(trees[0]!.resource.attributes);
    return [pid, vpid];
  };
  expect(pids({hostPid: 4242})).toEqual([4242, 1]);
  expect(pids({hostPid: 1})).toEqual([1, undefined]);
  expect(pids({hostPid: 0})).toEqual([1, undefined]);
});

test('the resource says who the process is; its OTEL_ variables win', () => {
  const process = makeProcess({
    uuid: 'u-1',
    containerId: 'c'.repeat(64),
    runtime: 'go1.22.1',
    tags: {team: 'blue', 'service.name': 'by-tag'},
    env: {
      OTEL_SERVICE_NAME: 'shop',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=other,deployment.environment=pro%20d,broken,=x,host.name=own',
      KUBERNETES_SERVICE_HOST: '10.0.0.1',
      POD_NAMESPACE: 'ns',
    },
  });
  const {trees} = encode(make({resource: {region: 'eu', 'host.name': 'configured'}}), [
    makeMetric({process}),
  ]);
  expect(trees[0]!.schemaUrl).toBe('https://opentelemetry.io/schemas/1.44.0');
  expect(flatten(trees[0]!.resource.attributes)).toMatchObject({
    'service.name': 'shop',
    'service.instance.id': 'u-1',
    'deployment.environment': 'pro d',
    'host.name': 'own',
    region: 'eu',
    team: 'blue',
    'container.id': 'c'.repeat(64),
    'process.pid': 4242,
    'process.creation.time': '2026-11-22T19:26:18.000Z',
    'process.executable.name': 'echo',
    'process.runtime.name': 'go',
    'process.runtime.version': '1.22.1',
    'k8s.pod.name': 'vm',
    'k8s.namespace.name': 'ns',
    'telemetry.distro.name': 'appscope',
    'os.type': 'linux',
  });
  const plain = flatten(encode(make(), [makeMetric()]).trees[0]!.resource.attributes);
  expect(plain['service.name']).toBe('unknown_service:echo');
});

test('many processes share a request, and no request is above the limit', () => {
  const batch: RelayRecord[] = [];
  for (let p = 0; p < 100; p++) {
    const process = makeProcess({uuid: `u${p}`, pid: p, key: p});
    for (let i = 0; i < 20; i++) {
      batch.push(makeMetric({process, name: 'fs.read', attributes: {file: `/f${i}`}}));
      batch.push(makeEvent({process, data: {message: 'x'.repeat(200)}}));
    }
  }
  for (const form of ['protobuf', 'json'] as const) {
    const one = encode(make({form}), batch, form);
    expect(one.requests.map(({signal, count}) => [signal, count])).toEqual([
      ['metrics', 2000],
      ['logs', 2000],
    ]);
    expect(one.trees).toHaveLength(200);
    const many = encode(make({form, maxBytes: 50_000}), batch, form);
    expect(many.requests.length).toBeGreaterThan(10);
    expect(Math.max(...many.requests.map(({bytes}) => bytes.length))).toBeLessThan(51_000);
    expect(many.requests.reduce((sum, {count}) => sum + count, 0)).toBe(4000);
  }
});

test('lines of text are bodies; what happened is an event with attributes', () => {
  const batch = [
    makeEvent({sourcetype: 'console', source: 'stderr', channel: '9', data: {message: 'oh\n'}}),
    makeEvent({sourcetype: 'file', source: '/var/log/a.log', channel: 'none', data: {message: 'line'}}),
    makeEvent({
      sourcetype: 'http',
      source: 'http.req',
      data: {
        proc: 'x',
        http_method: 'GET',
        http_target: '/a?b=c',
        http_flavor: '2.0',
        'x-forwarded': 'y',
        net_transport: 'IP.TCP',
        net_peer_port: 80,
      },
    }),
    makeEvent({sourcetype: 'net', source: 'notice', data: 'Truncated'}),
  ];
  for (const form of ['protobuf', 'json'] as const) {
    const {trees} = encode(make({form}), batch, form);
    const logs = trees.flatMap((tree) => tree.scopeLogs[0]!.logRecords) as unknown as {
      body?: {stringValue: string};
      eventName?: string;
      attributes: unknown;
      timeUnixNano: string;
      observedTimeUnixNano: string;
    }[];
    expect(logs.map((log) => log.body?.stringValue)).toEqual(['oh\n', 'line', undefined, 'Truncated']);
    expect(logs.map((log) => log.eventName ?? '')).toEqual(['', '', 'appscope.http.req', 'appscope.notice']);
    expect(logs[0]).toMatchObject({
      timeUnixNano: '1795375578250000000',
      observedTimeUnixNano: '1795375600000000000',
    });
    expect(flatten(logs[0]!.attributes)).toEqual({
      'appscope.sourcetype': 'console',
      'log.iostream': 'stderr',
      'appscope.channel': '9',
    });
    expect(flatten(logs[1]!.attributes)).toEqual({
      'appscope.sourcetype': 'file',
      'log.file.path': '/var/log/a.log',
    });
    expect(flatten(logs[2]!.attributes)).toEqual({
      'appscope.sourcetype': 'http',
      'appscope.channel': '77',
      'http.request.method': 'GET',
      'url.path': '/a',
      'url.query': 'b=c',
      'network.protocol.version': '2',
      'appscope.x_forwarded': 'y',
      'network.transport': 'tcp',
      'network.peer.port': 80,
    });
  }
});

test('spans keep their ids, parents, kinds and errors', () => {
  const span: Span = {
    kind: 'span',
    name: 'GET',
    role: 'client',
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    parentSpanId: '00f067aa0ba902b7',
    startTime: 1_795_375_578,
    endTime: 1_795_375_578.5,
    attributes: {'http.request.method': 'GET', 'http.response.status_code': 500},
    error: true,
    process: makeProcess(),
  };
  const {trees} = encode(make(), [span]);
  expect(trees[0]!.scopeSpans[0]!.spans[0]).toMatchObject({
    traceId: Buffer.from(span.traceId, 'hex'),
    spanId: Buffer.from(span.spanId, 'hex'),
    parentSpanId: Buffer.from(span.parentSpanId!, 'hex'),
    name: 'GET',
    kind: 3,
    startTimeUnixNano: '1795375578000000000',
    endTimeUnixNano: '1795375578500000000',
    status: {code: 2},
  });
  const json = encode(make({form: 'json'}), [span], 'json');
  expect(json.trees[0]!.scopeSpans[0]!.spans[0]).toMatchObject({traceId: span.traceId, kind: 3});
});

test('hostile values are counted or written in a form that can be read', () => {
  const nan = makeMetric({value: Number.NaN});
  const negative = makeMetric({value: -1});
  const time = makeMetric({time: Number.NaN});
  expect(encode(make(), [nan, negative, time, makeMetric()])).toMatchObject({
    invalid: 3,
    requests: [{count: 1}],
  });
  const odd = makeEvent({
    time: Number.NaN,
    data: {
      message: 'a\ud800b',
      n: Number.NaN,
      big: 2 ** 60,
      low: -5,
      list: ['x', 1],
      deep: {a: 1},
      empty: null,
    },
  });
  for (const form of ['protobuf', 'json'] as const) {
    const {trees} = encode(make({form}), [odd], form);
    const log = trees[0]!.scopeLogs[0]!.logRecords[0] as unknown as {
      body: {stringValue: string};
      attributes: unknown;
    };
    expect(log.body.stringValue).toBe('a\ufffdb');
    expect(flatten(log.attributes)).toMatchObject({
      'appscope.low': -5,
      'appscope.list': ['x', 1],
      'appscope.deep': '{"a":1}',
      'appscope.big': 2 ** 60,
    });
  }
});

test('above the limit of series counters go out as deltas', () => {
  const encoder = make({maxSeries: 10});
  const process = makeProcess({uuid: 'x'});
  const batch = Array.from({length: 30}, (_, i) => makeMetric({process, attributes: {file: `/${i}`}}));
  const sums = metricsOf(encode(encoder, batch).trees).map((metric) => metric.sum!);
  expect(sums.map((sum) => [sum.aggregationTemporality, sum.dataPoints.length])).toEqual([
    [2, 10],
    [1, 20],
  ]);
  expect(encoder.series).toBe(10);
});
