// SPDX-License-Identifier: Apache-2.0
/** For each exporter a peer of its protocol that can go away, come back, be busy, refuse, and hang. */
import {createSocket, type Socket} from 'node:dgram';
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {gunzipSync} from 'node:zlib';
import type {ExporterConfig} from '../../src/config/types.js';
import type {RelayRecord} from '../../src/records/types.js';
import {collect, makeDelivery} from '../helpers/delivery.js';
import {type HttpReply, startHttpPeer} from '../helpers/http-peer.js';
import {startBroker} from '../helpers/kafka-broker.js';
import {grpcPeer, httpPeer} from '../helpers/otlp.js';
import {makeEvent, makeMetric, makeProcess} from '../helpers/records.js';

export interface ContractPeer {
  config: ExporterConfig;
  /** A record that carries the number. */
  record(n: number): RelayRecord;
  /** Everything that arrived, as text in which the numbers can be found. */
  text(): string | Promise<string>;
  /** Undefined where the protocol cannot tell. */
  down?(): Promise<void>;
  up?(): Promise<void>;
  /** Answers so many requests with "later". */
  busy?(times: number): void;
  /** Answers a request with "never". */
  refuse?(): void;
  /** Takes a request but refuses so many of its records. */
  partial?(records: number): void;
  /** Does not answer a request. */
  hang?(): void;
  close(): Promise<void>;
}

export type Kit = [name: string, start: () => Promise<ContractPeer>];

const one = makeProcess({uuid: 'contract'});
const event = (n: number): RelayRecord => makeEvent({process: one, channel: '1', data: {message: `n=${n};`}});
const metric = (n: number): RelayRecord =>
  makeMetric({process: one, name: 'contract.count', summary: false, attributes: {n: `n=${n};`}});

async function file(): Promise<ContractPeer> {
  const folder = mkdtempSync(join(tmpdir(), 'scope-contract-'));
  const path = join(folder, 'out');
  return {
    config: {
      ...makeDelivery(),
      type: 'file',
      path,
      format: 'ndjson',
      fsync: 'never',
      fsync_interval: 0,
      mode: '0600',
      prefix: '',
      verbosity: 4,
    },
    record: event,
    text: () => (existsSync(path) ? readFileSync(path, 'utf8') : ''),
    close() {
      rmSync(folder, {recursive: true, force: true});
      return Promise.resolve();
    },
  };
}

/** Something with a port that is closed and opened again; `keep` saves what arrived. */
async function restartable<T extends {port: number; close(): Promise<void>}>(
  open: (port: number) => Promise<T>,
  textOf: (peer: T) => string,
) {
  let peer = await open(0);
  let before = '';
  let isOpen = true;
  const down = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    before += textOf(peer);
    await peer.close();
  };
  return {
    port: peer.port,
    now: () => peer,
    text: () => before + (isOpen ? textOf(peer) : ''),
    down,
    async up() {
      peer = await open(peer.port);
      isOpen = true;
    },
    close: down,
  };
}

async function socket(protocol: 'tcp' | 'udp'): Promise<ContractPeer> {
  const peer = await (protocol === 'tcp'
    ? restartable(
        (port) => collect({port}),
        (it) => it.texts.join(''),
      )
    : restartable(udp, (it) => it.packets.join('')));
  return {
    ...peer,
    config: {
      ...makeDelivery(),
      type: 'socket',
      protocol,
      host: '127.0.0.1',
      port: peer.port,
      start_message: true,
    },
    record: event,
  };
}

async function udp(port: number): Promise<{port: number; packets: string[]; close(): Promise<void>}> {
  const socket: Socket = createSocket('udp4');
  const packets: string[] = [];
  socket.on('message', (bytes) => packets.push(`${bytes}\n`));
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
  return {
    port: socket.address().port,
    packets,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

async function statsd(protocol: 'tcp' | 'udp'): Promise<ContractPeer> {
  const peer = await (protocol === 'tcp'
    ? restartable(
        (port) => collect({port}),
        (it) => it.texts.join(''),
      )
    : restartable(udp, (it) => it.packets.join('')));
  return {
    ...peer,
    config: {
      ...makeDelivery(),
      type: 'statsd',
      protocol,
      host: '127.0.0.1',
      port: peer.port,
      dialect: 'dogstatsd',
      prefix: '',
      max_length: 512,
      max_packet: 1432,
      max_packets_per_second: 0,
      verbosity: 4,
    },
    record: metric,
  };
}

async function otlp(
  protocol: 'grpc' | 'http/protobuf' | 'http/json',
  record: (n: number) => RelayRecord,
): Promise<ContractPeer> {
  const grpc = protocol === 'grpc';
  const peer = await restartable(
    (port) => (grpc ? grpcPeer(port) : httpPeer(port)),
    (it) => JSON.stringify(it.requests),
  );
  return {
    ...peer,
    config: {
      ...makeDelivery(),
      type: 'otlp',
      endpoint: `http://127.0.0.1:${peer.port}`,
      protocol,
      signals: ['metrics', 'logs', 'traces'],
      temporality: 'cumulative',
      compression: 'gzip',
      max_request_bytes: 3 << 20,
      max_series: 1000,
    },
    record,
    busy(times) {
      for (let i = 0; i < times; i++) peer.now().answers.push({status: grpc ? 14 : 503});
    },
    refuse: () => void peer.now().answers.push({status: grpc ? 3 : 400}),
    partial: (records) => void peer.now().answers.push({rejected: records, message: 'no'}),
    hang: () => void peer.now().answers.push('hang'),
  };
}

async function remoteWrite(): Promise<ContractPeer> {
  const peer = await restartable(startHttpPeer, (it) =>
    it.requests.map(({body}) => body.toString('latin1')).join('\n'),
  );
  return {
    ...peer,
    config: {
      ...makeDelivery(),
      type: 'prometheus',
      path: '/metrics',
      remote_write: {url: `http://127.0.0.1:${peer.port}/api/v1/write`},
      stale_after: 300_000,
      max_series: 10_000,
      exemplars: false,
      prefix: '',
      names: 'semconv',
    },
    record: metric,
    busy(times) {
      for (let i = 0; i < times; i++) peer.now().replies.push({status: 503, headers: {'retry-after': '0'}});
    },
    refuse: () => void peer.now().replies.push({status: 400, body: 'bad sample'}),
    hang: () => void peer.now().replies.push('hang'),
  };
}

async function scrape(): Promise<ContractPeer> {
  // A free port, for the exporter to listen on.
  const free = await startHttpPeer();
  await free.close();
  const listen = `127.0.0.1:${free.port}`;
  return {
    config: {
      ...makeDelivery(),
      type: 'prometheus',
      listen,
      path: '/metrics',
      stale_after: 300_000,
      max_series: 10_000,
      exemplars: false,
      prefix: '',
      names: 'semconv',
    },
    record: metric,
    text: async () =>
      fetch(`http://${listen}/metrics`).then(
        (answer) => answer.text(),
        () => '',
      ),
    close: () => Promise.resolve(),
  };
}

async function splunk(acknowledge: boolean, record: (n: number) => RelayRecord): Promise<ContractPeer> {
  let acks = 0;
  const usual = ({url, body}: {url: string; body: Buffer}): HttpReply => {
    if (url.startsWith('/services/collector/event')) {
      return {
        status: 200,
        body: JSON.stringify({text: 'Success', code: 0, ...(acknowledge ? {ackId: acks++} : {})}),
      };
    }
    const asked = (JSON.parse(body.toString() || '{}') as {acks?: number[]}).acks ?? [];
    return {status: 200, body: JSON.stringify({acks: Object.fromEntries(asked.map((id) => [id, true]))})};
  };
  const peer = await restartable(
    (port) => startHttpPeer(port, usual),
    (it) => it.requests.map(({body}) => body.toString()).join('\n'),
  );
  return {
    ...peer,
    config: {
      ...makeDelivery(),
      type: 'splunk',
      endpoint: `http://127.0.0.1:${peer.port}`,
      token: 'token',
      index: '',
      metrics_index: '',
      source: '{source}',
      sourcetype: 'scope:{sourcetype}',
      host: '{host}',
      acknowledge,
      ack_interval: 5,
      compression: 'gzip',
    },
    record,
    busy(times) {
      for (let i = 0; i < times; i++)
        peer.now().replies.push({status: 503, body: '{"text":"Server is busy","code":9}'});
    },
    refuse: () => void peer.now().replies.push({status: 400, body: '{"text":"Incorrect index","code":7}'}),
    partial(records) {
      for (let i = 0; i < records; i++) {
        const body = JSON.stringify({text: 'Invalid data format', code: 6, 'invalid-event-number': 0});
        peer.now().replies.push({status: 400, body});
      }
    },
    hang: () => void peer.now().replies.push('hang'),
  };
}

async function kafka(change: {
  packed?: boolean;
  encoding?: 'json' | 'otlp';
  compression?: 'gzip' | 'none';
}): Promise<ContractPeer> {
  const peer = await restartable(startBroker, (it) =>
    it.batches
      .map(({bytes}) =>
        (change.compression === 'gzip' ? gunzipSync(bytes.subarray(61)) : bytes).toString('latin1'),
      )
      .join('\n'),
  );
  return {
    ...peer,
    config: {
      ...makeDelivery(),
      type: 'kafka',
      brokers: [`127.0.0.1:${peer.port}`],
      topic: 'scope.{kind}',
      key: '{host}-{pid}',
      compression: 'none',
      encoding: 'json',
      packed: false,
      packed_bytes: 65_536,
      acks: 'all',
      idempotent: true,
      client_id: 'scope',
      create_topics: true,
      ...change,
    },
    record: event,
    // MESSAGE_TOO_LARGE is the one answer after which a producer gives a message up.
    partial: () => void peer.now().errors.push(...new Array(40).fill(10)),
    hang() {
      const broker = peer.now();
      broker.hang = true;
      setTimeout(() => {
        broker.hang = false;
      }, 800);
    },
  };
}

export const KITS: Kit[] = [
  ['file', file],
  ['socket tcp', () => socket('tcp')],
  ['socket udp', () => socket('udp')],
  ['statsd udp', () => statsd('udp')],
  ['statsd tcp', () => statsd('tcp')],
  ['otlp grpc logs', () => otlp('grpc', event)],
  ['otlp grpc metrics', () => otlp('grpc', metric)],
  ['otlp http/protobuf', () => otlp('http/protobuf', event)],
  ['otlp http/json', () => otlp('http/json', metric)],
  ['prometheus remote write', remoteWrite],
  ['prometheus scrape', scrape],
  ['splunk events', () => splunk(false, event)],
  ['splunk metrics acknowledged', () => splunk(true, metric)],
  ['kafka json', () => kafka({})],
  ['kafka packed gzip', () => kafka({packed: true, compression: 'gzip'})],
  ['kafka otlp', () => kafka({encoding: 'otlp'})],
];
