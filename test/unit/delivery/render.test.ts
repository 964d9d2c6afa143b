// SPDX-License-Identifier: Apache-2.0
import {expect, test} from 'vitest';
import {createDestination} from '../../../src/delivery/destination.js';
import type {RenderingExporter} from '../../../src/delivery/exporter.js';
import {Renderer, renderAll} from '../../../src/delivery/render.js';
import {ByteWriter} from '../../../src/records/byte-writer.js';
import type {Item, Rendered} from '../../../src/records/rendered.js';
import type {Event, RelayRecord} from '../../../src/records/types.js';
import {createFakeClock} from '../../helpers/clock.js';
import {accounted, makeSettings} from '../../helpers/exporter.js';
import {makeEvent, makeMetric, makeProcess} from '../../helpers/records.js';

const [a, b] = [makeProcess({pid: 1}), makeProcess({pid: 2})];
const text = (process: typeof a, data: string) => makeEvent({process, data});
const LIMITS = {maxRecords: 100, maxBytes: 1024 * 1024};

/** Events as their text and a newline; `!` has no form, metrics stay. */
function rendering() {
  const out = new ByteWriter(0);
  const write = (record: RelayRecord): boolean | undefined => {
    if (record.kind !== 'event') return undefined;
    const {data} = record as Event & {data: string};
    if (data.startsWith('!')) return false;
    out.bytes(Buffer.from(`${data}\n`));
    return true;
  };
  return {out, write};
}

const shown = (items: readonly Item[]) =>
  items.map((item) =>
    item.kind === 'rendered' ? [item.first.process.pid, item.count, item.bytes.toString()] : item.kind,
  );

test('makes a run of what one process says, in order', () => {
  const renderer = new Renderer(rendering(), LIMITS);
  for (const record of [text(a, 'x'), text(a, 'y'), text(b, 'z'), makeMetric({process: b}), text(b, 'w')])
    expect(renderer.add(record)).toBe(true);
  expect(renderer.add(text(b, '!'))).toBe(false);
  expect(renderer.count).toBe(5);
  const made = renderer.take();
  expect(shown(made.items)).toEqual([[1, 2, 'x\ny\n'], [2, 1, 'z\n'], 'metric', [2, 1, 'w\n']]);
  expect(made.count).toBe(5);
  expect(renderer.take()).toEqual({items: [], count: 0, bytes: 0});
});

test('no run is larger than a batch', () => {
  const renderer = new Renderer(rendering(), {maxRecords: 3, maxBytes: 10});
  for (let n = 0; n < 7; n++) renderer.add(text(a, String(n)));
  renderer.add(text(a, 'long'.repeat(5)));
  renderer.add(text(a, 'x'));
  expect(renderer.take().items.map((item) => (item as Rendered).count)).toEqual([3, 3, 2, 1]);
});

test('memory is used again when it was given back, and never while a run in it is read', () => {
  const renderer = new Renderer(rendering(), LIMITS);
  const big = 'x'.repeat(60_000);
  const held: {item: Rendered; copy: Buffer}[] = [];
  const slabs = new Set<ArrayBufferLike>();
  for (let n = 0; n < 400; n++) {
    for (let i = 0; i < 3; i++) renderer.add(text(a, `${n}.${i}${big}`));
    const made = renderer.take();
    for (const item of made.items as Rendered[]) {
      slabs.add(item.bytes.buffer);
      held.push({item, copy: Buffer.from(item.bytes)});
    }
    while (held.length > n % 7) {
      const {item, copy} = held.shift()!;
      expect(item.bytes.equals(copy)).toBe(true);
      // Each tenth is perhaps still read by somebody.
      renderer.release([item], n % 10 !== 0);
    }
  }
  expect(slabs.size).toBeLessThan(120);
});

test('memory that somebody may still read stays as it is', () => {
  const renderer = new Renderer(rendering(), LIMITS);
  renderer.add(text(a, 'kept'));
  const {items} = renderer.take();
  renderer.release(items, false);
  for (let n = 0; n < 20; n++) {
    renderer.add(text(a, 'y'.repeat(50_000)));
    renderer.release(renderer.take().items, true);
  }
  expect((items[0] as Rendered).bytes.toString()).toBe('kept\n');
});

test('a record that is longer than the memory at hand comes whole', () => {
  const renderer = new Renderer(rendering(), LIMITS);
  renderer.add(text(a, 'x'));
  renderer.add(text(a, 'y'.repeat(700_000)));
  renderer.add(text(a, 'z'));
  const bytes = Buffer.concat(renderer.take().items.map((item) => (item as Rendered).bytes));
  expect(bytes.toString()).toBe(`x\n${'y'.repeat(700_000)}\nz\n`);
});

test('records from a disk queue are rendered without touching the memory of a renderer', () => {
  const shared = rendering();
  const renderer = new Renderer(shared, LIMITS);
  renderer.add(text(a, 'first'));
  const {items} = renderer.take();
  const all = renderAll([text(b, 'x'), ...items, text(b, '!'), text(a, 'y')], shared);
  expect(shown(all.items)).toEqual([
    [2, 1, 'x\n'],
    [1, 1, 'first\n'],
    [1, 1, 'y\n'],
  ]);
  expect(all.rejected).toBe(1);
  renderer.add(text(a, 'second'));
  expect(shown([...items, ...renderer.take().items])).toEqual([
    [1, 1, 'first\n'],
    [1, 1, 'second\n'],
  ]);
});

test('the books of a destination count records, not runs', async () => {
  const clock = createFakeClock();
  const taken: string[] = [];
  const answers: ('retryable' | 'failure')[] = ['retryable', 'failure'];
  const exporter: RenderingExporter = {
    type: 'bytes',
    rendering: rendering(),
    accepts: (record) => record.kind !== 'payload',
    start: () => Promise.resolve(),
    send(batch) {
      const outcome = answers.shift();
      if (outcome !== undefined) return Promise.resolve({outcome, reason: 'no'});
      for (const item of batch) if (item.kind === 'rendered') taken.push(item.bytes.toString());
      return Promise.resolve({outcome: 'success'});
    },
    stop: () => Promise.resolve(),
  };
  const destination = createDestination(
    makeSettings({batch: {maxRecords: 4}, queue: {maxBytes: 200}}),
    exporter,
    clock,
  );
  const numbers = (from: number, to: number) =>
    Array.from({length: to - from}, (_, i) => text(a, String(from + i)));
  const balanced = (): void => {
    const status = destination.status();
    expect(accounted(status)).toBe(status.accepted);
  };
  destination.push([...numbers(0, 6), text(a, '!')]);
  expect(destination.status()).toMatchObject({accepted: 7, queued: 6, dropped: {rejected: 1}});
  await destination.start();
  for (let i = 0; i < 20; i++) {
    balanced();
    await clock.advance(100);
  }
  // The first four were refused whole after one repetition.
  expect(destination.status()).toMatchObject({sent: 2, dropped: {failed: 4}, retried: 1});
  expect(taken.join('')).toBe('4\n5\n');
  destination.push([text(a, 'x'.repeat(150))]);
  destination.push([text(a, 'y'.repeat(150))]);
  balanced();
  expect(destination.status().dropped.queue_full).toBe(1);
  await destination.stop(0);
  balanced();
});
