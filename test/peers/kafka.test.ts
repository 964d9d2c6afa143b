// SPDX-License-Identifier: Apache-2.0
// A real Kafka 4 broker: every codec, login, restart in the middle; read back by Kafka's own console consumer.
import {execFile} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import {promisify} from 'node:util';
import kafkajs from 'kafkajs';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {KafkaExporterConfig} from '../../src/config/types.js';
import {makeDelivery, until} from '../helpers/delivery.js';
import {decodeOtlp} from '../helpers/otlp.js';
import {
  Bench,
  counters,
  drained,
  events,
  freePort,
  installed,
  listening,
  numbersIn,
  type Server,
} from './support.js';

const run = promisify(execFile);
const jars = installed('kafka');
const bench = new Bench();
const JVM = [
  `-Djava.io.tmpdir=${bench.folder}`,
  '-Xmx400m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-cp',
  `${jars}/*`,
];
const LOGIN = {username: 'scope', password: 'secret'};

describe.skipIf(jars === undefined)('kafka', () => {
  let port: number;
  let loginPort: number;
  let server: Server;

  async function startBroker(): Promise<void> {
    server = bench.start('java', [...JVM, 'kafka.Kafka', bench.path('server.properties')]);
    await listening(port, server);
    await listening(loginPort, server);
  }

  beforeAll(async () => {
    port = await freePort();
    loginPort = await freePort();
    const controller = await freePort();
    writeFileSync(
      bench.path('server.properties'),
      [
        'process.roles=broker,controller',
        'node.id=1',
        `controller.quorum.voters=1@127.0.0.1:${controller}`,
        `listeners=PLAINTEXT://127.0.0.1:${port},LOGIN://127.0.0.1:${loginPort},CONTROLLER://127.0.0.1:${controller}`,
        'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,LOGIN:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
        'inter.broker.listener.name=PLAINTEXT',
        'controller.listener.names=CONTROLLER',
        'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
        'listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_scope="secret";',
        'listener.name.login.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;',
        'listener.name.login.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;',
        `log.dirs=${bench.path('data')}`,
        'num.partitions=3',
        'offsets.topic.num.partitions=1',
        'offsets.topic.replication.factor=1',
        'transaction.state.log.replication.factor=1',
        'transaction.state.log.min.isr=1',
        'group.initial.rebalance.delay.ms=0',
      ].join('\n'),
    );
    const scram = ['256', '512'].flatMap((n) => [
      '--add-scram',
      `SCRAM-SHA-${n}=[name=scope,password=secret]`,
    ]);
    const id = 'MkU3OEVBNTcwNTJENDM2Qk';
    const format = [
      'kafka.tools.StorageTool',
      'format',
      '-t',
      id,
      '-c',
      bench.path('server.properties'),
      ...scram,
    ];
    await run('java', [...JVM, ...format], {timeout: 60_000});
    await startBroker();
  });
  afterAll(() => bench.end());

  function config(change: Partial<KafkaExporterConfig>): KafkaExporterConfig {
    return {
      ...makeDelivery(),
      type: 'kafka',
      brokers: [`127.0.0.1:${port}`],
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
    };
  }

  /** The values of topics, as Kafka's console consumer prints them. */
  async function consume(topics: string, messages: number): Promise<string> {
    const args = ['--bootstrap-server', `127.0.0.1:${port}`, '--include', topics, '--from-beginning'];
    const limits = ['--max-messages', String(messages), '--timeout-ms', '20000'];
    const main = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
    const {stdout} = await run('java', [...JVM, main, ...args, ...limits], {
      maxBuffer: 1 << 28,
      timeout: 60_000,
    });
    return stdout;
  }

  test('takes every codec, and its own consumer reads them', async () => {
    const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
    for (const [i, compression] of codecs.entries()) {
      const destination = await bench.destination(config({topic: `codec.${compression}`, compression}));
      destination.push(events(i * 1000, i * 1000 + 1000));
      await drained(destination);
      expect(destination.status()).toMatchObject({sent: 1000, state: 'ok'});
      await destination.stop(5000);
    }
    const text = await consume('codec\\..*', 5000);
    expect(numbersIn(text).sort((a, b) => a - b)).toEqual(Array.from({length: 5000}, (_, i) => i));
    expect(JSON.parse(text.split('\n')[0]!)).toMatchObject({type: 'evt', body: {proc: 'shop', pid: 77}});
  });

  test('loses nothing when the broker is killed in the middle, and keeps the order of a key', async () => {
    const destination = await bench.destination(
      config({topic: 'restart', compression: 'zstd', timeout: 5000}),
    );
    destination.push(events(0, 2000));
    await drained(destination);
    await server.kill();
    destination.push(events(2000, 4000));
    await until(() => destination.status().state === 'retrying', 'a failed attempt');
    expect(destination.status().queued).toBe(2000);
    await startBroker();
    destination.push(events(4000, 6000));
    await drained(destination, 90_000);
    expect(destination.status()).toMatchObject({accepted: 6000, sent: 6000});
    const got = numbersIn(await consume('restart', 6000));
    const firsts = [...new Set(got)];
    expect(firsts).toEqual(Array.from({length: 6000}, (_, i) => i));
  });

  test('loses nothing when the broker does not answer for a while', async () => {
    const destination = await bench.destination(config({topic: 'frozen', timeout: 1500}));
    destination.push(events(0, 500));
    await drained(destination);
    server.freeze();
    destination.push(events(500, 1000));
    await until(() => destination.status().state === 'retrying', 'a timeout');
    server.thaw();
    destination.push(events(1000, 1500));
    await drained(destination);
    expect(destination.status()).toMatchObject({accepted: 1500, sent: 1500});
    const got = new Set(numbersIn(await consume('frozen', 1500)));
    // What was in flight may be there twice, and pushes the last ones behind the count.
    for (let n = 0; n < 1000; n++) expect(got.has(n)).toBe(true);
  });

  test('packed messages hold many lines; OTLP values are export requests', async () => {
    const packed = await bench.destination(config({topic: 'packed', packed: true, compression: 'gzip'}));
    packed.push(events(0, 3000));
    const otlp = await bench.destination(config({topic: 'otlp.{kind}', encoding: 'otlp'}));
    otlp.push([...counters(3, 10), ...events(0, 10)]);
    await drained(packed);
    await drained(otlp);
    const values = new Map<string, Buffer[]>();
    const consumer = new kafkajs.Kafka({
      brokers: [`127.0.0.1:${port}`],
      logLevel: kafkajs.logLevel.NOTHING,
    }).consumer({groupId: 'reader'});
    try {
      await consumer.connect();
      await consumer.subscribe({topics: ['packed', 'otlp.metric', 'otlp.event'], fromBeginning: true});
      await consumer.run({
        eachMessage({topic, message}) {
          values.set(topic, [...(values.get(topic) ?? []), message.value!]);
          return Promise.resolve();
        },
      });
      const lines = () => numbersIn((values.get('packed') ?? []).join('\n'));
      await until(() => values.size === 3 && lines().length >= 3000, 'messages of all topics');
      expect(new Set(lines()).size).toBe(3000);
      expect(values.get('packed')!.length).toBeLessThan(100);
    } finally {
      await consumer.disconnect();
    }
    expect(JSON.stringify(decodeOtlp('metrics', values.get('otlp.metric')![0]!))).toContain(
      'appscope.file.io',
    );
    expect(numbersIn(JSON.stringify(decodeOtlp('logs', values.get('otlp.event')![0]!)))).toHaveLength(10);
  });

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    'logs in by %s, and says when it cannot',
    async (mechanism) => {
      const brokers = [`127.0.0.1:${loginPort}`];
      const good = await bench.destination(config({brokers, topic: 'login', sasl: {mechanism, ...LOGIN}}));
      good.push(events(0, 10));
      await drained(good);
      expect(good.status()).toMatchObject({sent: 10});
      const bad = await bench.destination(
        config({brokers, topic: 'login', sasl: {mechanism, ...LOGIN, password: 'x'}}),
      );
      bad.push(events(0, 1));
      await until(() => bad.status().state === 'retrying', 'a refusal');
      expect(bad.status().reason).toMatch(/[Aa]uthentication/);
    },
  );

  test('a topic that is not there is waited for', async () => {
    const destination = await bench.destination(
      config({topic: 'made.later', create_topics: false, timeout: 5000}),
    );
    destination.push(events(0, 5));
    await until(() => destination.status().state === 'retrying', 'a refusal', 60_000);
    expect(destination.status().reason).toMatch(/topic/i);
    const admin = new kafkajs.Kafka({
      brokers: [`127.0.0.1:${port}`],
      logLevel: kafkajs.logLevel.NOTHING,
    }).admin();
    await admin.connect();
    await admin.createTopics({topics: [{topic: 'made.later'}]});
    await admin.disconnect();
    await drained(destination);
    expect(destination.status()).toMatchObject({sent: 5});
  });
});
