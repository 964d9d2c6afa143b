// SPDX-License-Identifier: Apache-2.0
// Counts of living processes, read while they run; what they did is compared with what they were told to do.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {afterAll, expect, it} from 'vitest';
import {NATIVE} from '../../../src/base/root.js';
import {defaultSessionConfig} from '../../../src/config/index.js';
import type {Metric} from '../../../src/records/types.js';
import {LiveCounts} from '../../../src/relay/live.js';

const dir = mkdtempSync(join(tmpdir(), 'scope-live-'));
afterAll(() => rmSync(dir, {recursive: true, force: true}));

const PROGRAM = `
const {readFileSync} = require('node:fs');
process.stdin.on('data', (text) => {
  for (let i = 0; i < Number(text); i++) readFileSync('/etc/hostname');
  console.log('done');
});
console.log('ready');`;

const value = (metrics: Metric[], name: string) =>
  metrics.filter((m) => m.name === name).reduce((sum, m) => sum + m.value, 0);

it('are those since the last read, of what ran before from now on', async () => {
  const env = {...process.env, LD_PRELOAD: NATIVE.libscope, SCOPE_DIR: dir};
  const child = spawn(process.execPath, ['-e', PROGRAM], {env, stdio: ['pipe', 'pipe', 'inherit']});
  const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]();
  const files = async (count: number) => {
    child.stdin.write(`${count}\n`);
    expect((await lines.next()).value).toBe('done');
  };
  expect((await lines.next()).value).toBe('ready');
  await files(100);
  const live = new LiveCounts(dir, defaultSessionConfig(dir));
  await files(30);
  const first = live.read();
  expect(value(first, 'fs.open')).toBeGreaterThanOrEqual(30);
  expect(value(first, 'fs.open')).toBeLessThan(60);
  expect(value(first, 'proc.mem')).toBeGreaterThan(10_000);
  await files(500);
  expect(value(live.read(), 'fs.open')).toBeGreaterThanOrEqual(500);
  expect(value(live.read(), 'fs.open')).toBe(0);
  child.stdin.end();
  await once(child, 'exit');
  rmSync(dir, {recursive: true, force: true});
  expect(live.read()).toEqual([]);
});
