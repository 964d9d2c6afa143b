// SPDX-License-Identifier: Apache-2.0
// The original's wire: start messages first after each connection, payloads apart, over TCP, TLS, UDP and unix sockets.
import {execFileSync} from 'node:child_process';
import {createSocket} from 'node:dgram';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createServer} from 'node:tls';
import {afterEach, beforeEach, expect, test} from 'vitest';
import type {SocketExporterConfig} from '../../../../src/config/types.js';
import type {Exporter} from '../../../../src/delivery/exporter.js';
import {createExporter} from '../../../../src/exporters/socket/index.js';
import type {RelayRecord} from '../../../../src/records/types.js';
import {collect, makeContext, makeDelivery, NEVER, until} from '../../../helpers/delivery.js';
import {makeEvent, makeMetric, makeProcess} from '../../../helpers/records.js';

let folder: string;
const ends: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scope-socket-'));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  rmSync(folder, {recursive: true, force: true});
});

function make(change: Partial<SocketExporterConfig>): Exporter {
  const exporter = createExporter(
    {...makeDelivery(), type: 'socket', protocol: 'tcp', host: '127.0.0.1', start_message: true, ...change},
    makeContext(),
  );
  ends.push(() => exporter.stop());
  return exporter;
}

const one = makeProcess({pid: 1, proc: 'one'});
const two = makeProcess({pid: 2, proc: 'two'});
const start: RelayRecord = {kind: 'start', time: 1, process: one, configuration: {current: {tags: {a: 'b'}}}};
const parse = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const kinds = (text: string) =>
  parse(text).map((line) => (line.info ? `start ${line.info.process.pid}` : `${line.type} ${line.body.pid}`));

test('introduces each process once per connection, with its configuration and the token', async () => {
  let peer = await collect({});
  const {port} = peer;
  const exporter = make({port, authtoken: 'secret'});
  const batch = [start, makeEvent({process: one}), makeEvent({process: two}), makeMetric({process: one})];
  expect(await exporter.send(batch, NEVER)).toEqual({outcome: 'success'});
  expect(await exporter.send([makeEvent({process: two})], NEVER)).toEqual({outcome: 'success'});
  await until(() => (peer.texts[0] ?? '').split('\n').length === 7, 'lines');
  expect(kinds(peer.texts[0]!)).toEqual(['start 1', 'evt 1', 'start 2', 'evt 2', 'metric 1', 'evt 2']);
  expect(parse(peer.texts[0]!)[0]).toMatchObject({
    authToken: 'secret',
    format: 'ndjson',
    info: {configuration: {current: {tags: {a: 'b'}}}},
  });
  await peer.close();
  await until(() => true);
  peer = await collect({port});
  ends.push(() => peer.close());
  const late = [makeEvent({process: one})];
  while ((await exporter.send(late, NEVER)).outcome !== 'success' || peer.texts.length === 0) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => (peer.texts[0] ?? '').includes('"evt"'), 'the event');
  expect(kinds(peer.texts[0]!).slice(0, 2)).toEqual(['start 1', 'evt 1']);
  expect(parse(peer.texts[0]!)[0].info.configuration).toEqual({current: {tags: {a: 'b'}}});
});

test('sends payloads over a connection of their own', async () => {
  const path = join(folder, 'sock');
  const peer = await collect({path});
  ends.push(() => peer.close());
  const exporter = make({protocol: 'unix', path});
  const payload: RelayRecord = {
    kind: 'payload',
    time: 1.5,
    channel: '7',
    fd: 3,
    source: 'netrx',
    localIp: '127.0.0.1',
    localPort: 80,
    remoteIp: '::1',
    remotePort: 9,
    protocol: 'HTTP',
    bytes: Buffer.from('GET /\n'),
    process: one,
  };
  expect(await exporter.send([makeEvent({process: one}), payload], NEVER)).toEqual({outcome: 'success'});
  await until(() => peer.texts.length === 2 && peer.texts[1]!.includes('GET /\n'), 'both connections');
  expect(kinds(peer.texts[0]!)).toEqual(['start 1', 'evt 1']);
  const [first, header, body] = peer.texts[1]!.split('\n');
  expect(JSON.parse(first!)).toMatchObject({format: 'scope'});
  expect(JSON.parse(header!)).toMatchObject({type: 'payload', len: 6, src: 'netrx', remotep: 9});
  expect(body).toBe('GET /');
});

test('an unreachable peer is retryable; an abort ends the wait', async () => {
  const exporter = make({protocol: 'unix', path: join(folder, 'nobody')});
  expect(await exporter.send([makeEvent()], NEVER)).toMatchObject({
    outcome: 'retryable',
    reason: expect.stringContaining('ENOENT'),
  });
  expect(await exporter.check!(NEVER)).toContain('ENOENT');
  // A peer that accepts and never reads fills up.
  const peer = await collect({});
  ends.push(() => peer.close());
  const full = make({port: peer.port});
  const signal = AbortSignal.abort();
  expect(await full.send([makeEvent()], signal)).toMatchObject({outcome: 'retryable', reason: 'aborted'});
});

test('speaks TLS and checks the certificate', async () => {
  const key = join(folder, 'key.pem');
  const cert = join(folder, 'cert.pem');
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject],
    {stdio: 'ignore'},
  );
  const server = createServer({key: readFileSync(key), cert: readFileSync(cert)});
  const peer = await collect({}, server);
  ends.push(() => peer.close());
  const tls = {enable: true, insecure_skip_verify: false};
  const wary = make({host: 'localhost', port: peer.port, tls});
  expect(await wary.send([makeEvent()], NEVER)).toMatchObject({outcome: 'retryable', reason: /self.signed/});
  const trusting = make({host: 'localhost', port: peer.port, tls: {...tls, ca_file: cert}});
  expect(await trusting.send([makeEvent()], NEVER)).toEqual({outcome: 'success'});
  await until(() => peer.texts.some((text) => text.includes('"evt"')), 'the event');
  expect(() => make({port: 1, tls: {...tls, ca_file: '/nowhere'}})).toThrow(
    'tls.ca_file: cannot read /nowhere',
  );
});

test('one line per datagram; what no datagram can hold is counted', async () => {
  const socket = createSocket('udp4');
  const lines: string[] = [];
  socket.on('message', (bytes) => bytes.length > 0 && lines.push(bytes.toString()));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  ends.push(() => socket.close());
  const exporter = make({protocol: 'udp', port: socket.address().port});
  const huge = makeEvent({process: one, data: {message: 'x'.repeat(70_000)}});
  expect(
    await exporter.send([makeEvent({process: one}), huge, makeMetric({process: one})], NEVER),
  ).toMatchObject({
    outcome: 'success',
    rejected: 1,
  });
  await until(() => lines.length === 3, '3 datagrams');
  expect(lines.map((line) => JSON.parse(line).type)).toEqual([undefined, 'evt', 'metric']);
  expect(() => make({port: 'http'})).toThrow('exporters.here.port: "http" is not a port');
});
