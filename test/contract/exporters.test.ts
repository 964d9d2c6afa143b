// SPDX-License-Identifier: Apache-2.0
// What every exporter keeps, seen through a destination and a peer of its protocol.
import {afterEach, describe, expect, test} from 'vitest';
import {systemClock} from '../../src/base/clock.js';
import type {ExporterConfig} from '../../src/config/types.js';
import {deliverySettings} from '../../src/delivery/config.js';
import {createDestination, type Destination} from '../../src/delivery/destination.js';
import type {RelayRecord} from '../../src/records/types.js';
import {loadExporter} from '../../src/relay/exporters.js';
import {makeContext, until} from '../helpers/delivery.js';
import {accounted} from '../helpers/exporter.js';
import {makeEvent, makeMetric, makeProcess} from '../helpers/records.js';
import {type ContractPeer, KITS} from './peers.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function begin(start: () => Promise<ContractPeer>) {
  const peer = await start();
  ends.push(() => peer.close());
  return peer;
}

async function deliver(config: ExporterConfig, change: Partial<ExporterConfig> = {}): Promise<Destination> {
  const full = {...config, ...change} as ExporterConfig;
  const exporter = await loadExporter(full, makeContext());
  const destination = createDestination({...deliverySettings(full, ''), name: 'here'}, exporter, systemClock);
  ends.push(() => destination.stop(0));
  return destination;
}

const numbers = (peer: ContractPeer, from: number, to: number) =>
  Array.from({length: to - from}, (_, i) => peer.record(from + i));

async function arrived(peer: ContractPeer): Promise<Set<number>> {
  const text = await peer.text();
  return new Set(Array.from(text.matchAll(/n=(\d+);/g), (match) => Number(match[1])));
}

async function allArrive(peer: ContractPeer, from: number, to: number): Promise<void> {
  const end = Date.now() + 30_000;
  for (;;) {
    const got = await arrived(peer);
    let missing = -1;
    for (let n = from; n < to && missing < 0; n++) if (!got.has(n)) missing = n;
    if (missing < 0) return;
    if (Date.now() > end) throw new Error(`${missing} did not arrive`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const settled = (destination: Destination) =>
  until(() => destination.status().queued === 0, 'an empty queue');
const TIMEOUT = {timeout: 500};

describe.each(KITS)('%s', (_, start) => {
  test('delivers everything', async () => {
    const peer = await begin(start);
    const destination = await deliver(peer.config);
    await destination.start();
    for (let n = 0; n < 500; n += 50) destination.push(numbers(peer, n, n + 50));
    await settled(destination);
    await allArrive(peer, 0, 500);
    expect(destination.status()).toMatchObject({accepted: 500, sent: 500, state: 'ok'});
  });

  test('waits for a peer that is down, and gets over its restart', async (context) => {
    const peer = await begin(start);
    if (!peer.down) return context.skip();
    await peer.down();
    const destination = await deliver(peer.config, TIMEOUT);
    await destination.start();
    destination.push(numbers(peer, 0, 20));
    await until(() => destination.status().state === 'retrying', 'a failed attempt');
    expect(destination.status()).toMatchObject({queued: 20, sent: 0});
    expect(destination.status().reason).toBeTruthy();
    await peer.up!();
    await settled(destination);
    await allArrive(peer, 0, 20);
    await peer.down();
    destination.push(numbers(peer, 20, 40));
    await until(
      () => destination.status().state === 'retrying' || destination.status().queued === 0,
      'an attempt',
    );
    destination.push(numbers(peer, 40, 60));
    await until(() => destination.status().state === 'retrying', 'a failed attempt');
    await peer.up!();
    await settled(destination);
    await allArrive(peer, 40, 60);
    const status = destination.status();
    expect(status.sent).toBe(60);
    expect(accounted(status)).toBe(60);
  });

  test('repeats what a busy peer puts off', async (context) => {
    const peer = await begin(start);
    if (!peer.busy) return context.skip();
    const destination = await deliver(peer.config);
    peer.busy(3);
    destination.push(numbers(peer, 0, 10));
    await destination.start();
    await settled(destination);
    await allArrive(peer, 0, 10);
    expect(destination.status()).toMatchObject({sent: 10, retried: 3, state: 'ok'});
  });

  test('counts what a peer refuses and goes on', async (context) => {
    const peer = await begin(start);
    if (!peer.refuse) return context.skip();
    const destination = await deliver(peer.config);
    peer.refuse();
    destination.push(numbers(peer, 0, 10));
    await destination.start();
    await settled(destination);
    const {dropped, reason} = destination.status();
    expect(dropped.rejected + dropped.failed).toBe(10);
    expect(reason).toBeTruthy();
    destination.push(numbers(peer, 10, 20));
    await settled(destination);
    await allArrive(peer, 10, 20);
    expect(accounted(destination.status())).toBe(20);
  });

  test('counts the part that a peer refuses', async (context) => {
    const peer = await begin(start);
    if (!peer.partial) return context.skip();
    const destination = await deliver(peer.config);
    peer.partial(4);
    destination.push(numbers(peer, 0, 10));
    await destination.start();
    await settled(destination);
    const {dropped, sent} = destination.status();
    expect(dropped.rejected).toBeGreaterThanOrEqual(1);
    expect(dropped.rejected + sent).toBe(10);
  });

  test('gives up an attempt that is not answered and tries again', async (context) => {
    const peer = await begin(start);
    if (!peer.hang) return context.skip();
    const destination = await deliver(peer.config, TIMEOUT);
    peer.hang();
    destination.push(numbers(peer, 0, 10));
    await destination.start();
    await until(() => destination.status().state === 'retrying', 'a timeout');
    await settled(destination);
    await allArrive(peer, 0, 10);
    expect(destination.status()).toMatchObject({sent: 10, state: 'ok'});
  });

  test('passes a full queue on as back-pressure', async (context) => {
    const peer = await begin(start);
    if (!peer.down) return context.skip();
    await peer.down();
    const destination = await deliver(peer.config, {
      ...TIMEOUT,
      queue: {...peer.config.queue, when_full: 'block', max_bytes: 20_000},
    });
    await destination.start();
    let pushed = 0;
    while (destination.push(numbers(peer, pushed, pushed + 10))) pushed += 10;
    pushed += 10;
    await peer.up!();
    await destination.ready();
    await settled(destination);
    await allArrive(peer, 0, pushed);
    expect(destination.status()).toMatchObject({accepted: pushed, sent: pushed, blocked: false});
  });

  test('stop sends what waits', async () => {
    const peer = await begin(start);
    const slow = {...peer.config.batch, interval: 60_000};
    const destination = await deliver(peer.config, {batch: slow});
    await destination.start();
    destination.push(numbers(peer, 0, 30));
    await destination.stop(20_000);
    expect(destination.status()).toMatchObject({accepted: 30, sent: 30, state: 'stopped'});
    if (peer.config.type !== 'prometheus' || peer.config.listen === undefined) await allArrive(peer, 0, 30);
  });

  test('stop ends at its deadline, without a start, and twice', async () => {
    const peer = await begin(start);
    await peer.down?.();
    const destination = await deliver(peer.config);
    if (peer.down) {
      await destination.start();
      destination.push(numbers(peer, 0, 30));
      await destination.stop(100);
      expect(destination.status()).toMatchObject({sent: 0, queued: 0, dropped: {stopped: 30}});
    }
    await destination.stop(100);
    const never = await deliver(peer.config);
    await never.stop(100);
    expect(never.status().state).toBe('stopped');
  });

  test('survives hostile records', async () => {
    const peer = await begin(start);
    const destination = await deliver(peer.config);
    await destination.start();
    const bad = hostile();
    destination.push(bad);
    destination.push(numbers(peer, 0, 5));
    await settled(destination);
    await allArrive(peer, 0, 5);
    const status = destination.status();
    expect(status.dropped.failed).toBe(0);
    expect(accounted(status)).toBe(bad.length + 5);
    expect(status.state).toBe('ok');
  });
});

function hostile(): RelayRecord[] {
  const odd = '\ud800\udfff\udc00 \0\u001b"\\\n\r\t\u2028';
  const process = makeProcess({
    proc: odd,
    host: odd,
    cmd: odd,
    uuid: odd,
    tags: {[odd]: odd, '': '', constructor: 'x', pid: 'y'},
    env: {OTEL_RESOURCE_ATTRIBUTES: `=,${odd}=${odd},%zz=%`, OTEL_SERVICE_NAME: odd},
    startTime: Number.NaN,
  });
  const attributes = JSON.parse('{"__proto__": "x", "": "y", "le": "z", "n": [1, null]}') as Record<
    string,
    string
  >;
  const values = [Number.NaN, Infinity, -Infinity, -1, 1e308, -0, Number.MAX_SAFE_INTEGER];
  const types = ['counter', 'gauge', 'timer', 'histogram', 'set'] as const;
  const metrics = values.flatMap((value) =>
    types.map((type) => makeMetric({type, value, name: `${odd}.${type}`, attributes, process, time: value})),
  );
  const buckets = {
    bounds: [1, Number.NaN],
    counts: [1],
    sum: Number.NaN,
    count: -1,
    min: Infinity,
    max: -Infinity,
  };
  return [
    ...metrics,
    makeMetric({name: 'net.duration', type: 'timer', buckets}),
    makeMetric({name: '', unit: odd}),
    makeEvent({
      process,
      source: odd,
      channel: odd.replace(/["\\]/g, ''),
      time: Number.NaN,
      data: {message: odd, x: Number.NaN, y: 2n ** 70n},
    }),
    makeEvent({data: {message: 'x'.repeat(3 << 20)}}),
    makeEvent({
      sourcetype: 'http',
      source: 'http.req',
      data: {deep: {a: [{b: null}]}, none: undefined, f: () => 1},
    }),
    makeEvent({data: odd}),
    {kind: 'start', time: Number.NaN, process, configuration: {}},
    {
      kind: 'span',
      name: odd,
      role: 'client',
      traceId: 'zz',
      spanId: '',
      startTime: 2,
      endTime: 1,
      attributes,
      error: true,
      process,
    },
    {
      kind: 'payload',
      time: 0,
      channel: 'x',
      fd: -1,
      source: 'none',
      localIp: odd,
      localPort: -1,
      remoteIp: '',
      remotePort: 0,
      protocol: odd,
      bytes: new Uint8Array(100),
      process,
    },
  ];
}
