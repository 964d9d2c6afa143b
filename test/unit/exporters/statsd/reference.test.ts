// SPDX-License-Identifier: Apache-2.0
// Our lines beside those of the statsd-client package for the same metrics.
import {createSocket} from 'node:dgram';
import {createRequire} from 'node:module';
import {expect, test} from 'vitest';
import {statsdLine} from '../../../../src/records/statsd.js';
import {until} from '../../../helpers/delivery.js';
import {makeMetric, makeProcess} from '../../../helpers/records.js';

type Tags = Record<string, string>;
interface Client {
  counter(name: string, value: number, tags?: Tags): void;
  gauge(name: string, value: number, tags?: Tags): void;
  timing(name: string, value: number, tags?: Tags): void;
  histogram(name: string, value: number, tags?: Tags): void;
  close(): void;
}
const StatsdClient = createRequire(import.meta.url)('statsd-client') as new (options: object) => Client;

test('a receiver sees no difference', async () => {
  const socket = createSocket('udp4');
  const packets: string[] = [];
  socket.on('message', (bytes) => packets.push(bytes.toString()));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const client = new StatsdClient({
    host: '127.0.0.1',
    port: socket.address().port,
    prefix: 'app',
    socketTimeout: 20,
  });
  try {
    const tags = {team: 'blue', zone: 'a'};
    client.counter('n', 3, tags);
    client.gauge('g', 7, tags);
    client.timing('t', 12, tags);
    client.histogram('h', 5, tags);
    client.counter('plain', 1);
    const lines = () => packets.join('\n').split('\n').filter(Boolean);
    await until(() => lines().length === 5, '5 lines');
    const ours = (
      name: string,
      type: 'counter' | 'gauge' | 'timer' | 'histogram',
      value: number,
      own: Tags = {},
    ) =>
      statsdLine(makeMetric({name, type, value, summary: false, process: makeProcess({tags: own})}), {
        prefix: 'app.',
        dialect: 'dogstatsd',
        maxLength: 512,
        verbosity: 0,
      })!.trim();
    expect(lines()).toEqual([
      ours('n', 'counter', 3, tags),
      ours('g', 'gauge', 7, tags),
      ours('t', 'timer', 12, tags),
      ours('h', 'histogram', 5, tags),
      ours('plain', 'counter', 1),
    ]);
  } finally {
    client.close();
    socket.close();
  }
});
