// SPDX-License-Identifier: Apache-2.0
/** The real libscope.so at full rate: what it counted is what arrives. */
import {execFileSync} from 'node:child_process';
import {closeSync, openSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';
import {NATIVE} from '../../../src/base/root.js';
import {
  type ChannelFolder,
  COUNTER,
  LOST,
  openFolder,
  REC,
  RecordCursor,
} from '../../../src/channel/index.js';
import {Children, only, removeFolder, tempFolder, until} from './harness.js';

const children = new Children();
const tools = tempFolder();
let dir = '';
let folder: ChannelFolder;

const BURST = `
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
static long count;
static void *work(void *arg)
{
	for (long i = 0; i < count; i++)
		close(open("/dev/null", O_RDONLY));
	return arg;
}
int main(int argc, char **argv)
{
	pthread_t thread[16];
	int threads = argc > 2 ? atoi(argv[2]) : 1;
	count = atol(argv[1]);
	for (int i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, work, NULL);
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	return 0;
}`;
const LINES = `
#include <stdio.h>
#include <unistd.h>
int main(void)
{
	char line[64];
	for (long i = 0;; i++) {
		int n = snprintf(line, sizeof line, "line number %ld\\n", i);
		if (write(1, line, n) != n)
			return 1;
	}
}`;

function compile(name: string, source: string): string {
  const path = join(tools, name);
  writeFileSync(`${path}.c`, source);
  execFileSync('cc', ['-O2', '-pthread', '-o', path, `${path}.c`]);
  return path;
}

beforeAll(() => {
  compile('burst', BURST);
  compile('lines', LINES);
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

function start(wait: boolean): void {
  folder = openFolder(dir, {create: true, plans: join(tools, 'plans'), control: {wait, maxPerSec: 0}});
  folder.start(() => {});
}

/** Takes what is there: records by type, texts in order. */
function take(types: Map<number, number>, texts: Buffer[] = []): void {
  const cursor = new RecordCursor();
  for (let batch = folder.next(); batch; batch = folder.next()) {
    cursor.reset(batch.bytes);
    while (cursor.next()) {
      types.set(cursor.type, (types.get(cursor.type) ?? 0) + 1);
      if (cursor.type === REC.TEXT) texts.push(Buffer.from(cursor.data()));
    }
  }
  folder.commit();
}

async function burst(
  wait: boolean,
  threads: number,
): Promise<{opens: number; closes: number; exits: number; full: number}> {
  start(wait);
  const env = {...process.env, LD_PRELOAD: NATIVE.libscope, SCOPE_DIR: dir};
  const child = children.start(join(tools, 'burst'), ['40000', String(threads)], {env});
  const types = new Map<number, number>();
  await until(() => {
    take(types);
    folder.scan();
    return child.process.exitCode !== null && folder.channels.size === 1 && only(folder).drained;
  }, 'the burst');
  take(types);
  expect(only(folder).counters()[COUNTER.FS_OPEN]).toBe(40_000 * threads);
  return {
    opens: types.get(REC.OPEN) ?? 0,
    closes: types.get(REC.CLOSE) ?? 0,
    exits: types.get(REC.EXIT) ?? 0,
    full: only(folder).lost()[LOST.FULL]!,
  };
}

describe('libscope.so', () => {
  it('loses nothing in wait mode, from more threads than there are shards', async () => {
    expect(await burst(true, 12)).toEqual({
      opens: 480_000,
      closes: 480_000,
      exits: 1,
      full: 0,
    });
  });

  it('counts every loss otherwise', async () => {
    const {opens, closes, exits, full} = await burst(false, 2);
    expect(opens + closes + exits + full).toBe(160_001);
  });

  it('keeps the text of a process killed while it writes flat out', async () => {
    start(true);
    const file = join(tools, 'lines.txt');
    const out = openSync(file, 'w');
    const env = {...process.env, LD_PRELOAD: NATIVE.libscope, SCOPE_DIR: dir};
    const child = children.start(join(tools, 'lines'), [], {env, stdio: ['ignore', out, 'inherit']});
    closeSync(out);
    const types = new Map<number, number>();
    const texts: Buffer[] = [];
    await until(() => {
      take(types, texts);
      return texts.length > 20_000;
    }, 'lines');
    child.process.kill('SIGKILL');
    await until(() => {
      take(types, texts);
      return only(folder).drained;
    }, 'the end');
    const written = readFileSync(file);
    const seen = Buffer.concat(texts);
    expect(written.subarray(0, seen.length).equals(seen)).toBe(true);
    // The call that was interrupted by the kill has written its line, and was not seen to return.
    expect(written.subarray(seen.length).toString().split('\n').length).toBeLessThanOrEqual(2);
  });
});
