// SPDX-License-Identifier: Apache-2.0
import {copyFileSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {build} from 'esbuild';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';
import {type ChannelFolder, LIMITS, LOST, openFolder} from '../../../src/channel/index.js';
import {
  buildFeeder,
  buildWriter,
  Checker,
  Children,
  drain,
  drainAll,
  only,
  removeFolder,
  tempFolder,
  until,
} from './harness.js';

const children = new Children();
const tools = tempFolder();
const reader = join(tools, 'reader.mjs');
let writer = '';
let feeder = '';
let dir = '';
const open: ChannelFolder[] = [];

beforeAll(async () => {
  writer = buildWriter(tools);
  feeder = buildFeeder(tools);
  await build({
    entryPoints: [join(import.meta.dirname, 'reader-child.ts')],
    outfile: reader,
    bundle: true,
    format: 'esm',
    platform: 'node',
  });
});
afterAll(() => removeFolder(tools));
beforeEach(() => {
  dir = tempFolder();
});
afterEach(() => {
  children.killAll();
  for (const folder of open.splice(0)) folder.close();
  removeFolder(dir);
});

function start(options = {}): ChannelFolder {
  const folder = openFolder(dir, {create: true, ...options});
  open.push(folder);
  folder.start(() => {});
  return folder;
}

/** The numbers that the reader wrote, by thread, in order. */
function written(output: string): Map<number, number[]> {
  const bytes = readFileSync(output);
  const rows = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
  const threads = new Map<number, number[]>();
  for (let i = 0; i < rows.length; i += 2) {
    const list = threads.get(rows[i]!) ?? [];
    threads.set(rows[i]!, list);
    list.push(rows[i + 1]!);
  }
  return threads;
}

describe('kill -9 of the relay', () => {
  const count = 150_000;
  const leaping = () => feeder;
  it.each([
    ['as channel.h says', () => writer, `write:${count}:60:4`],
    ['that leaps over what is unread', leaping, `bursts:${count}:4`],
  ])('at any point: the next one goes on without loss or duplicate (a writer %s)', async (_, binary, op) => {
    openFolder(dir, {create: true, control: {maxPerSec: 0}}).close();
    const output = join(dir, 'records');
    const program = children.start(binary(), [dir, op]);
    let kills = 0;
    let done = false;
    while (!done) {
      const relay = children.start(process.execPath, [reader, dir, output]);
      void relay.ended.then(() => {
        done = relay.process.exitCode === 0;
      });
      // The last one is left alone; the others die at places spread over a pass.
      const victim = kills < 15;
      await until(() => relay.output !== '' || relay.process.exitCode !== null, 'the reader to begin');
      if (victim) {
        const after = process.hrtime.bigint() + BigInt(kills * 1_300_000);
        await until(() => process.hrtime.bigint() > after, 'the moment to kill');
        relay.process.kill('SIGKILL');
        kills++;
      }
      await relay.ended;
    }
    await program.ended;
    const all = written(output);
    expect([...all.keys()].sort()).toEqual([0, 1, 2, 3]);
    for (const list of all.values()) {
      expect(list.length).toBe(count);
      // Threads that go on in each other's rings are told in order by their time stamps only.
      if (binary === leaping) list.sort((a, b) => a - b);
      expect(list.findIndex((value, index) => value !== index)).toBe(-1);
    }
  });

  it('between the copy and the move of the tails: nothing comes twice', async () => {
    // Records in the rings, nobody reads.
    openFolder(dir, {create: true}).close();
    const child = children.start(writer, [dir, 'write:500:40:3', 'pause', 'exit:0']);
    await child.paused();
    const name = readdirSync(dir).find((file) => file.endsWith('.chan'))!;
    copyFileSync(join(dir, name), join(tools, 'before'));
    const first = start();
    await until(() => first.stats().records === 1500, 'the copy');
    first.close();
    // As if the tails had not been stored.
    const restore = openFolder(dir);
    copyFileSync(join(tools, 'before'), join(dir, name));
    restore.close();
    const second = start();
    child.goOn();
    const checker = new Checker();
    await drainAll(second, checker);
    expect(checker).toMatchObject({wrong: undefined, records: 1500});
  });

  it('goes on from the position that the consumer stored, not only from commit()', async () => {
    const first = start();
    children.start(writer, [dir, 'write:3000:100', 'exit:0']);
    const checker = new Checker();
    await until(() => first.stats().records === 3000, 'the records');
    checker.take(first.next()!);
    const {position} = first;
    drain(first, new Checker());
    first.close();
    const second = start({from: position});
    const rest = new Checker();
    for (const [key, value] of checker.next) rest.next.set(key, value);
    await drainAll(second, rest);
    expect(rest.wrong).toBeUndefined();
    expect(checker.records + rest.records).toBe(3000);
  });

  it('refuses a second reader, and lets one follow', () => {
    const first = start();
    expect(() => start()).toThrow(/another relay reads this folder/);
    first.close();
    start();
  });

  it('keeps a released channel until its records are committed', async () => {
    const folder = start();
    children.start(writer, [dir, 'write:10:64', 'exit:0']);
    const files = () => readdirSync(dir).filter((name) => name.endsWith('.chan')).length;
    await until(() => {
      drain(folder, new Checker());
      folder.scan();
      return folder.channels.size === 1 && only(folder).drained;
    }, 'the end');
    folder.release(only(folder));
    expect([folder.channels.size, files()]).toEqual([0, 1]);
    folder.commit();
    expect(files()).toBe(0);
  });
});

describe('a burst right after a lap', () => {
  /** What is unread is at the end of what is allocated, the writer back at the start. */
  async function burst(...ops: string[]): Promise<Checker> {
    const first = start({control: {maxPerSec: 0}});
    const child = children.start(feeder, [dir, 'calm', 'pause', 'back', ...ops, 'kill']);
    const checker = new Checker();
    await until(() => {
      drain(first, checker);
      return child.output !== '';
    }, 'the end of what is allocated');
    drain(first, checker);
    first.commit();
    first.close();
    child.goOn();
    await child.ended;
    const second = start();
    await drainAll(second, checker);
    expect(checker.wrong).toBeUndefined();
    return checker;
  }

  it('gets all the memory of the rings', async () => {
    const {bytes, records} = await burst('fill:100');
    expect(bytes + records * 52).toBeGreaterThan(LIMITS.shards * (LIMITS.ringSize - 1024));
    expect(only(open.at(-1)!).lost()[LOST.FULL]).toBe(1);
  });

  it.each([
    ['before its filler', 'leap:0'],
    ['after its filler', 'leap:1'],
  ])('and a writer killed in its leap, %s: what was whole arrives', async (_, op) => {
    await burst(op);
    expect(only(open.at(-1)!).lost()[LOST.TORN]).toBe(1);
  });
});

describe('a full spool', () => {
  it('leaves records in the rings; what does not fit is counted', async () => {
    const folder = start({spoolMax: 8 * 1024 * 1024});
    const child = children.start(writer, [dir, 'drop:100000:100', 'pause', 'exit:0']);
    await child.paused();
    await until(() => folder.stats().spoolFull > 0, 'the spool to fill');
    expect(folder.stats().spoolBytes).toBeLessThanOrEqual(8 * 1024 * 1024);
    child.goOn();
    const checker = new Checker();
    await drainAll(folder, checker, 1, true);
    const lost = only(folder).lost()[LOST.FULL]!;
    expect(lost).toBeGreaterThan(0);
    expect(checker).toMatchObject({wrong: undefined, records: 100_000 - lost});
  });

  it('lets a waiting writer through without loss', async () => {
    const folder = start({spoolMax: 8 * 1024 * 1024});
    children.start(writer, [dir, 'write:150000:200', 'exit:0']);
    await until(() => folder.stats().spoolFull > 0, 'the spool to fill');
    const checker = new Checker();
    await drainAll(folder, checker);
    expect(checker).toMatchObject({wrong: undefined, records: 150_000});
    folder.commit();
    expect(folder.stats().spoolBytes).toBeLessThan(8 * 1024 * 1024);
  });
});
