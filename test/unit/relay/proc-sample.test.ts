// SPDX-License-Identifier: Apache-2.0
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {afterEach, expect, it} from 'vitest';
import {sampleProcess} from '../../../src/relay/proc-sample.js';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

it('measures a living process', () => {
  const sample = sampleProcess(process.pid)!;
  expect(sample.cpuUs).toBeGreaterThan(0);
  expect(sample.rssKib).toBeGreaterThan(1024);
  expect(sample.threads).toBeGreaterThan(1);
  expect(sample.fds).toBeGreaterThan(3);
});

it('counts children, not threads', async () => {
  const before = sampleProcess(process.pid)!.children;
  const child = spawn('sleep', ['60']);
  children.push(child);
  await once(child, 'spawn');
  expect(sampleProcess(process.pid)!.children).toBe(before + 1);
});

it('has nothing to say of a process that is gone', () => {
  expect(sampleProcess(2 ** 22 + 1)).toBeUndefined();
});
