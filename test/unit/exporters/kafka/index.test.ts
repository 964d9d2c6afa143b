// SPDX-License-Identifier: Apache-2.0
// Kafka messages: topics and keys from templates, packs, sizes; and a broker that refuses.
import {createRequire} from 'node:module';
import {afterEach, expect, test} from 'vitest';
import type {KafkaExporterConfig} from '../../../../src/config/types.js';
import type {RenderingExporter} from '../../../../src/delivery/exporter.js';
import {Renderer} from '../../../../src/delivery/render.js';
import {createKafkaEncoder, type Piece, topicName} from '../../../../src/exporters/kafka/encode.js';
import {halves, valuesOf} from '../../../../src/exporters/kafka/entry.js';
import {createExporter} from '../../../../src/exporters/kafka/index.js';
import {ByteWriter} from '../../../../src/records/byte-writer.js';
import {tryWriteRecord} from '../../../../src/records/ndjson.js';
import type {Item} from '../../../../src/records/rendered.js';
import type {RelayRecord} from '../../../../src/records/types.js';
import {makeContext, makeDelivery, NEVER} from '../../../helpers/delivery.js';
import {startBroker} from '../../../helpers/kafka-broker.js';
import {decodeOtlp} from '../../../helpers/otlp.js';
import {makeEvent, makeMetric, makeProcess} from '../../../helpers/records.js';

const kafkajs = createRequire(import.meta.url);
const crc32c = kafkajs('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;
const decodeBatch = kafkajs('kafkajs/src/protocol/recordBatch/v0/decoder') as (
  decoder: unknown,
) => Promise<{records: {key: Buffer; value: Buffer; offset: string}[]}>;
const Decoder = kafkajs('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => unknown;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const config = (change: Partial<KafkaExporterConfig> = {}): KafkaExporterConfig => ({
  ...makeDelivery(),
  type: 'kafka',
  brokers: ['127.0.0.1:1'],
  topic: 'scope.{kind}',
  key: '{host}-{pid}',
  compression: 'none',
  encoding: 'json',
  packed: false,
  packed_bytes: 1000,
  acks: 'all',
  idempotent: true,
  client_id: 'scope',
  create_topics: true,
  ...change,
});

const a = makeProcess({pid: 1});
const b = makeProcess({pid: 2});
const messagesOf = (pieces: readonly Piece[]) =>
  pieces.flatMap(({entries}) =>
    entries.flatMap((entry) =>
      Array.from(valuesOf(entry), (value) => ({
        topic: entry.topic,
        key: entry.key,
        value,
        count: entry.count / entry.messages,
      })),
    ),
  );
const event = (process = a, message = 'm') => makeEvent({process, data: {message}});

test('a message per record, a topic per kind, a key per process', () => {
  const {pieces, rejected} = createKafkaEncoder(config(), undefined).encode(
    [event(a), event(b), makeMetric({process: a})],
    1e6,
    0,
    0,
  );
  expect(rejected).toBe(0);
  const messages = messagesOf(pieces);
  expect(messages.map(({topic, key}) => `${topic} ${key}`)).toEqual([
    'scope.event vm-1',
    'scope.event vm-2',
    'scope.metric vm-1',
  ]);
  expect(JSON.parse(messages[0]!.value.toString())).toMatchObject({type: 'evt'});
  expect(messages[0]!.value.includes('\n')).toBe(false);
});

test('packs lines of one key up to the size, none torn', () => {
  const batch = Array.from({length: 20}, (_, i) => event(i % 2 === 0 ? a : b, `n=${i};`));
  const {pieces} = createKafkaEncoder(config({packed: true}), undefined).encode(batch, 1e6, 0, 0);
  const messages = messagesOf(pieces);
  expect(messages.length).toBeGreaterThan(4);
  for (const {value, count, key} of messages) {
    expect(value.length).toBeLessThanOrEqual(1000);
    const lines = value.toString().trim().split('\n');
    expect(lines).toHaveLength(count);
    for (const line of lines) expect(`vm-${JSON.parse(line).body.pid}`).toBe(key);
  }
});

test('requests stay below the size that a broker takes; larger messages are counted', () => {
  const batch = [...Array.from({length: 50}, () => event(a, 'x'.repeat(1000))), event(a, 'y'.repeat(20_000))];
  const {pieces, rejected, reason} = createKafkaEncoder(config(), undefined).encode(batch, 10_000, 0, 0);
  expect(messagesOf(pieces)).toHaveLength(50);
  for (const piece of pieces) expect(piece.bytes).toBeLessThanOrEqual(10_000);
  expect({rejected, reason}).toEqual({rejected: 1, reason: 'messages above 10000 bytes'});
});

test('topic names are such that Kafka allows', () => {
  expect(topicName('a/b c.ü')).toBe('a_b_c._');
  expect(topicName('..')).toBe('_');
  expect(topicName('x'.repeat(300))).toHaveLength(249);
});

test('a missing topic is retryable and named', async () => {
  const broker = await startBroker();
  ends.push(() => broker.close());
  broker.missing.add('scope.event');
  const exporter = createExporter(config({brokers: [`127.0.0.1:${broker.port}`]}), makeContext());
  ends.push(() => exporter.stop());
  await exporter.start();
  expect(await exporter.check!(NEVER)).toBeUndefined();
  const batch = [event()];
  expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'retryable', reason: /topic/i});
  broker.missing.clear();
  expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'success', rejected: 0});
  expect(broker.batches).toHaveLength(1);
});

test('a broker with a smaller limit gets halves', async () => {
  const broker = await startBroker();
  ends.push(() => broker.close());
  const exporter = createExporter(config({brokers: [`127.0.0.1:${broker.port}`]}), makeContext());
  ends.push(() => exporter.stop());
  broker.errors.push(10, 0, 0);
  expect(await exporter.send([event(), event(), event()], NEVER)).toMatchObject({
    outcome: 'success',
    rejected: 0,
  });
  expect(broker.batches).toHaveLength(2);
});

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A second is the least that kafkajs waits for an answer; then it tries again, if it does. */
const KAFKAJS_MS = 2500;

test('what was given up is not sent behind our back when the broker answers again', async () => {
  const broker = await startBroker();
  ends.push(() => broker.close());
  const exporter = createExporter(
    config({brokers: [`127.0.0.1:${broker.port}`], timeout: 1000}),
    makeContext(),
  );
  ends.push(() => exporter.stop());
  await exporter.start();
  expect(await exporter.send([event()], NEVER)).toMatchObject({outcome: 'success'});
  broker.hang = true;
  const batch = [event()];
  expect(await exporter.send(batch, AbortSignal.timeout(200))).toMatchObject({outcome: 'retryable'});
  broker.hang = false;
  await wait(KAFKAJS_MS);
  expect(broker.batches).toHaveLength(1);
  expect(broker.sockets.size).toBe(0);
  expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'success'});
  expect(broker.batches).toHaveLength(2);
});

test('nor when it was given up before there was a connection', async () => {
  const free = await startBroker();
  const {port} = free;
  await free.close();
  const exporter = createExporter(config({brokers: [`127.0.0.1:${port}`]}), makeContext());
  ends.push(() => exporter.stop());
  await exporter.start();
  const batch = [event()];
  expect(await exporter.send(batch, AbortSignal.timeout(50))).toMatchObject({outcome: 'retryable'});
  const broker = await startBroker(port);
  ends.push(() => broker.close());
  await wait(KAFKAJS_MS);
  expect(broker.batches).toHaveLength(0);
  expect(broker.sockets.size).toBe(0);
  expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'success'});
  expect(broker.batches).toHaveLength(1);
});

test('nobody there: check says so', async () => {
  const exporter = createExporter(config(), makeContext());
  expect(await exporter.check!(AbortSignal.timeout(3000))).toContain('cannot reach 127.0.0.1:1');
});

/** What the source of a run of lines makes of records. */
function rendered(records: RelayRecord[]): Item[] {
  const out = new ByteWriter(0);
  const renderer = new Renderer(
    {out, write: (record) => tryWriteRecord(out, record)},
    {maxRecords: 7, maxBytes: 1e6},
  );
  for (const record of records) renderer.add(record);
  return renderer.take().items;
}

test.each([
  ['single', {}],
  ['packed', {packed: true, packed_bytes: 3000}],
  ['packed, each line alone', {packed: true, packed_bytes: 1}],
  ['packed, larger than a request', {packed: true, packed_bytes: 1 << 20}],
] as const)('runs of lines make the same messages as their records: %s', (_, change) => {
  const records = Array.from({length: 60}, (_unused, n) =>
    event(n % 10 < 7 ? a : b, n === 33 ? 'y'.repeat(9000) : `n=${n};${'x'.repeat((n * 37) % 500)}`),
  );
  const encoder = createKafkaEncoder(config(change), undefined);
  const shown = (batch: readonly Item[]) => {
    const {pieces, rejected} = encoder.encode(batch, 8000, 0, 0);
    for (const {bytes} of pieces) expect(bytes).toBeLessThanOrEqual(8000);
    return {
      rejected,
      messages: messagesOf(pieces).map(({key, value, count}) => [key, value.toString(), count]),
    };
  };
  const found = shown(rendered(records));
  expect(found).toEqual(shown(records));
  expect(found.rejected).toBe(1);
  const numbers = found.messages.flatMap(([, value]) =>
    Array.from(String(value).matchAll(/n=(\d+);/g), (m) => Number(m[1])),
  );
  expect(numbers.sort((x, y) => x - y)).toEqual(
    Array.from({length: 60}, (_unused, n) => n).filter((n) => n !== 33),
  );
});

test('halves of lines are all of them, and a single message has none', () => {
  const {pieces} = createKafkaEncoder(config(), undefined).encode(
    rendered(Array.from({length: 7}, () => event())),
    1e6,
    0,
    0,
  );
  const [entry] = pieces[0]!.entries;
  const [first, second] = halves(entry!)!;
  expect([...valuesOf(first), ...valuesOf(second)].map(String)).toEqual(Array.from(valuesOf(entry!), String));
  expect(first.count + second.count).toBe(7);
  const [one] = halves(first)!;
  expect(halves(one)).toBeUndefined();
});

test.each(['none', 'gzip', 'lz4', 'snappy'] as const)(
  'kafkajs reads what it did not write itself: %s',
  async (compression) => {
    const broker = await startBroker();
    ends.push(() => broker.close());
    const exporter = createExporter(
      config({brokers: [`127.0.0.1:${broker.port}`], compression, key: 'ü-{pid}'}),
      makeContext(),
    );
    ends.push(() => exporter.stop());
    await exporter.start();
    const batch = rendered(
      Array.from({length: 300}, (_, n) => event(n % 20 < 10 ? a : b, `n=${n};${'x'.repeat(n)}`)),
    );
    expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'success', rejected: 0});
    expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'success', rejected: 0});
    const numbers = broker.batches.map(({bytes}) => {
      expect(bytes.readInt32BE(8)).toBe(bytes.length - 12);
      expect(bytes.readUInt32BE(17)).toBe(crc32c(bytes.subarray(21)));
      expect(bytes.readBigInt64BE(43)).toBe(7n);
      return [bytes.readInt32BE(53), bytes.readInt32BE(57)];
    });
    // Sequence numbers go on where the batch before ended.
    expect(numbers).toEqual([
      [0, 300],
      [300, 300],
    ]);
    if (compression === 'lz4' || compression === 'snappy') return;
    const {records} = await decodeBatch(new Decoder(broker.batches[0]!.bytes));
    expect(records.map(({offset}) => Number(offset))).toEqual(Array.from({length: 300}, (_, n) => n));
    const of = (key: string) =>
      records
        .filter((record) => String(record.key) === key)
        .map(({value}) => Number(/n=(\d+);/.exec(String(value))![1]));
    expect(of('ü-1')).toEqual(Array.from({length: 300}, (_, n) => n).filter((n) => n % 20 < 10));
    expect(of('ü-2')).toEqual(Array.from({length: 300}, (_, n) => n).filter((n) => n % 20 >= 10));
  },
);

test('OTLP values are the same export requests, made of records or of log records, batch after batch', async () => {
  const broker = await startBroker();
  ends.push(() => broker.close());
  const exporter = createExporter(
    config({brokers: [`127.0.0.1:${broker.port}`], encoding: 'otlp'}),
    makeContext(),
  ) as RenderingExporter;
  ends.push(() => exporter.stop());
  await exporter.start();
  expect(exporter.rendering?.form).toBe('logs');
  const renderer = new Renderer(exporter.rendering!, {maxRecords: 100, maxBytes: 1e6});
  for (let n = 0; n < 3; n++) {
    const records = [event(a, `n${n}.1`), makeMetric({process: a}), event(b, `n${n}.2`)];
    for (const record of records) renderer.add(record);
    for (const batch of [renderer.take().items, records]) {
      broker.batches.length = 0;
      expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'success', rejected: 0});
      const logs = [];
      for (const {topic, bytes} of broker.batches) {
        const {records: messages} = await decodeBatch(new Decoder(bytes));
        if (topic === 'scope.event')
          logs.push(...messages.map(({value}) => JSON.stringify(decodeOtlp('logs', value))));
      }
      expect(logs).toHaveLength(2);
      expect(logs.join('')).toContain(`n${n}.1`);
      expect(logs.join('')).toContain(`n${n}.2`);
      expect(logs.join('')).not.toContain(`n${n - 1}.`);
    }
  }
});
