// SPDX-License-Identifier: Apache-2.0
import {readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';
import {
  type ChannelFolder,
  COUNTER,
  KIND,
  LIMITS,
  OFFSETS,
  openFolder,
  WANT,
} from '../../../src/channel/index.js';
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
const open: ChannelFolder[] = [];

beforeAll(() => {
  writer = buildWriter(tools);
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

function folderOf(options = {}): ChannelFolder {
  const folder = openFolder(dir, {create: true, ...options});
  open.push(folder);
  return folder;
}

/** A folder that was not started, with one paused writer. */
async function watched(...ops: string[]): Promise<ChannelFolder> {
  const folder = folderOf();
  const child = children.start(writer, [dir, ...ops, 'pause']);
  await child.paused();
  folder.scan();
  return folder;
}

describe('hub', () => {
  it('is made with defaults, once, and privately', () => {
    const inner = join(dir, 'made');
    const folder = openFolder(inner, {create: true});
    open.push(folder);
    expect(statSync(inner).mode & 0o777).toBe(0o700);
    const {want, ...rest} = folder.control();
    expect(rest).toEqual({muted: false, maxPerSec: 0, wait: false, payloadMax: 0, sampleMs: 0});
    expect(want & (WANT.OPEN | WANT.NET | WANT.HTTP)).toBe(WANT.OPEN | WANT.NET | WANT.HTTP);
    expect(want & (WANT.PAYLOAD | WANT.DETECT | WANT.CALL_IO)).toBe(0);
    expect(readdirSync(inner)).toEqual(['hub']);
  });

  it('takes over control, paths and file watch', () => {
    const dfa = new Uint8Array(OFFSETS.dfa.size);
    new DataView(dfa.buffer).setUint16(OFFSETS.dfa.states, 0xffff, true);
    folderOf({
      control: {want: WANT.OPEN, wait: true},
      library: '/x/libscope.so',
      plans: '/x/plans',
      fileWatch: dfa,
    });
    const again = folderOf({control: {maxPerSec: 5}});
    expect(again.control()).toMatchObject({want: WANT.OPEN, wait: true, maxPerSec: 5});
    const hub = readFileSync(join(dir, 'hub'));
    expect(hub.includes('/x/libscope.so\0')).toBe(true);
    expect(hub.readUInt16LE(hub.length - OFFSETS.dfa.size)).toBe(0xffff);
    again.setFileWatch(new Uint8Array(OFFSETS.dfa.size));
    expect(readFileSync(join(dir, 'hub')).readUInt16LE(hub.length - OFFSETS.dfa.size)).toBe(0);
    expect(() => again.setFileWatch(new Uint8Array(3))).toThrow(/3 bytes, expected/);
  });

  it('is missed or refused with a reason', () => {
    expect(() => openFolder(dir)).toThrow(/no channel folder/);
    expect(() => openFolder(join(dir, 'nowhere'))).toThrow(/no channel folder/);
    writeFileSync(join(dir, 'hub'), 'x');
    expect(() => folderOf()).toThrow(/another version, or damaged/);
    expect(() => openFolder('/dev/null', {create: true})).toThrow(/ENOTDIR/);
  });
});

describe('a channel', () => {
  it('tells who it is of', async () => {
    const folder = await watched();
    const channel = only(folder);
    expect(channel.header).toMatchObject({origin: 'launch', major: LIMITS.major, uid: process.getuid?.()});
    expect(channel.header.bootId).toMatch(/^[0-9a-f]{32}$/);
    expect(channel.info).toMatchObject({
      exe: '/usr/bin/writer',
      name: 'writer',
      argv: ['writer', 'an argument'],
      argc: 2,
      env: {OTEL_X: '1', SCOPE_TAG_a: 'b=c'},
    });
    expect(channel).toMatchObject({state: 'live', ended: false, drained: false, owner: process.getuid?.()});
    expect(channel.hostPid).toBe(channel.header.pid);
  });

  it('sums counters over the shards and lists descriptors', async () => {
    const folder = await watched(
      `count:${COUNTER.FS_OPEN}:3:0`,
      `count:${COUNTER.FS_OPEN}:4:5`,
      `count:${COUNTER.NET_TCP}:18446744073709551615:2`,
      'fd:9',
      'fd:1023',
    );
    const channel = only(folder);
    expect(channel.counters()[COUNTER.FS_OPEN]).toBe(7);
    expect(channel.counters()[COUNTER.NET_TCP]).toBe(-1);
    expect(channel.fds().map((entry) => entry.fd)).toEqual([9, 1023]);
    expect(channel.fds()[0]).toMatchObject({object: 7, rxBytes: 11, kind: KIND.TCP});
  });

  it('lists descriptors beyond the table from the file beside it', async () => {
    const folder = await watched();
    const channel = only(folder);
    const rows = Buffer.alloc(OFFSETS.fd.size * 3);
    rows.writeBigUInt64LE(77n, OFFSETS.fd.size * 2 + OFFSETS.fd.object);
    writeFileSync(channel.path.replace('.chan', '.fdx'), rows);
    const file = readFileSync(channel.path);
    expect(channel.fds()).toEqual([]);
    // fd_high is what says that there are more.
    const at = file.indexOf(Buffer.from([0xff, 0xff, 0xff, 0xff])) + 4;
    file.writeUInt32LE(1027, at);
    writeFileSync(channel.path, file, {flag: 'r+'});
    expect(channel.fds().map(({fd, object}) => [fd, object])).toEqual([[1026, 77]]);
  });

  it('is controlled by itself and with all others', async () => {
    const folder = await watched();
    const channel = only(folder);
    channel.setControl({muted: true});
    expect(channel.control().muted).toBe(true);
    expect(folder.control().muted).toBe(false);
    folder.setControl({want: WANT.DNS, muted: false, payloadMax: 100});
    expect(channel.control()).toMatchObject({want: WANT.DNS, muted: false, payloadMax: 100});
  });

  it('gives times of the wall clock', async () => {
    const before = Date.now() / 1000;
    const folder = folderOf();
    folder.start(() => {});
    children.start(writer, [dir, 'write:100:64', 'exit:0']);
    const times: number[] = [];
    const cursor = new (await import('../../../src/channel/index.js')).RecordCursor();
    await until(() => {
      for (let batch = folder.next(); batch; batch = folder.next()) {
        cursor.reset(batch.bytes);
        while (cursor.next()) times.push(batch.channel.seconds(cursor.tsc));
      }
      return times.length === 100;
    }, 'the records');
    const after = Date.now() / 1000;
    expect(times.every((time) => time > before - 0.01 && time < after + 0.01)).toBe(true);
    expect(times.findIndex((time, i) => time < (times[i - 1] ?? 0))).toBe(-1);
    expect(only(folder).nanoseconds(0)).toBe(0);
  });

  it('ends by exec into something unobserved, and by a younger image', async () => {
    const folder = folderOf();
    folder.start(() => {});
    children.start(writer, [dir, 'write:5:64', 'state:3', 'exec:/bin/sleep']);
    const checker = new Checker();
    await drainAll(folder, checker);
    expect(checker.records).toBe(5);
    expect(only(folder).state).toBe('exec');
    folder.release(only(folder));
    const child = children.start(writer, [dir, 'again', 'pause']);
    await child.paused();
    await until(() => {
      folder.scan();
      return folder.channels.size === 2 && [...folder.channels.values()][0]!.ended;
    }, 'the younger image');
    expect([...folder.channels.values()].map((c) => c.ended)).toEqual([true, false]);
  });

  it('of a process that ended before we came is ended', async () => {
    folderOf().close();
    const child = children.start(writer, [dir, 'write:50:64', 'exit:7']);
    await child.ended;
    const folder = folderOf();
    expect(only(folder)).toMatchObject({ended: true, exitCode: 7, hostPid: 0});
    folder.start(() => {});
    const checker = new Checker();
    await drainAll(folder, checker);
    expect(checker).toMatchObject({records: 50, wrong: undefined});
    expect(only(folder).endedAt).toBeGreaterThan(1e9);
  });

  it('is not released before it is drained', async () => {
    const folder = await watched();
    expect(() => folder.release(only(folder))).toThrow(/released before it was drained/);
    expect(only(folder).state).toBe('live');
  });
});

describe('five hundred channels', () => {
  it('are found, cost little when idle, and all end', async () => {
    const folder = folderOf();
    folder.start(() => {});
    const parent = children.start(writer, [dir, 'idle:500']);
    await parent.paused();
    await until(() => {
      folder.scan();
      return folder.channels.size === 501;
    }, 'the channels');
    const {passes} = folder.stats();
    await until(() => folder.stats().passes > passes + 20, 'passes');
    parent.goOn();
    await drainAll(folder, new Checker(), 501);
  });

  it('and one that was idle for long is heard, with a single record and with a burst', async () => {
    const folder = folderOf();
    folder.start(() => {});
    const crowd = children.start(writer, [dir, 'idle:100']);
    const one = children.start(writer, [dir, 'write:1:64', 'pause', 'write:1:64', 'pause', 'write:50000:64']);
    await Promise.all([crowd.paused(), one.paused()]);
    const checker = new Checker();
    for (const records of [1, 2, 50_002]) {
      await until(() => {
        drain(folder, checker);
        return checker.records === records;
      }, `record ${records}`);
      // Longer than it takes to be held for idle.
      const {passes} = folder.stats();
      if (records < 3) {
        await until(() => folder.stats().passes > passes + 80, 'passes');
        one.goOn();
      }
    }
    crowd.goOn();
    await drainAll(folder, checker, 102);
  });
});
