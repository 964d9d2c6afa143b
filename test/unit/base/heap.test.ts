// SPDX-License-Identifier: Apache-2.0
import {execFileSync} from 'node:child_process';
import {rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {build} from 'esbuild';
import {expect, it} from 'vitest';
import {ROOT} from '../../../src/base/root.js';

/** Makes many objects of which many live for a while; the size of the space for young ones at the end, MiB. */
const PROGRAM = (cap: boolean) => `
import {getHeapSpaceStatistics} from 'node:v8';
import {capYoungObjects} from ${JSON.stringify(join(ROOT, 'src/base/heap.ts'))};
let kept = [];
for (let i = 0; i < 8_000_000; i++) {
  if (${cap} && i % 1000 === 0) capYoungObjects();
  kept.push({i, of: [i]});
  if (kept.length > 30_000) kept = [];
}
console.log(getHeapSpaceStatistics().find((one) => one.space_name === 'new_space').space_size / 2 ** 20);`;

async function youngMiB(cap: boolean): Promise<number> {
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
    return Number(execFileSync(process.execPath, [file], {encoding: 'utf8'}));
  } finally {
    rmSync(file, {force: true});
  }
}

it('lets the space for young objects grow to 8 MiB, where Node would let it grow on', async () => {
  expect(await youngMiB(false)).toBeGreaterThan(8);
  expect(await youngMiB(true)).toBe(8);
});
