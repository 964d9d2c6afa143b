// SPDX-License-Identifier: Apache-2.0
// StatsD over every kind of socket: packed, paced, resumed where it stood.
import {execFileSync, spawn} from 'node:child_process';
import {createSocket, type Socket} from 'node:dgram';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import type {StatsdExporterConfig} from '../../../../src/config/types.js';
import type {Exporter} from '../../../../src/delivery/exporter.js';
import {createExporter} from '../../../../src/exporters/statsd/index.js';
import {createPace, packLines} from '../../../../src/exporters/statsd/pack.js';
import {createFakeClock} from '../../../helpers/clock.js';
import {collect, makeContext, makeDelivery, NEVER, until} from '../../../helpers/delivery.js';
import {makeMetric} from '../../../helpers/records.js';

let folder: string;
const ends: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scope-statsd-'));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  rmSync(folder, {recursive: true, force: true});
});

function make(change: Partial<StatsdExporterConfig>): Exporter {
  const exporter = createExporter(
    {
      ...makeDelivery(),
      type: 'statsd',
      host: '127.0.0.1',
      port: 0,
      protocol: 'udp',
      dialect: 'dogstatsd',
      prefix: 'app',
      max_length: 512,
      max_packet: 200,
      max_packets_per_second: 0,
      verbosity: 0,
      ...change,
    },
    makeContext(),
  );
  ends.push(() => exporter.stop());
  return exporter;
}

async function udp(port = 0): Promise<{socket: Socket; port: number; packets: string[]}> {
  const socket = createSocket('udp4');
  const packets: string[] = [];
  // An empty datagram only asks whether somebody is there.
  socket.on('message', (bytes) => bytes.length > 0 && packets.push(bytes.toString()));
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
  ends.push(() => {
    try {
      socket.close();
    } catch {
      // Closed by the test.
    }
  });
  return {socket, port: socket.address().port, packets};
}

const metrics = (count: number) =>
  Array.from({length: count}, (_, i) => makeMetric({name: `m.${i}`, value: i}));
const lines = (count: number) => Array.from({length: count}, (_, i) => `app.m.${i}:${i}|c`);

test('packs lines into datagrams of the given size', async () => {
  const {port, packets} = await udp();
  const exporter = make({port});
  expect(await exporter.send(metrics(100), NEVER)).toEqual({outcome: 'success'});
  await until(() => packets.join('\n').split('\n').length === 100, '100 lines');
  expect(packets.join('\n').split('\n')).toEqual(lines(100));
  expect(Math.max(...packets.map((packet) => packet.length))).toBeLessThanOrEqual(200);
  expect(packets.length).toBeLessThan(15);
});

test('notices that nobody listens, and sends each line once when somebody does', async () => {
  const {socket, port} = await udp();
  const exporter = make({port, max_packet: 64});
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  const batch = metrics(20);
  expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'retryable'});
  const again = await udp(port);
  expect(await exporter.send(batch, NEVER)).toEqual({outcome: 'success'});
  await until(() => again.packets.join('\n').split('\n').length >= 20, '20 lines');
  expect(again.packets.join('\n').split('\n')).toEqual(lines(20));
});

test.each(['tcp', 'unix', 'abstract'])('streams lines over %s and again after a restart', async (kind) => {
  const path = kind === 'abstract' ? `@scope-test-${process.pid}` : join(folder, 'socket');
  const listen = kind === 'tcp' ? {} : {path: path.replace(/^@/, '\0')};
  let peer = await collect(listen);
  const port = peer.port;
  const exporter = make(kind === 'tcp' ? {protocol: 'tcp', port} : {protocol: 'unix', path});
  expect(await exporter.send(metrics(3), NEVER)).toEqual({outcome: 'success'});
  await until(() => (peer.texts[0] ?? '').split('\n').length === 4, 'lines');
  expect(peer.texts[0]).toBe(`${lines(3).join('\n')}\n`);
  await peer.close();
  await until(() => true);
  const batch = metrics(3);
  let result = await exporter.send(batch, NEVER);
  // The first write after the end of the peer may still have been taken by the kernel.
  if (result.outcome === 'success') result = await exporter.send(metrics(3), NEVER);
  expect(result.outcome).toBe('retryable');
  peer = await collect(kind === 'tcp' ? {port} : listen);
  ends.push(() => peer.close());
  expect(await exporter.send(batch, NEVER)).toEqual({outcome: 'success'});
  await until(() => (peer.texts[0] ?? '').split('\n').length === 4, 'lines');
});

const RECEIVER = `
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
int main(int argc, char **argv) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  strncpy(a.sun_path, argv[1], sizeof(a.sun_path) - 1);
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (argc < 2 || bind(fd, (struct sockaddr *)&a, sizeof(a))) return 1;
  for (;;) {
    char b[9000];
    int n = recv(fd, b, sizeof(b), 0);
    printf("%.*s\\n", n, b);
    fflush(stdout);
  }
}`;

test('sends datagrams to a unix socket, waiting for a receiver that is slow', async () => {
  const path = join(folder, 'dgram');
  const exporter = make({protocol: 'unixgram', path});
  const batch = metrics(2000);
  expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'retryable'});
  execFileSync('cc', ['-x', 'c', '-', '-o', join(folder, 'receiver')], {input: RECEIVER});
  const receiver = spawn(join(folder, 'receiver'), [path], {stdio: ['ignore', 'pipe', 'inherit']});
  ends.push(() => receiver.kill('SIGKILL'));
  let text = '';
  receiver.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  await until(() => existsSync(path), 'the socket');
  let result = await exporter.send(batch, NEVER);
  while (result.outcome === 'retryable') result = await exporter.send(batch, NEVER);
  expect(result).toEqual({outcome: 'success'});
  await until(() => text.split('\n').length >= 2001, '2000 lines');
  expect(text.trim().split('\n')).toEqual(lines(2000));
});

test('adds counters of one series up, keeps the last of a gauge, and every value of a timer', async () => {
  const {port, packets} = await udp();
  const gauge = (value: number) => makeMetric({name: 'g', type: 'gauge', value});
  const timer = (value: number) => makeMetric({name: 't', type: 'timer', value});
  const batch = [...metrics(2), ...metrics(2), gauge(1), gauge(7), timer(1), timer(2)];
  expect(await make({port}).send(batch, NEVER)).toEqual({outcome: 'success'});
  await until(() => packets.length === 1, 'a packet');
  expect(packets[0]!.split('\n')).toEqual([
    'app.t:1|ms',
    'app.t:2|ms',
    'app.m.0:0|c',
    'app.m.1:2|c',
    'app.g:7|g',
  ]);
});

test('says what it could not write as a line', async () => {
  const {port} = await udp();
  const result = await make({port}).send([makeMetric({value: Number.NaN}), ...metrics(1)], NEVER);
  expect(result).toMatchObject({outcome: 'success', rejected: 1});
});

test('says which receiver it cannot find', async () => {
  const path = join(folder, 'nobody.sock');
  expect(await make({protocol: 'unixgram', path}).send(metrics(1), NEVER)).toEqual({
    outcome: 'retryable',
    reason: `${path}: No such file or directory`,
  });
  expect(await make({host: 'nobody.invalid', port: 8125}).send(metrics(1), NEVER)).toMatchObject({
    outcome: 'retryable',
    reason: expect.stringMatching(/^getaddrinfo \w+ nobody\.invalid$/),
  });
});

test('needs a path for unix sockets', () => {
  expect(() => make({protocol: 'unix'})).toThrow('exporters.here.path: needed for protocol unix');
});

test('a line longer than a packet travels alone', () => {
  const packets = packLines(['a\n', `${'b'.repeat(50)}\n`, 'c\n', 'd\n'], 10).map(String);
  expect(packets).toEqual(['a', 'b'.repeat(50), 'c\nd']);
});

test('paces packets', async () => {
  const clock = createFakeClock();
  const pace = createPace(100, clock);
  let passed = 0;
  const run = (async () => {
    for (let i = 0; i < 50; i++) {
      await pace(NEVER);
      passed++;
    }
  })();
  await clock.advance(200);
  expect(passed).toBeGreaterThanOrEqual(19);
  expect(passed).toBeLessThanOrEqual(30);
  await clock.advance(1000);
  await run;
});
