// SPDX-License-Identifier: Apache-2.0
import {execFileSync} from 'node:child_process';
import {closeSync, openSync, readdirSync, symlinkSync, truncateSync, writeFileSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';
import {type ChannelFolder, LIMITS, LOST, openFolder, REC} from '../../../src/channel/index.js';
import {
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
let writer = '';
let dir = '';
let folder: ChannelFolder;

beforeAll(() => {
  writer = buildWriter(tools);
});
afterAll(() => removeFolder(tools));
beforeEach(() => {
  dir = tempFolder();
  folder = openFolder(dir, {create: true});
  folder.start(() => {});
});
afterEach(() => {
  children.killAll();
  folder.close();
  removeFolder(dir);
});

/** Runs the writer to its end and drains; records and losses. */
async function outcome(
  ...ops: string[]
): Promise<{records: number; torn: number; bad: number; wrong?: string}> {
  children.start(writer, [dir, ...ops]);
  const checker = new Checker();
  await drainAll(folder, checker, 1, true);
  const lost = only(folder).lost();
  return {records: checker.records, torn: lost[LOST.TORN]!, bad: lost[LOST.BAD]!};
}

describe('records never finished', () => {
  it('are skipped and counted when the process is gone', async () => {
    expect(await outcome('write:10:64', 'busy:100', 'kill')).toMatchObject({records: 10, torn: 1, bad: 0});
  });

  it('are skipped when not even their length is known', async () => {
    expect(await outcome('write:10:64', 'reserve:100', 'kill')).toMatchObject({records: 10, torn: 1});
  });

  it('hide nothing that was written after them', async () => {
    // The numbers start again with each op, so the checker counts only.
    children.start(writer, [dir, 'reserve:1000', 'busy:40', 'reserve:8', 'drop:20:64', 'busy:8', 'kill']);
    const checker = new Checker();
    await drainAll(folder, checker, 1, true);
    expect(checker).toMatchObject({records: 20, wrong: undefined});
    expect(only(folder).lost()[LOST.TORN]).toBe(4);
  });

  it('of a living process are waited for, then given up', async () => {
    const child = children.start(writer, [dir, 'busy:100', 'drop:10:64', 'pause', 'exit:0']);
    await child.paused();
    const checker = new Checker();
    await until(() => {
      drain(folder, checker, true);
      return checker.records === 10;
    }, 'the grace to pass');
    expect(only(folder)).toMatchObject({ended: false, failure: undefined});
    expect(only(folder).lost()[LOST.TORN]).toBe(1);
  });
});

describe('records that lie', () => {
  const cases: [string, string][] = [
    ['a length that is no multiple of 8', `raw:${REC.TEXT}:61:8`],
    ['a length below the header', `raw:${REC.TEXT}:40:0`],
    ['a length beyond the head', `raw:${REC.TEXT}:30000:8`],
    ['a length beyond the limit', `raw:${REC.TEXT}:65536:8`],
    ['an unknown type', 'raw:63:112:8'],
    ['a type beyond the table', 'raw:60000:112:8'],
    ['more payload than the record has', `raw:${REC.TEXT}:112:65`],
    ['less payload than its struct', `raw:${REC.OPEN}:112:8`],
    ['a pad beyond the head', `raw:${REC.PAD}:4096:0`],
  ];
  it.each(cases)('%s: counted, the rest goes on', async (_, op) => {
    expect(await outcome(op, 'drop:20:64', 'exit:0')).toMatchObject({records: 20, bad: 1, torn: 0});
    expect(only(folder).failure).toBeUndefined();
  });
});

describe('channels that lie', () => {
  it('about the head are given up with a reason', async () => {
    const child = children.start(writer, [dir, `head:${LIMITS.ringSize * 2}`, 'pause']);
    await child.paused();
    folder.scan();
    await until(() => only(folder).drained, 'the end');
    expect(only(folder)).toMatchObject({failure: 'impossible ring positions', ended: true});
  });

  it('by becoming shorter are given up, and the relay lives', async () => {
    const child = children.start(writer, [dir, 'drop:10:64', 'pause', 'drop:10:64']);
    await child.paused();
    await until(() => folder.stats().records === 10, 'the records');
    folder.scan();
    truncateSync(only(folder).path, 4096);
    expect(only(folder).counters().length).toBe(LIMITS.counters);
    expect(only(folder).fds()).toEqual([]);
    await until(() => only(folder).failure !== undefined, 'the failure');
    expect(only(folder).failure).toBe('the file was truncated');
    const checker = new Checker();
    drain(folder, checker);
    expect(checker.records).toBe(10);
  });

  it('about magic, version or size are refused', async () => {
    const child = children.start(writer, [dir, 'pause']);
    await child.paused();
    const [name] = readdirSync(dir).filter((file) => file.endsWith('.chan'));
    const original = openSync(join(dir, name!), 'r');
    closeSync(original);
    const forge = (file: string, offset: number, bytes: number[]) => {
      execFileSync('cp', [join(dir, name!), join(dir, `${file}.tmp`)]);
      const fd = openSync(join(dir, `${file}.tmp`), 'r+');
      writeSync(fd, Buffer.from(bytes), 0, bytes.length, offset);
      closeSync(fd);
      execFileSync('mv', [join(dir, `${file}.tmp`), join(dir, file)]);
    };
    forge('11.a.chan', 0, [1]);
    forge('12.b.chan', 8, [9, 0]);
    forge('13.c.chan', 12, [0, 0, 0, 1]);
    writeFileSync(join(dir, '14.d.chan'), Buffer.alloc(LIMITS.channelSize + 8));
    symlinkSync('/etc/passwd', join(dir, '15.e.chan'));
    execFileSync('mkfifo', [join(dir, '16.f.chan')]);
    for (const name of ['x.chan', '1.chan', '1.zz.chan', '17.1.chan.x', '-4.1.chan'])
      writeFileSync(join(dir, name), 'x');
    await until(() => {
      folder.scan();
      return folder.channels.size === 7;
    }, 'the channels');
    const reasons = [...folder.channels.values()].map((c) => [c.header.pid, c.failure]);
    expect(new Map(reasons as [number, string][])).toEqual(
      new Map([
        [child.process.pid, undefined],
        [11, 'wrong magic'],
        [12, 'made by another version of the library'],
        [13, 'impossible size in the header'],
        [14, 'not a channel file (type or size)'],
        [15, 'cannot be mapped'],
        [16, 'not a channel file (type or size)'],
      ]),
    );
    await until(() => [...folder.channels.values()].filter((c) => c.drained).length === 6, 'their end');
    for (const channel of [...folder.channels.values()]) if (channel.failure) folder.release(channel);
    expect(folder.channels.size).toBe(1);
  });

  it('in the spool are not believed', async () => {
    children.start(writer, [dir, 'write:2000:100', 'exit:0']);
    await until(() => folder.stats().records === 2000, 'the records');
    const [segment] = readdirSync(join(dir, 'spool')).filter((file) => file.endsWith('.seg'));
    const fd = openSync(join(dir, 'spool', segment!), 'r+');
    writeSync(fd, Buffer.alloc(300, 0xee), 0, 300, 64 + 192 + 480);
    closeSync(fd);
    const checker = new Checker();
    await drainAll(folder, checker, 1, true);
    expect(checker.records).toBeGreaterThan(0);
    expect(checker.records).toBeLessThan(2000);
    truncateSync(join(dir, 'spool', segment!), 0);
    expect(folder.next()).toBeUndefined();
    folder.commit();
  });
});
