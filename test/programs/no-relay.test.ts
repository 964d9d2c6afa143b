// SPDX-License-Identifier: Apache-2.0
// The relay never comes: once that is clear, a full ring costs the program no system call.
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, expect, test} from 'vitest';
import {cleanup, launcher, makeDir, run} from './support.js';
import {endRelays} from './truth.js';

const homes: string[] = [];
afterAll(async () => {
  await endRelays(homes);
  cleanup();
});

const OPENS = 120_000;

test.skipIf(spawnSync('strace', ['-V']).status !== 0)(
  'a full ring without a relay asks no clock',
  async () => {
    const home = makeDir();
    homes.push(home);
    const out = join(home, 'calls');
    const script = `
import os
for i in range(${OPENS}): os.close(os.open("/etc/passwd", os.O_RDONLY))
print("done")`;
    const done = await run(
      [
        'strace',
        '-f',
        '--seccomp-bpf',
        '-c',
        '-o',
        out,
        '-e',
        'trace=clock_gettime,clock_nanosleep',
        launcher,
        'python3',
        '-c',
        script,
      ],
      {SCOPE_HOME: home, SCOPE_NODE: '/bin/true'},
      {timeoutMs: 100_000},
    );
    expect([done.status, done.stdout]).toEqual([0, 'done\n']);
    // Columns of strace: share, seconds, microseconds a call, calls, errors if there were any, name.
    const lines = readFileSync(out, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
    const calls = (name: string) => Number(lines.find((words) => words.at(-1) === name)?.[3] ?? 0);
    expect(calls('clock_nanosleep')).toBeGreaterThan(0);
    // It is waited for at first, a nap and a look at the clock each time.
    expect(calls('clock_gettime') - calls('clock_nanosleep')).toBeLessThan(2000);
  },
);
