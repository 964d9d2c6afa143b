// SPDX-License-Identifier: Apache-2.0
// Real StatsD receivers: the npm server (plain and counters over UDP and TCP) and Go's statsd_exporter (DogStatsD tags).
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {afterAll, describe, expect, test} from 'vitest';
import type {StatsdExporterConfig} from '../../src/config/types.js';
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

const script = installed('statsd/node_modules/statsd/stats.js');
const exporter = installed('statsd_exporter');
const bench = new Bench();
afterAll(() => bench.end());

function config(change: Partial<StatsdExporterConfig>): StatsdExporterConfig {
  return {
    ...makeDelivery(),
    type: 'statsd',
    protocol: 'udp',
    host: '127.0.0.1',
    port: 0,
    dialect: 'dogstatsd',
    prefix: 'app',
    max_length: 512,
    max_packet: 1432,
    // A receiver on a busy machine sleeps now and then, and its buffer holds some fifty packets.
    max_packets_per_second: 200,
    verbosity: 4,
    ...change,
  };
}

describe.skipIf(script === undefined)('the npm statsd server', () => {
  /** Sum of the counters whose names begin so, over all flushes so far. */
  function total(file: string, prefix: string): number {
    if (!existsSync(file)) return 0;
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    const counts = lines.flatMap((line) => Object.entries(JSON.parse(line) as Record<string, number>));
    return counts.reduce((sum, [name, count]) => sum + (name.startsWith(prefix) ? count : 0), 0);
  }

  async function start(
    protocol: 'udp' | 'tcp',
    port: number,
    mgmt: number,
  ): Promise<{server: Server; file: string}> {
    const file = bench.path(`${protocol}.out`);
    const backend = bench.path(`${protocol}-backend.js`);
    writeFileSync(
      backend,
      `exports.init = (time, config, events) => {
        events.on('flush', (ts, metrics) => {
          require('node:fs').appendFileSync(${JSON.stringify(file)}, JSON.stringify(metrics.counters) + '\\n');
        });
        return true;
      };`,
    );
    const settings = {
      servers: [{server: `./servers/${protocol}`, address: '127.0.0.1', port}],
      mgmt_address: '127.0.0.1',
      mgmt_port: mgmt,
      flushInterval: 200,
      deleteIdleStats: true,
      backends: [backend],
    };
    writeFileSync(bench.path(`${protocol}.js`), `(${JSON.stringify(settings)})`);
    const server = bench.start(process.execPath, [script!, bench.path(`${protocol}.js`)]);
    await listening(mgmt, server);
    return {server, file};
  }

  test.each(['udp', 'tcp'] as const)('counts over %s what we count, across a restart', async (protocol) => {
    const port = await freePort();
    const mgmt = await freePort();
    const name = 'app.fs.read.';
    const first = await start(protocol, port, mgmt);
    const destination = await bench.destination(config({protocol, port, dialect: 'plain', verbosity: 5}));
    for (let i = 0; i < 20; i++) destination.push(counters(500, 2));
    await drained(destination);
    await until(() => total(first.file, name) >= 20_000, `20000, not ${total(first.file, name)}`, 10_000);
    expect(total(first.file, name)).toBe(20_000);
    await first.server.kill();
    destination.push(counters(1000, 5));
    await until(() => destination.status().state === 'retrying', 'a failed attempt');
    await start(protocol, port, mgmt);
    await drained(destination);
    await until(() => total(first.file, name) >= 25_000, '25000', 10_000);
    expect(total(first.file, name)).toBe(25_000);
    expect(destination.status()).toMatchObject({accepted: 25_000, sent: 25_000});
  });
});

describe.skipIf(exporter === undefined)('statsd_exporter', () => {
  test.each(['udp', 'tcp', 'unixgram'] as const)('reads our DogStatsD tags over %s', async (protocol) => {
    const web = await freePort();
    const port = await freePort();
    const path = bench.path('exporter.sock');
    const server = bench.start(exporter!, [
      `--web.listen-address=127.0.0.1:${web}`,
      `--statsd.listen-udp=${protocol === 'udp' ? `127.0.0.1:${port}` : ''}`,
      `--statsd.listen-tcp=${protocol === 'tcp' ? `127.0.0.1:${port}` : ''}`,
      `--statsd.listen-unixgram=${protocol === 'unixgram' ? path : ''}`,
    ]);
    await listening(web, server);
    const destination = await bench.destination(
      config({protocol, port, verbosity: 5, ...(protocol === 'unixgram' ? {path} : {})}),
    );
    for (let i = 0; i < 10; i++) destination.push(counters(4, 250));
    destination.push([
      makeMetric({
        process: shop,
        name: 'proc.mem',
        type: 'gauge',
        unit: 'kibibyte',
        value: 4096,
        summary: false,
      }),
      makeMetric({process: shop, name: 'net.duration', type: 'timer', unit: 'millisecond', value: 20}),
    ]);
    await drained(destination);
    const page = await eventually(async () => {
      const text = await (await fetch(`http://127.0.0.1:${web}/metrics`)).text();
      const got = sums(text, 'app_fs_read');
      return got === 10_000 && text.includes('app_net_duration_count') ? text : undefined;
    }, '10000 reads');
    expect(page).toMatch(/app_fs_read\{[^}]*file="\/f0"[^}]*proc="shop"[^}]*team="blue"[^}]*\} 2500/);
    expect(page).toMatch(/app_proc_mem\{[^}]*\} 4096/);
    await server.kill();
  });

  function sums(text: string, name: string): number {
    const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }
});
