// SPDX-License-Identifier: Apache-2.0
import {readdirSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';
import {NATIVE} from '../../../src/base/root.js';
import {type ChannelFolder, LOST, openFolder} from '../../../src/channel/index.js';
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
});
afterEach(() => {
  children.killAll();
  folder.close();
  removeFolder(dir);
});

describe('draining', () => {
  it('gives every record of a process once, whole and in order', async () => {
    folder.start(() => {});
    children.start(writer, [dir, 'write:5000:200', 'exit:3']);
    const checker = new Checker();
    await drainAll(folder, checker);
    expect(checker).toMatchObject({wrong: undefined, records: 5000});
    expect(only(folder)).toMatchObject({state: 'exited', exitCode: 3, ended: true, failure: undefined});
    expect(only(folder).seconds(only(folder).header.startTsc)).toBeCloseTo(only(folder).header.startTime, 5);
  });

  it('keeps a million records of eight threads', async () => {
    folder.start(() => {});
    children.start(writer, [dir, 'write:125000:100:8']);
    const checker = new Checker();
    await drainAll(folder, checker);
    expect(checker).toMatchObject({wrong: undefined, records: 1_000_000});
    expect(only(folder).lost()[LOST.TORN]).toBe(0);
  });

  it('uses the memory of what is committed again', async () => {
    folder.start(() => {});
    const rounds = 16;
    const count = 20_000;
    const ops = Array.from({length: rounds}, () => [`write:${count}:100`, 'pause']).flat();
    const child = children.start(writer, [dir, ...ops]);
    const names = new Set<string>();
    const files = new Set<number>();
    let records = 0;
    for (let round = 1; round <= rounds; round++) {
      // The numbers begin anew in each round.
      const checker = new Checker();
      await until(() => {
        drain(folder, checker);
        folder.commit();
        return checker.records === count;
      }, 'the records');
      expect(checker.wrong).toBeUndefined();
      records += checker.records;
      for (const name of readdirSync(join(dir, 'spool')).filter((file) => file.endsWith('.seg'))) {
        names.add(name);
        files.add(statSync(join(dir, 'spool', name)).ino);
      }
      await child.paused();
      child.goOn();
    }
    expect(records).toBe(rounds * count);
    expect(names.size).toBeGreaterThan(4);
    expect(files.size).toBeLessThan(names.size);
    expect(folder.stats().spoolBytes).toBeLessThan(12 * 1024 * 1024);
  });

  it('keeps the order of a thread that spills into other rings', async () => {
    folder.start(() => {});
    children.start(writer, [dir, 'spill:100000:3000']);
    const checker = new Checker();
    await drainAll(folder, checker);
    expect(checker).toMatchObject({wrong: undefined, records: 100_000});
  });

  it('drains what a process killed in the middle has committed', async () => {
    folder.start(() => {});
    const child = children.start(writer, [dir, 'write:100000000:64']);
    const checker = new Checker();
    await until(() => {
      drain(folder, checker);
      return checker.records > 20_000;
    }, 'records');
    child.process.kill('SIGKILL');
    await drainAll(folder, checker);
    expect(checker.wrong).toBeUndefined();
    expect(only(folder).lost()[LOST.TORN]).toBeLessThanOrEqual(1);
    expect(only(folder)).toMatchObject({state: 'live', ended: true, drained: true});
  });

  it('follows many short processes, and unlinks them once committed', async () => {
    folder.start(() => {});
    children.start(writer, [dir, 'fork:100']);
    const checker = new Checker();
    await drainAll(folder, checker, 101);
    expect(checker).toMatchObject({wrong: undefined, records: 100});
    expect([...folder.channels.values()].filter((c) => c.header.origin === 'fork')).toHaveLength(100);
    for (const channel of [...folder.channels.values()]) folder.release(channel);
    expect(folder.channels.size).toBe(0);
    folder.commit();
    expect(readdirSync(dir).filter((name) => name.endsWith('.chan'))).toEqual([]);
  });

  it('tells once which channels have lost something, and that one has ended', async () => {
    folder.close();
    folder = openFolder(dir, {create: true, spoolMax: 4 << 20});
    folder.start(() => {});
    const idle = children.start(writer, [dir, 'write:1:64', 'pause']);
    // More than spool and rings hold together.
    const losing = children.start(writer, [dir, 'drop:10000:3000', 'pause', 'drop:10000:3000', 'exit:0']);
    await Promise.all([idle.paused(), losing.paused()]);
    await until(() => folder.channels.size === 2, 'channels');
    const told = () => folder.losing().map(({header}) => header.pid);
    expect(told()).toEqual([losing.process.pid]);
    expect(told()).toEqual([]);
    expect(folder.endings).toBe(0);
    losing.goOn();
    await until(() => {
      drain(folder, new Checker(), true);
      folder.commit();
      return folder.endings === 1;
    }, 'an ending');
    expect(told()).toEqual([losing.process.pid]);
  });

  it('wakes the consumer and does not keep node alive', async () => {
    let wakes = 0;
    folder.start(() => {
      wakes++;
    });
    children.start(writer, [dir, 'write:10:64']);
    await until(() => wakes > 0 && folder.channels.size === 1, 'a wake');
    folder.close();
    folder.close();
    expect(folder.channels.size).toBe(1);
    expect(only(folder).header.pid).toBeGreaterThan(0);
  });

  it.each(['process.exit(3)', 'process.exitCode = 3'])(
    'ends with node, also without close(): %s',
    async (end) => {
      const script = `
      const {Folder} = require(${JSON.stringify(NATIVE.addon)});
      const folder = new Folder();
      const options = {create: true, spoolMax: 1 << 24, quietSeconds: 1};
      if (folder.open(${JSON.stringify(dir)}, options) !== 0 || folder.start(() => {}) !== 0) process.exit(9);
      ${end};`;
      const child = children.start(process.execPath, ['-e', script]);
      await child.ended;
      expect(child.process.exitCode).toBe(3);
      folder.start(() => {});
    },
  );
});
