// SPDX-License-Identifier: Apache-2.0
// The disk queue alone: what it finds after a restart, damage of every kind, a full disk, clocks that jump.
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {createDiskQueue, type DiskQueue} from '../../../../src/delivery/disk/queue.js';
import {type Dropped, noDrops} from '../../../../src/delivery/ledger.js';
import type {RelayRecord} from '../../../../src/records/types.js';
import {createFakeClock} from '../../../helpers/clock.js';
import {makeEvent, makeMetric, makeProcess} from '../../../helpers/records.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scope-queue-'));
  path = join(folder, 'queue');
});
const open = new Set<DiskQueue>();
afterEach(async () => {
  for (const queue of open) await queue.close();
  open.clear();
  rmSync(folder, {recursive: true, force: true});
});

interface Opened {
  queue: DiskQueue;
  dropped: Dropped;
  sent: {count: number};
  /** Ends it as kill -9 would: nothing is written any more. */
  kill(): void;
}

const clock = createFakeClock();

function openQueue(maxBytes = 8 * 1024 * 1024): Opened {
  const dropped = noDrops();
  const sent = {count: 0};
  const queue = createDiskQueue(
    {path, maxBytes, syncMs: 0},
    clock,
    (reason, count) => {
      dropped[reason] += count;
    },
    () => ({sent: sent.count, dropped}),
  );
  Object.assign(dropped, queue.recovered.dropped);
  sent.count = queue.recovered.sent;
  open.add(queue);
  return {
    queue,
    dropped,
    sent,
    kill() {
      // Files as they are go to a new folder; the open queue goes on with the old one, unobserved.
      const copy = join(folder, `copy${readdirSync(folder).length}`);
      copyFolder(path, copy);
      path = copy;
    },
  };
}

function copyFolder(from: string, to: string): void {
  rmSync(to, {recursive: true, force: true});
  const names = readdirSync(from).filter((name) => name !== 'lock');
  writeFolder(
    to,
    names.map((name) => [name, readFileSync(join(from, name))]),
  );
}

function writeFolder(to: string, files: [string, Buffer][]): void {
  rmSync(to, {recursive: true, force: true});
  mkdtempAt(to);
  for (const [name, bytes] of files) writeFileSync(join(to, name), bytes);
}

function mkdtempAt(to: string): void {
  const made = mkdtempSync(join(folder, 'new-'));
  rmSync(to, {recursive: true, force: true});
  renameFolder(made, to);
}

function renameFolder(from: string, to: string): void {
  renameSync(from, to);
}

let next = 0;
function chunk(count: number, size = 20) {
  const process = makeProcess({uuid: 'u1'});
  const records: RelayRecord[] = Array.from({length: count}, () =>
    makeEvent({channel: String(next++), data: {message: 'x'.repeat(size)}, process}),
  );
  return {items: records, count, bytes: count * (200 + size), time: clock.now()};
}
const ids = (records: readonly RelayRecord[]) =>
  records.map((record) => Number((record as {channel: string}).channel));
const range = (from: number, to: number) => Array.from({length: to - from}, (_, i) => from + i);

function drain(opened: Opened, size = 1000): number[] {
  const all: number[] = [];
  for (
    let batch = opened.queue.take(size, Infinity);
    batch.length > 0;
    batch = opened.queue.take(size, Infinity)
  ) {
    all.push(...ids(batch));
    opened.queue.ack();
    opened.sent.count += batch.length;
    opened.queue.saveLedger();
  }
  return all;
}
const segmentFiles = () =>
  readdirSync(path)
    .filter((name) => name.endsWith('.seg'))
    .sort();

beforeEach(() => {
  next = 0;
});

test('gives back what was pushed, in order, values of every kind included', async () => {
  const opened = openQueue();
  const odd = makeMetric({value: Number.NaN, attributes: {file: '\ud800 \0 ü', list: ['a'], ok: true}});
  opened.queue.push({items: [odd], count: 1, bytes: 100, time: clock.now()});
  expect(opened.queue.take(10, 1e6)).toEqual([odd]);
  opened.queue.ack();
  for (let i = 0; i < 50; i++) opened.queue.push(chunk(7));
  expect(opened.queue.records).toBe(350);
  expect(drain(opened, 10)).toEqual(range(0, 350));
  expect(opened.queue.records).toBe(0);
  expect(opened.queue.bytes).toBe(0);
  await opened.queue.close();
  expect(segmentFiles()).toEqual([]);
});

test('a record that cannot be stored costs itself alone', () => {
  const opened = openQueue();
  const bad = makeEvent({data: {f: () => 1}});
  const good = chunk(2);
  expect(opened.queue.push({...good, items: [good.items[0]!, bad, good.items[1]!], count: 3})).toBe(true);
  expect(opened.queue.push({items: [bad], count: 1, bytes: 1, time: clock.now()})).toBe(true);
  expect(opened.dropped.disk_error).toBe(2);
  expect(drain(opened)).toEqual([0, 1]);
});

test('files and folder are readable by their owner alone', () => {
  const opened = openQueue();
  opened.queue.push(chunk(1));
  opened.queue.saveLedger();
  expect(statSync(path).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(path)) expect(statSync(join(path, name)).mode & 0o777).toBe(0o600);
});

test('records of one process share one object after a restart', () => {
  const first = openQueue();
  first.queue.push(chunk(2));
  first.queue.push(chunk(2));
  first.kill();
  const batch = openQueue().queue.take(10, Infinity);
  expect(new Set(batch.map((record) => record.process)).size).toBe(1);
});

test('goes on after kill -9 at any point, with the counts of before', () => {
  const sentBefore = new Set<number>();
  let opened = openQueue();
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i <= round; i++) opened.queue.push(chunk(5, 3000));
    const batch = opened.queue.take(3 + round, Infinity);
    if (round % 3 !== 0) {
      for (const id of ids(batch)) sentBefore.add(id);
      opened.queue.ack();
      opened.sent.count += batch.length;
      if (round % 2 === 0) opened.queue.saveLedger();
    }
    opened.kill();
    const after = openQueue();
    expect(after.queue.records + after.sent.count).toBe(next);
    opened = after;
  }
  const rest = drain(opened);
  expect([...new Set([...sentBefore, ...rest])].sort((a, b) => a - b)).toEqual(range(0, next));
  expect(opened.dropped.corrupt).toBe(0);
});

test('a torn tail costs nothing that was accepted', () => {
  for (const cut of [1, 17, 39, 40, 41, 200]) {
    path = join(folder, `torn${cut}`);
    next = 0;
    const opened = openQueue();
    for (let i = 0; i < 10; i++) opened.queue.push(chunk(3));
    opened.kill();
    const last = join(path, segmentFiles().at(-1)!);
    const whole = readFileSync(last);
    // The last entry was being written when the power went.
    truncateSync(last, whole.length - cut);
    const after = openQueue();
    expect(after.queue.records).toBe(27);
    after.queue.push(chunk(3));
    after.kill();
    const again = openQueue();
    expect(drain(again)).toEqual([...range(0, 27), ...range(30, 33)]);
    expect(again.dropped.corrupt).toBe(0);
  }
});

test('flipped bits are found, skipped and counted exactly', () => {
  const opened = openQueue();
  for (let i = 0; i < 200; i++) opened.queue.push(chunk(3, 1000));
  opened.queue.saveLedger();
  opened.kill();
  const names = segmentFiles();
  expect(names.length).toBe(1);
  const files = readdirSync(path).map((name) => [name, readFileSync(join(path, name))] as [string, Buffer]);
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return seed % below;
  };
  for (let round = 0; round < 40; round++) {
    path = join(folder, `flip${round}`);
    const damaged = files.map(([name, bytes]) => [name, Buffer.from(bytes)] as [string, Buffer]);
    const segment = damaged.find(([name]) => name.endsWith('.seg'))![1];
    for (let flips = 0; flips <= round % 5; flips++) {
      const at = random(segment.length);
      segment[at] = segment[at]! ^ (1 << random(8));
    }
    writeFolder(path, damaged);
    const after = openQueue();
    const got = drain(after);
    expect(got.length + after.dropped.corrupt).toBe(600);
    expect(after.queue.records).toBe(0);
    expect(got).toEqual([...got].sort((a, b) => a - b));
    expect(got.length).toBeGreaterThanOrEqual(600 - 3 * 6);
  }
});

test('a segment full of garbage or gone is counted and passed over', () => {
  const opened = openQueue(512 * 1024);
  for (let i = 0; i < 100; i++) opened.queue.push(chunk(4, 1000));
  opened.queue.saveLedger();
  opened.kill();
  const names = segmentFiles();
  expect(names.length).toBeGreaterThan(4);
  writeFileSync(join(path, names[1]!), Buffer.alloc(5000, 0xa5));
  rmSync(join(path, names[3]!));
  const after = openQueue(512 * 1024);
  expect(after.queue.records).toBe(400);
  const got = drain(after);
  expect(got.length + after.dropped.corrupt).toBe(400);
  expect(got.length).toBeGreaterThan(200);
  expect(got[0]).toBe(0);
  expect(got.at(-1)).toBe(399);
});

test('a damaged ledger means sending again, never losing', () => {
  const opened = openQueue();
  for (let i = 0; i < 10; i++) opened.queue.push(chunk(3));
  opened.queue.take(12, Infinity);
  opened.queue.ack();
  opened.queue.saveLedger();
  opened.queue.saveLedger();
  opened.kill();
  const ledger = readFileSync(join(path, 'ledger'));
  const one = Buffer.from(ledger);
  one[10] = one[10]! ^ 1;
  writeFileSync(join(path, 'ledger'), one);
  const other = openQueue();
  expect(other.queue.records).toBe(18);
  other.kill();
  writeFileSync(join(path, 'ledger'), Buffer.alloc(2048, 0xff));
  expect(drain(openQueue())).toEqual(range(0, 30));
});

test('drops the oldest when told to, and removes their files', async () => {
  const opened = openQueue(512 * 1024);
  for (let i = 0; i < 100; i++) opened.queue.push(chunk(4, 1000));
  const before = segmentFiles().length;
  const bytes = opened.queue.bytes;
  const dropped = opened.queue.dropOldest(bytes / 2);
  expect(dropped).toBeGreaterThan(150);
  expect(opened.queue.records).toBe(400 - dropped);
  expect(opened.queue.bytes).toBeLessThanOrEqual(bytes / 2);
  expect(drain(opened)).toEqual(range(dropped, 400));
  await opened.queue.close();
  expect(segmentFiles().length).toBeLessThan(before);
});

test('forgets what is too old, by a clock that does not jump, across a restart too', async () => {
  const opened = openQueue();
  opened.queue.push(chunk(2));
  await clock.advance(10_000);
  clock.jump(-3_600_000);
  const late = chunk(3);
  opened.queue.push(late);
  opened.kill();
  const after = openQueue();
  clock.jump(86_400_000);
  expect(after.queue.expire(clock.now() - 60_000)).toBe(0);
  expect(after.queue.expire(clock.now() - 5_000)).toBe(2);
  expect(drain(after)).toEqual(ids(late.items));
});

test('a folder in use is refused, one left by a dead process is taken', async () => {
  const opened = openQueue();
  expect(() => openQueue()).toThrow(/is used by process/);
  await opened.queue.close();
  writeFileSync(join(path, 'lock'), '4194303 123');
  expect(openQueue().queue.records).toBe(0);
});

test('a folder that cannot be made is said with its name', () => {
  writeFileSync(path, 'a file');
  expect(() => openQueue()).toThrow(path);
  if (process.getuid?.() === 0) return;
  const locked = join(folder, 'locked');
  mkdtempAt(locked);
  chmodSync(locked, 0o500);
  path = join(locked, 'queue');
  expect(() => openQueue()).toThrow(/EACCES/);
});
