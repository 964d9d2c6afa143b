// SPDX-License-Identifier: Apache-2.0
// A real Prometheus: scrapes our page, takes our remote write, answers queries; promtool checks the page.
import {execFileSync} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {PrometheusExporterConfig} from '../../src/config/types.js';
import {makeDelivery, until} from '../helpers/delivery.js';
import {makeMetric} from '../helpers/records.js';
import {
  Bench,
  counters,
  drained,
  eventually,
  freePort,
  installed,
  listening,
  type Server,
  shop,
} from './support.js';

const binaries = installed('prometheus/usr/bin');
const bench = new Bench();

describe.skipIf(binaries === undefined)('prometheus', () => {
  let port: number;
  let page: number;
  let server: Server;

  async function startPrometheus(): Promise<void> {
    server = bench.start(`${binaries}/prometheus`, [
      `--config.file=${bench.path('prometheus.yml')}`,
      `--storage.tsdb.path=${bench.path('data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-remote-write-receiver',
    ]);
    await listening(port, server);
    const ready = async () => ((await fetch(`http://127.0.0.1:${port}/-/ready`)).ok ? true : undefined);
    await eventually(ready, 'Prometheus');
  }

  beforeAll(async () => {
    port = await freePort();
    page = await freePort();
    writeFileSync(
      bench.path('prometheus.yml'),
      [
        'global: {scrape_interval: 1s}',
        'scrape_configs:',
        '  - job_name: scope',
        '    honor_labels: true',
        `    static_configs: [{targets: ["127.0.0.1:${page}"]}]`,
      ].join('\n'),
    );
    await startPrometheus();
  });
  afterAll(() => bench.end());

  function config(change: Partial<PrometheusExporterConfig>): PrometheusExporterConfig {
    return {
      ...makeDelivery(),
      type: 'prometheus',
      path: '/metrics',
      stale_after: 300_000,
      max_series: 10_000,
      exemplars: false,
      prefix: '',
      names: 'semconv',
      ...change,
    };
  }

  /** Value of an instant query with one result. */
  async function query(text: string): Promise<number | undefined> {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(text)}`);
    const {data} = (await answer.json()) as {data: {result: {value: [number, string]}[]}};
    return data.result.length === 1 ? Number(data.result[0]!.value[1]) : undefined;
  }
  const becomes = (text: string, value: number) =>
    eventually(async () => ((await query(text)) === value ? value : undefined), `${text} = ${value}`);

  const duration = () =>
    makeMetric({
      process: shop,
      name: 'http.duration.server',
      type: 'timer',
      unit: 'millisecond',
      value: 50,
      time: Date.now() / 1000,
      buckets: {bounds: [5, 10, 25, 50], counts: [0, 1, 0, 1, 0], sum: 50, count: 2, min: 8, max: 42},
    });

  test('scrapes our page, which promtool finds without fault', async () => {
    const listen = `127.0.0.1:${page}`;
    const destination = await bench.destination(config({listen, labels: {zone: 'a"b\\c'}}));
    destination.push([...counters(3, 20), duration()]);
    await drained(destination);
    for (const accept of ['text/plain', 'application/openmetrics-text; version=1.0.0']) {
      const answer = await fetch(`http://${listen}/metrics`, {headers: {accept}});
      const text = await answer.text();
      expect(answer.headers.get('content-type')).toContain(accept.split(';')[0]);
      if (accept === 'text/plain') {
        const out = execFileSync(`${binaries}/promtool`, ['check', 'metrics'], {
          input: text,
          encoding: 'utf8',
        });
        expect(out).toBe('');
      } else expect(text.endsWith('# EOF\n')).toBe(true);
    }
    await becomes('sum(appscope_file_io_bytes_total{proc="shop",zone!=""})', 60);
    await becomes('http_server_request_duration_seconds_count{proc="shop"}', 2);
    await becomes('http_server_request_duration_seconds_bucket{le="0.01"}', 1);
    await becomes('up{job="scope"}', 1);
    destination.push(counters(3, 20));
    await becomes('sum(appscope_file_io_bytes_total{proc="shop",zone!=""})', 120);
  });

  test('takes remote writes, loses nothing across a restart and a standstill', async () => {
    const remote = {url: `http://127.0.0.1:${port}/api/v1/write`};
    const destination = await bench.destination(
      config({remote_write: remote, prefix: 'rw.', timeout: 1500, labels: {via: 'write'}}),
    );
    destination.push([...counters(5, 10), duration()]);
    await drained(destination);
    expect(destination.status()).toMatchObject({sent: 51, state: 'ok'});
    await becomes('sum(rw_appscope_file_io_bytes_total{via="write"})', 50);
    await becomes('rw_http_server_request_duration_seconds_sum', 0.05);
    await server.kill();
    destination.push(counters(5, 10));
    await until(() => destination.status().state === 'retrying', 'a failed attempt');
    await startPrometheus();
    destination.push(counters(5, 10));
    await drained(destination);
    await becomes('sum(rw_appscope_file_io_bytes_total{via="write"})', 150);
    server.freeze();
    const before = destination.status().retried;
    destination.push(counters(5, 10));
    await until(() => destination.status().state === 'retrying', 'a timeout');
    server.thaw();
    await drained(destination);
    await becomes('sum(rw_appscope_file_io_bytes_total{via="write"})', 200);
    expect(destination.status()).toMatchObject({accepted: 201, sent: 201});
    expect(destination.status().retried).toBeGreaterThan(before);
  });
});
