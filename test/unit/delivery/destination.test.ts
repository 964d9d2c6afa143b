// SPDX-License-Identifier: Apache-2.0
// A destination: batches, retry, timeout, full queues, end; and its books after every step.
import {afterEach, expect, test} from 'vitest';
import {createDestination, type Destination} from '../../../src/delivery/destination.js';
import type {RelayRecord} from '../../../src/records/types.js';
import {createFakeClock, settle} from '../../helpers/clock.js';
import {accounted, createScriptedExporter, hang, makeSettings} from '../../helpers/exporter.js';
import {makeEvent, makeProcess} from '../../helpers/records.js';

const open: Destination[] = [];
afterEach(async () => {
  for (const destination of open.splice(0)) await destination.stop(0);
});

function setup(change: Parameters<typeof makeSettings>[0] = {}) {
  const clock = createFakeClock();
  const exporter = createScriptedExporter();
  const destination = createDestination(makeSettings(change), exporter, clock, () => 0.5);
  return {clock, exporter, destination};
}

const events = (count: number, message = 'hello') =>
  Array.from({length: count}, (_, i) => makeEvent({channel: String(i), data: {message}}));

test('sends a full batch at once and the rest after the interval', async () => {
  const {clock, exporter, destination} = setup();
  await destination.start();
  destination.push(events(25));
  await clock.advance(0);
  expect(exporter.offered.map((batch) => batch.length)).toEqual([10, 10]);
  expect(destination.status()).toMatchObject({accepted: 25, sent: 20, queued: 5});
  await clock.advance(100);
  expect(exporter.offered.map((batch) => batch.length)).toEqual([10, 10, 5]);
  expect(exporter.taken.map((record) => (record as {channel: string}).channel)).toEqual(
    Array.from({length: 25}, (_, i) => String(i)),
  );
  expect(accounted(destination.status())).toBe(25);
  await destination.stop(0);
});

test('a batch that sources wait for is not kept for others to fill it', async () => {
  const {clock, exporter, destination} = setup({
    queue: {maxBytes: 64 * 1024},
    batch: {maxRecords: 1000, maxBytes: 1024 * 1024, maxWaitMs: 100},
  });
  await destination.start();
  let pushed = 0;
  for (; !destination.behind && pushed < 500; pushed++) destination.push(events(1));
  expect(destination.behind).toBe(true);
  await clock.advance(0);
  expect(exporter.offered.map((batch) => batch.length)).toEqual([pushed]);
  expect(destination.behind).toBe(false);
  expect(accounted(destination.status())).toBe(pushed);
  await destination.stop(0);
});

test('repeats a batch with growing pauses and not below what the peer asked', async () => {
  const {clock, exporter, destination} = setup();
  await destination.start();
  exporter.answers.push(
    {outcome: 'retryable', reason: 'busy'},
    {outcome: 'retryable', reason: 'busy', afterMs: 5000},
    {outcome: 'retryable', reason: 'busy'},
  );
  destination.push(events(10));
  await clock.advance(99);
  expect(exporter.offered).toHaveLength(1);
  expect(destination.status()).toMatchObject({state: 'retrying', reason: 'busy', queued: 10});
  await clock.advance(1);
  expect(exporter.offered).toHaveLength(2);
  await clock.advance(4999);
  expect(exporter.offered).toHaveLength(2);
  await clock.advance(1);
  expect(exporter.offered).toHaveLength(3);
  destination.push(events(1));
  await clock.advance(399);
  expect(exporter.offered).toHaveLength(3);
  await clock.advance(1);
  expect(destination.status()).toMatchObject({state: 'ok', sent: 11, retried: 3});
  await destination.stop(0);
});

test('counts what the peer refused, in part and whole', async () => {
  const {clock, exporter, destination} = setup();
  await destination.start();
  exporter.answers.push(
    {outcome: 'success', rejected: 3, reason: 'too old'},
    {outcome: 'failure', reason: '400'},
  );
  destination.push(events(20));
  await clock.advance(0);
  const status = destination.status();
  expect(status).toMatchObject({accepted: 20, sent: 7, queued: 0, state: 'failing', reason: '400'});
  expect(status.dropped).toMatchObject({rejected: 3, failed: 10});
  await destination.stop(0);
});

test('room that comes by age is room', async () => {
  const {clock, exporter, destination} = setup({
    queue: {whenFull: 'block', maxBytes: 8 * 1024, maxAgeMs: 300},
    timeoutMs: 5000 as never,
  });
  await destination.start();
  exporter.answers.push(async () => {
    await new Promise<void>((resolve) => clock.after(600, resolve));
    return {outcome: 'success'};
  });
  while (destination.push(events(10)));
  const accepted = destination.status().accepted;
  let ready = false;
  void destination.ready().then(() => {
    ready = true;
  });
  await clock.advance(500);
  expect(ready).toBe(false);
  await clock.advance(200);
  expect(destination.status()).toMatchObject({queued: 0, sent: 10, blocked: false});
  expect(accounted(destination.status())).toBe(accepted);
  expect(ready).toBe(true);
  await destination.stop(0);
});

test('gives up an attempt after the timeout and tries again', async () => {
  const {clock, exporter, destination} = setup();
  await destination.start();
  exporter.answers.push(hang);
  destination.push(events(10));
  await clock.advance(1000);
  expect(destination.status()).toMatchObject({state: 'retrying', reason: 'no answer in 1000 ms'});
  await clock.advance(100);
  expect(destination.status()).toMatchObject({state: 'ok', sent: 10});
  await destination.stop(0);
});

test('drops a batch that makes the exporter throw three times', async () => {
  const {clock, exporter, destination} = setup();
  await destination.start();
  const fault = () => Promise.reject(new Error('cannot encode'));
  exporter.answers.push(fault, fault, fault);
  destination.push(events(10));
  await clock.advance(1000);
  expect(destination.status()).toMatchObject({
    sent: 0,
    queued: 0,
    dropped: {failed: 10},
    reason: 'cannot encode',
  });
  destination.push(events(10));
  await clock.advance(0);
  expect(destination.status()).toMatchObject({sent: 10});
  await destination.stop(0);
});

test('drops a batch as failed when retry.max_elapsed is over', async () => {
  const {clock, exporter, destination} = setup({retry: {maxElapsedMs: 500}});
  await destination.start();
  for (let i = 0; i < 20; i++) exporter.answers.push({outcome: 'retryable', reason: 'down'});
  destination.push(events(10));
  await clock.advance(5000);
  expect(destination.status()).toMatchObject({queued: 0, dropped: {failed: 10}});
  await destination.stop(0);
});

test.each([
  ['drop_oldest', '90'],
  ['drop_newest', '0'],
] as const)('%s keeps the books and the right end of the queue', async (whenFull, first) => {
  const {clock, exporter, destination} = setup({queue: {whenFull, maxBytes: 2300}});
  for (let i = 0; i < 100; i++) {
    const [record] = events(1);
    destination.push([{...record!, channel: String(i)} as RelayRecord]);
    expect(accounted(destination.status())).toBe(i + 1);
  }
  const {queued, dropped} = destination.status();
  expect(queued + dropped.queue_full).toBe(100);
  expect(queued).toBe(10);
  await destination.start();
  await clock.advance(100);
  expect((exporter.taken[0] as {channel: string}).channel).toBe(first);
  await destination.stop(0);
});

test('block asks to wait, keeps what was pushed, and says when it goes on', async () => {
  const {clock, exporter, destination} = setup({queue: {whenFull: 'block', maxBytes: 2300}});
  expect(destination.push(events(10))).toBe(true);
  expect(destination.push(events(5))).toBe(false);
  expect(destination.status()).toMatchObject({blocked: true, queued: 15});
  let ready = false;
  void destination.ready().then(() => {
    ready = true;
  });
  await settle();
  expect(ready).toBe(false);
  await destination.start();
  await clock.advance(100);
  expect(ready).toBe(true);
  expect(exporter.taken).toHaveLength(15);
  // Who does not wait loses records beyond twice the limit, counted.
  exporter.answers.push(...Array.from({length: 5}, () => ({outcome: 'retryable', reason: 'down'}) as const));
  for (let i = 0; i < 10; i++) destination.push(events(5));
  const status = destination.status();
  expect(status.dropped.queue_full).toBeGreaterThan(0);
  expect(accounted(status)).toBe(65);
  await destination.stop(0);
});

test('drops what is older than max_age, also in the batch that is being retried', async () => {
  const {clock, exporter, destination} = setup({queue: {maxAgeMs: 2000}});
  await destination.start();
  for (let i = 0; i < 30; i++) exporter.answers.push({outcome: 'retryable', reason: 'down'});
  destination.push(events(15));
  clock.jump(-86_400_000);
  await clock.advance(1000);
  clock.jump(7 * 86_400_000);
  expect(destination.status().queued).toBe(15);
  await clock.advance(2500);
  expect(destination.status()).toMatchObject({queued: 0, dropped: {expired: 15}});
  await destination.stop(0);
});

test('does not take kinds the exporter cannot send', () => {
  const {destination} = setup();
  const payload: RelayRecord = {
    kind: 'payload',
    time: 0,
    channel: '1',
    fd: 1,
    source: 'none',
    localIp: '',
    localPort: 0,
    remoteIp: '',
    remotePort: 0,
    protocol: '',
    bytes: new Uint8Array(3),
    process: makeProcess(),
  };
  destination.push([payload, ...events(1)]);
  expect(destination.status()).toMatchObject({accepted: 2, queued: 1, dropped: {unsupported: 1}});
});

test('stop sends what waits, then counts what it could not', async () => {
  const first = setup();
  await first.destination.start();
  first.destination.push(events(3));
  await first.destination.stop(1000);
  expect(first.destination.status()).toMatchObject({state: 'stopped', sent: 3, queued: 0});
  expect(first.exporter.stopped).toBe(1);
  expect(first.clock.timers).toBe(0);

  const second = setup();
  await second.destination.start();
  second.exporter.answers.push(hang, hang, hang);
  second.destination.push(events(3));
  const stopped = second.destination.stop(500);
  await second.clock.advance(500);
  await stopped;
  expect(second.destination.status()).toMatchObject({sent: 0, queued: 0, dropped: {stopped: 3}});
  second.destination.push(events(1));
  expect(second.destination.status()).toMatchObject({accepted: 4, dropped: {stopped: 4}});
  await second.destination.stop();
});

test('an exporter that ignores the signal cannot hold up the end', async () => {
  const {clock, exporter, destination} = setup();
  await destination.start();
  let answer: (() => void) | undefined;
  exporter.answers.push(
    () =>
      new Promise((resolve) => {
        answer = () => resolve({outcome: 'success'});
      }),
  );
  destination.push(events(10));
  await clock.advance(0);
  const stopped = destination.stop(100);
  await clock.advance(3000);
  await stopped;
  answer?.();
  await settle();
  expect(destination.status()).toMatchObject({accepted: 10, sent: 0, queued: 0, dropped: {stopped: 10}});
});
