// SPDX-License-Identifier: Apache-2.0
// Kafka messages: topics and keys from templates, packs, sizes; and a broker that refuses.
import {afterEach, expect, test} from 'vitest';
import type {KafkaExporterConfig} from '../../../../src/config/types.js';
import {createKafkaEncoder, topicName} from '../../../../src/exporters/kafka/encode.js';
import {createExporter} from '../../../../src/exporters/kafka/index.js';
import {makeContext, makeDelivery, NEVER} from '../../../helpers/delivery.js';
import {startBroker} from '../../../helpers/kafka-broker.js';
import {makeEvent, makeMetric, makeProcess} from '../../../helpers/records.js';

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
const event = (process = a, message = 'm') => makeEvent({process, data: {message}});

test('a message per record, a topic per kind, a key per process', () => {
  const {pieces, rejected} = createKafkaEncoder(config(), undefined).encode(
    [event(a), event(b), makeMetric({process: a})],
    1e6,
    0,
    0,
  );
  expect(rejected).toBe(0);
  const messages = pieces[0]!.messages;
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
  const messages = pieces.flatMap((piece) => piece.messages);
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
  expect(pieces.flatMap((piece) => piece.messages)).toHaveLength(50);
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

test('nobody there: check says so; templates are checked', async () => {
  const exporter = createExporter(config(), makeContext());
  expect(await exporter.check!(AbortSignal.timeout(3000))).toContain('cannot reach 127.0.0.1:1');
  expect(() => createExporter(config({key: '{nope}'}), makeContext())).toThrow(
    '{nope} is not known in a template',
  );
});
