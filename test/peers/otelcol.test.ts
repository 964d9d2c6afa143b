// SPDX-License-Identifier: Apache-2.0
// A real OpenTelemetry collector: what it writes of our OTLP over gRPC and HTTP, across a restart in the middle.
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {OtlpExporterConfig} from '../../src/config/types.js';
import type {Span} from '../../src/records/types.js';
import {makeDelivery, until} from '../helpers/delivery.js';
import {flatten} from '../helpers/otlp.js';
import {makeMetric} from '../helpers/records.js';
import {
  Bench,
  counters,
  drained,
  events,
  eventually,
  freePort,
  installed,
  listening,
  numbersIn,
  type Server,
  shop,
} from './support.js';

const binary = installed('otelcol');
const bench = new Bench();

interface Tree {
  resource: {attributes: unknown};
  schemaUrl?: string;
  scopeMetrics: {
    metrics: {name: string; unit: string; sum?: Sum; histogram?: {dataPoints: Record<string, unknown>[]}}[];
  }[];
  scopeLogs: {
    scope: {name: string};
    logRecords: {eventName?: string; attributes: unknown; body?: {stringValue: string}}[];
  }[];
  scopeSpans: {spans: Record<string, unknown>[]}[];
}
interface Sum {
  dataPoints: {asDouble: number; attributes: unknown}[];
  isMonotonic: boolean;
}

describe.skipIf(binary === undefined)('otelcol', () => {
  let grpc: number;
  let http: number;
  let server: Server;

  async function startCollector(): Promise<void> {
    server = bench.start(binary!, ['--config', `file:${bench.path('config.yaml')}`]);
    await listening(grpc, server);
    await listening(http, server);
  }

  beforeAll(async () => {
    grpc = await freePort();
    http = await freePort();
    const pipeline = (signal: string) => `    ${signal}: {receivers: [otlp], exporters: [file/${signal}]}`;
    const file = (signal: string) =>
      `  file/${signal}: {path: ${bench.path(signal)}, append: true, flush_interval: 50ms}`;
    writeFileSync(
      bench.path('config.yaml'),
      [
        'receivers:',
        '  otlp:',
        '    protocols:',
        `      grpc: {endpoint: "127.0.0.1:${grpc}"}`,
        `      http: {endpoint: "127.0.0.1:${http}"}`,
        'exporters:',
        ...['metrics', 'logs', 'traces'].map(file),
        'service:',
        '  telemetry: {metrics: {level: none}, logs: {level: warn}}',
        '  pipelines:',
        ...['metrics', 'logs', 'traces'].map(pipeline),
      ].join('\n'),
    );
    await startCollector();
  });
  afterAll(() => bench.end());

  function config(
    protocol: OtlpExporterConfig['protocol'],
    change: Partial<OtlpExporterConfig> = {},
  ): OtlpExporterConfig {
    return {
      ...makeDelivery(),
      type: 'otlp',
      endpoint: `http://127.0.0.1:${protocol === 'grpc' ? grpc : http}`,
      protocol,
      signals: ['metrics', 'logs', 'traces'],
      temporality: 'cumulative',
      compression: 'gzip',
      max_request_bytes: 3 << 20,
      max_series: 1000,
      resource_attributes: {'test.protocol': protocol},
      ...change,
    };
  }

  /** Resources that the collector wrote for one signal and protocol. */
  function written(signal: 'metrics' | 'logs' | 'traces', protocol: string): Tree[] {
    if (!existsSync(bench.path(signal))) return [];
    const lines = readFileSync(bench.path(signal), 'utf8').split('\n').slice(0, -1);
    const trees = lines.flatMap((line) => Object.values(JSON.parse(line) as Record<string, Tree[]>)[0]!);
    return trees.filter(({resource}) => flatten(resource.attributes)['test.protocol'] === protocol);
  }
  const logsOf = (protocol: string) =>
    written('logs', protocol).flatMap((tree) => tree.scopeLogs[0]!.logRecords);
  const numbersOf = (protocol: string) =>
    new Set(
      numbersIn(
        logsOf(protocol)
          .map((log) => log.body?.stringValue)
          .join(''),
      ),
    );

  test.each(['grpc', 'http/protobuf', 'http/json'] as const)(
    '%s: the collector writes what we sent',
    async (protocol) => {
      const destination = await bench.destination(config(protocol));
      destination.push(counters(4, 25));
      destination.push([
        makeMetric({
          process: shop,
          name: 'http.duration.server',
          type: 'timer',
          unit: 'millisecond',
          value: 60,
          time: Date.now() / 1000,
          buckets: {bounds: [5, 10, 25, 50], counts: [0, 1, 0, 1, 0], sum: 50, count: 2, min: 8, max: 42},
        }),
      ]);
      await drained(destination);
      destination.push(counters(4, 25));
      destination.push(events(0, 2000));
      const span: Span = {
        kind: 'span',
        name: 'GET',
        role: 'server',
        traceId: '0af7651916cd43dd8448eb211c80319c',
        spanId: 'b7ad6b7169203331',
        startTime: Date.now() / 1000 - 1,
        endTime: Date.now() / 1000,
        attributes: {'http.request.method': 'GET', 'url.path': '/'},
        error: false,
        process: shop,
      };
      destination.push([span]);
      await drained(destination);
      await until(
        () => numbersOf(protocol).size === 2000 && written('traces', protocol).length > 0,
        'logs and traces',
      );
      const status = destination.status();
      expect(status).toMatchObject({sent: 2202, state: 'ok'});

      const [first] = written('metrics', protocol);
      expect(first!.schemaUrl).toBe('https://opentelemetry.io/schemas/1.44.0');
      expect(flatten(first!.resource.attributes)).toMatchObject({
        'service.name': 'shop',
        'process.pid': 77,
        team: 'blue',
      });
      await until(
        () => lastSums(protocol).size === 4 && [...lastSums(protocol).values()].every((sum) => sum === 50),
        'sums',
      );
      const histogram = written('metrics', protocol)
        .flatMap((tree) => tree.scopeMetrics[0]!.metrics)
        .find((metric) => metric.name === 'http.server.request.duration')!;
      expect(histogram.unit).toBe('s');
      expect(histogram.histogram!.dataPoints[0]).toMatchObject({
        count: '2',
        sum: 0.05,
        bucketCounts: ['0', '1', '0', '1', '0'],
        explicitBounds: [0.005, 0.01, 0.025, 0.05],
      });
      expect(flatten(logsOf(protocol)[0]!.attributes)).toMatchObject({'log.iostream': 'stdout'});
      expect(written('traces', protocol)[0]!.scopeSpans[0]!.spans[0]).toMatchObject({
        traceId: span.traceId,
        spanId: span.spanId,
        name: 'GET',
        kind: 2,
      });
    },
  );

  /** Newest value of each series of appscope.file.io. */
  function lastSums(protocol: string): Map<string, number> {
    const sums = new Map<string, number>();
    for (const metric of written('metrics', protocol).flatMap((tree) => tree.scopeMetrics[0]!.metrics)) {
      if (metric.name !== 'appscope.file.io') continue;
      for (const point of metric.sum!.dataPoints)
        sums.set(String(flatten(point.attributes)['file.path']), point.asDouble);
    }
    return sums;
  }

  test('nothing is lost when the collector ends in the middle', async () => {
    const ways = ['grpc', 'http/protobuf'] as const;
    const own = {resource_attributes: {'test.protocol': 'restart'}, timeout: 5000};
    const destinations = await Promise.all(ways.map((protocol) => bench.destination(config(protocol, own))));
    for (const [i, destination] of destinations.entries())
      destination.push(events(i * 10_000, i * 10_000 + 3000));
    await Promise.all(destinations.map((destination) => drained(destination)));
    await server.kill('SIGTERM');
    for (const [i, destination] of destinations.entries()) {
      destination.push(events(i * 10_000 + 3000, i * 10_000 + 6000));
      await until(() => destination.status().state === 'retrying', 'a failed attempt');
    }
    await startCollector();
    await Promise.all(destinations.map((destination) => drained(destination)));
    for (const destination of destinations)
      expect(destination.status()).toMatchObject({accepted: 6000, sent: 6000});
    const got = await eventually(async () => {
      const numbers = numbersOf('restart');
      return numbers.size === 12_000 ? numbers : undefined;
    }, 'all logs');
    expect(got.size).toBe(12_000);
  });

  test.each(['grpc', 'http/protobuf'] as const)(
    '%s: nothing is lost when the collector does not answer for a while',
    async (protocol) => {
      const mark = `frozen ${protocol}`;
      const destination = await bench.destination(
        config(protocol, {resource_attributes: {'test.protocol': mark}, timeout: 500}),
      );
      destination.push(events(0, 1000));
      await drained(destination);
      server.freeze();
      destination.push(events(1000, 2000));
      await until(() => destination.status().state === 'retrying', 'a timeout');
      server.thaw();
      destination.push(events(2000, 3000));
      await drained(destination);
      expect(destination.status()).toMatchObject({accepted: 3000, sent: 3000});
      await until(() => numbersOf(mark).size === 3000, 'all logs');
    },
  );
});
