// SPDX-License-Identifier: Apache-2.0
/** Processes of other pid namespaces: seen from above, or not at all. */
import {spawnSync} from 'node:child_process';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';
import {type ChannelFolder, openFolder} from '../../../src/channel/index.js';
import {buildWriter, Checker, Children, drainAll, only, removeFolder, tempFolder, until} from './harness.js';

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
});
afterEach(() => {
  children.killAll();
  folder.close();
  removeFolder(dir);
});

function start(quietSeconds?: number): void {
  folder = openFolder(dir, {create: true, quietSeconds});
  folder.start(() => {});
}

/** No namespace has this inode. */
const elsewhere = {env: {...process.env, WRITER_PID_NS: '4'}};
const unshare = spawnSync('unshare', ['--pid', '--fork', 'true']).status === 0;

describe('a process of another pid namespace', () => {
  it.skipIf(!unshare)('below ours is found, and its kill is seen', async () => {
    start();
    const child = children.start('unshare', [
      '--pid',
      '--fork',
      '--mount-proc',
      '--kill-child=KILL',
      writer,
      dir,
      'write:10:64',
      'pause',
    ]);
    await child.paused();
    folder.scan();
    const channel = only(folder);
    expect(channel.header.pid).toBe(1);
    expect(channel.hostPid).toBeGreaterThan(1);
    process.kill(channel.hostPid, 'SIGKILL');
    const checker = new Checker();
    await drainAll(folder, checker);
    expect(checker.records).toBe(10);
  });

  it('that we cannot see ends when it says so', async () => {
    start();
    children.start(writer, [dir, 'write:10:64', 'exit:4'], elsewhere);
    const checker = new Checker();
    await drainAll(folder, checker);
    expect(checker.records).toBe(10);
    expect(only(folder)).toMatchObject({hostPid: 0, state: 'exited', exitCode: 4});
  });

  it('that we cannot see and that says nothing ends after the quiet time', async () => {
    start(1);
    children.start(writer, [dir, 'write:10:64', 'busy:8', 'kill'], elsewhere);
    await until(() => {
      folder.scan();
      return folder.channels.size === 1;
    }, 'the channel');
    await drainAll(folder, new Checker());
    expect(only(folder)).toMatchObject({hostPid: 0, state: 'live', ended: true});
  });
});
