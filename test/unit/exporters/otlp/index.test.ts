// SPDX-License-Identifier: Apache-2.0
// OTLP over gRPC and HTTP: answers of the peer, retry hints, partial success, headers, mutual TLS.
import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {connect, createServer, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {ServerCredentials} from '@grpc/grpc-js';
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';
import type {OtlpExporterConfig} from '../../../../src/config/types.js';
import type {Exporter} from '../../../../src/delivery/exporter.js';
import {createExporter} from '../../../../src/exporters/otlp/index.js';
import {makeContext, makeDelivery, NEVER} from '../../../helpers/delivery.js';
import {grpcPeer, httpPeer, type OtlpPeer} from '../../../helpers/otlp.js';
import {makeEvent, makeMetric} from '../../../helpers/records.js';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'scope-otlp-'));
});
afterAll(() => rmSync(folder, {recursive: true, force: true}));

function make(port: number, change: Partial<OtlpExporterConfig> = {}): Exporter {
  const exporter = createExporter(
    {
      ...makeDelivery(),
      type: 'otlp',
      endpoint: `http://127.0.0.1:${port}`,
      protocol: 'grpc',
      signals: ['metrics', 'logs', 'traces'],
      temporality: 'cumulative',
      compression: 'gzip',
      max_request_bytes: 3 << 20,
      max_series: 1000,
      headers: {'X-Team': 'blue'},
      auth: {type: 'bearer', token: 't0ken'},
      ...change,
    },
    makeContext(),
  );
  ends.push(() => exporter.stop());
  return exporter;
}

async function start(kind: string, port = 0): Promise<OtlpPeer> {
  const peer = await (kind === 'grpc' ? grpcPeer(port) : httpPeer(port));
  ends.push(() => peer.close());
  return peer;
}

/** Status of the protocol for "come again" and for "never". */
const AGAIN = {grpc: 14, http: 503};
const NEVER_AGAIN = {grpc: 3, http: 400};

describe.each(['grpc', 'http/protobuf', 'http/json'] as const)('%s', (protocol) => {
  const kind = protocol === 'grpc' ? 'grpc' : 'http';

  test('delivers metrics and logs with headers and authorization', async () => {
    const peer = await start(kind);
    const exporter = make(peer.port, {protocol});
    expect(await exporter.check!(NEVER)).toBeUndefined();
    peer.requests.length = 0;
    expect(await exporter.send([makeMetric(), makeEvent()], NEVER)).toEqual({
      outcome: 'success',
      rejected: 0,
    });
    expect(peer.requests.map(({signal}) => signal)).toEqual(['metrics', 'logs']);
    expect(peer.requests[0]!.headers).toMatchObject({'x-team': 'blue', authorization: 'Bearer t0ken'});
    expect(peer.requests[0]!.headers['user-agent']).toContain('appscope/2.0.0');
  });

  test('sends only what was refused again, without adding twice', async () => {
    const peer = await start(kind);
    const exporter = make(peer.port, {protocol, signals: ['metrics', 'logs']});
    const batch = [makeMetric({value: 5}), makeEvent()];
    peer.answers.push({rejected: 0, message: ''}, {status: AGAIN[kind]});
    expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'retryable'});
    expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'success'});
    expect(peer.requests.map(({signal}) => signal)).toEqual(['metrics', 'logs']);
    await exporter.send([makeMetric({value: 5})], NEVER);
    expect(JSON.stringify(peer.requests.at(-1)!.body)).toContain('"asDouble":10');
  });

  test('honours the time a peer asks for', async () => {
    const peer = await start(kind);
    peer.answers.push({status: kind === 'grpc' ? 8 : 429, retryAfterMs: 7000});
    expect(await make(peer.port, {protocol}).send([makeMetric()], NEVER)).toMatchObject({
      outcome: 'retryable',
      afterMs: 7000,
    });
  });

  test('counts what the peer refuses, in part or whole', async () => {
    const peer = await start(kind);
    const exporter = make(peer.port, {protocol});
    peer.answers.push({rejected: 2, message: 'too old'}, {status: NEVER_AGAIN[kind]});
    const logs = [makeEvent(), makeEvent(), makeEvent()];
    expect(await exporter.send(logs, NEVER)).toEqual({outcome: 'success', rejected: 2, reason: 'too old'});
    expect(await exporter.send(logs, NEVER)).toMatchObject({
      outcome: 'success',
      rejected: 3,
      reason: /told so/,
    });
  });

  test('a peer that is down is retryable, also one that ends in the middle', async () => {
    const peer = await start(kind);
    const exporter = make(peer.port, {protocol});
    await exporter.send([makeEvent()], NEVER);
    await peer.close();
    const batch = [makeEvent()];
    expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'retryable'});
    const again = await start(kind, peer.port);
    let result = await exporter.send(batch, NEVER);
    for (let i = 0; i < 200 && result.outcome !== 'success'; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      result = await exporter.send(batch, NEVER);
    }
    expect(result.outcome).toBe('success');
    expect(again.requests).toHaveLength(1);
  });

  test('an abort ends a request that is not answered', async () => {
    const peer = await start(kind);
    peer.answers.push('hang');
    const controller = new AbortController();
    const sent = make(peer.port, {protocol}).send([makeEvent()], controller.signal);
    setImmediate(() => controller.abort());
    expect(await sent).toMatchObject({outcome: 'retryable'});
  });
});

test('500 is final, as the specification says', async () => {
  const peer = await start('http');
  peer.answers.push({status: 500}, {status: 408});
  const exporter = make(peer.port, {protocol: 'http/protobuf'});
  for (const status of [500, 408]) {
    const result = await exporter.send([makeEvent()], NEVER);
    expect(result).toMatchObject({outcome: 'success', rejected: 1, reason: `HTTP ${status}: told so`});
  }
});

test.each(['grpc', 'http/protobuf'] as const)(
  '%s waits for a token file that is not there',
  async (protocol) => {
    const peer = await start(protocol === 'grpc' ? 'grpc' : 'http');
    const file = join(folder, `token-${protocol.slice(0, 4)}`);
    const exporter = make(peer.port, {protocol, auth: {type: 'bearer', token_file: file}});
    const batch = [makeEvent()];
    for (let i = 0; i < 4; i++)
      expect(await exporter.send(batch, NEVER)).toMatchObject({
        outcome: 'retryable',
        reason: expect.stringContaining(`auth.token_file: ENOENT: no such file or directory, open '${file}'`),
      });
    writeFileSync(file, 'later\n');
    expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'success'});
    expect(peer.requests[0]!.headers.authorization).toBe('Bearer later');
  },
);

/** Passes connections on; those that it has are dead from `hush` on, without a word to either end. */
async function proxy(port: number): Promise<{port: number; hush(): void}> {
  const pairs: [Socket, Socket][] = [];
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    pairs.push([near, far]);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const)
      from.on('error', () => undefined).pipe(to);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    for (const socket of pairs.flat()) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as {port: number}).port,
    hush() {
      for (const [near, far] of pairs) {
        near.unpipe(far).pause();
        far.unpipe(near).pause();
      }
    },
  };
}

test.each(['grpc', 'http/protobuf'] as const)('%s leaves a connection that is dead', async (protocol) => {
  const peer = await start(protocol === 'grpc' ? 'grpc' : 'http');
  const between = await proxy(peer.port);
  const exporter = make(between.port, {protocol});
  expect(await exporter.send([makeEvent()], NEVER)).toMatchObject({outcome: 'success'});
  between.hush();
  const batch = [makeEvent()];
  expect(await exporter.send(batch, AbortSignal.timeout(300))).toMatchObject({outcome: 'retryable'});
  expect(await exporter.send(batch, AbortSignal.timeout(5000))).toMatchObject({outcome: 'success'});
  expect(peer.requests).toHaveLength(2);
});

test('RESOURCE_EXHAUSTED without a time is final, as the specification says', async () => {
  const peer = await start('grpc');
  peer.answers.push({status: 8});
  expect(await make(peer.port).send([makeEvent()], NEVER)).toMatchObject({rejected: 1});
});

test.each(['grpc', 'http/protobuf'] as const)(
  '%s checks the peer and shows its own certificate',
  async (protocol) => {
    const run = (...args: string[]) => execFileSync('openssl', args, {cwd: folder, stdio: 'ignore'});
    const subject = (name: string) => [
      '-subj',
      `/CN=${name}`,
      '-addext',
      'subjectAltName=IP:127.0.0.1,DNS:localhost',
    ];
    run(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-subj',
      '/CN=ca',
    );
    for (const name of ['server', 'client']) {
      run(
        'req',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        ...subject(name),
      );
      writeFileSync(join(folder, 'ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
      run(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-days',
        '2',
        '-extfile',
        'ext',
        '-out',
        `${name}.pem`,
      );
    }
    const read = (name: string) => readFileSync(join(folder, name));
    const peer =
      protocol === 'grpc'
        ? await grpcPeer(
            0,
            ServerCredentials.createSsl(
              read('ca.pem'),
              [{private_key: read('server.key'), cert_chain: read('server.pem')}],
              true,
            ),
          )
        : await httpPeer(0, {key: read('server.key'), cert: read('server.pem'), ca: read('ca.pem')});
    ends.push(() => peer.close());
    const endpoint = `https://localhost:${peer.port}`;
    const ca = {enable: true, insecure_skip_verify: false, ca_file: join(folder, 'ca.pem')};
    const own = {cert_file: join(folder, 'client.pem'), key_file: join(folder, 'client.key')};
    const send = (tls: OtlpExporterConfig['tls']) =>
      make(peer.port, {protocol, endpoint, ...(tls && {tls})}).send([makeEvent()], AbortSignal.timeout(5000));
    expect(await send(undefined)).toMatchObject({outcome: 'retryable'});
    expect(await send(ca)).toMatchObject({outcome: 'retryable'});
    expect(await send({...ca, ...own})).toMatchObject({outcome: 'success'});
  },
);

test('says what is wrong with an endpoint', () => {
  expect(() => make(1, {endpoint: 'http://[x'})).toThrow('exporters.here.endpoint: "http://[x" is not a URL');
});
