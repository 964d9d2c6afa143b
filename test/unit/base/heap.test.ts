// SPDX-License-Identifier: Apache-2.0
import {execFileSync} from 'node:child_process';
import {rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {build} from 'esbuild';
import {expect, it} from 'vitest';
import {ROOT} from '../../../src/base/root.js';

/**
 * Makes many objects of which many live for a while, twice: the size of the space for young ones, MiB. In between V8 gives
 * memory back, as it does when a program is idle: a snapshot begins with that.
 */
const PROGRAM = (cap: boolean) => `
import {getHeapSnapshot, getHeapSpaceStatistics} from 'node:v8';
import {capYoungObjects} from ${JSON.stringify(join(ROOT, 'src/base/heap.ts'))};
const size = () => getHeapSpaceStatistics().find((one) => one.space_name === 'new_space').space_size / 2 ** 20;
function work() {
  let kept = [];
  const until = performance.now() + 1500;
  for (let i = 0; i < 8_000_000 || performance.now() < until; i++) {
    if (${cap} && i % 1000 === 0) capYoungObjects();
    kept.push({i, of: [i]});
    if (kept.length > 30_000) kept = [];
  }
}
work();
const first = size();
for await (const _ of getHeapSnapshot());
const shrunk = size();
work();
console.log(JSON.stringify([first, shrunk, size()]));`;

async function youngMiB(cap: boolean): Promise<[number, number, number]> {
  const file = join(tmpdir(), `scope-heap-${process.pid}-${cap}.mjs`);
  try {
    await build({
      stdin: {contents: PROGRAM(cap), resolveDir: ROOT, loader: 'ts'},
      outfile: file,
      bundle: true,
      format: 'esm',
      platform: 'node',
      logLevel: 'error',
    });
    return JSON.parse(execFileSync(process.execPath, [file], {encoding: 'utf8'}));
  } finally {
    rmSync(file, {force: true});
  }
}

it('lets the space for young objects grow to 8 MiB, where Node would let it grow on', async () => {
  expect((await youngMiB(false))[0]).toBeGreaterThan(8);
  expect((await youngMiB(true))[0]).toBe(8);
});

it('lets it grow again after Node has made it small', async () => {
  const [first, shrunk, again] = await youngMiB(true);
  expect(first).toBe(8);
  expect(shrunk).toBeLessThan(8);
  expect(again).toBe(8);
});
