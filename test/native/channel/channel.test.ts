// SPDX-License-Identifier: Apache-2.0
/** The writer's half of the channel: each check of ring_test.c in a process and a folder of its own. */
import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {buildProgram, layers} from '../build.js';

let dir: string;
let program: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-channel-'));
  program = buildProgram(
    join(dir, 'ring_test'),
    [join(import.meta.dirname, 'ring_test.c'), ...layers('channel', 'base', 'sys')],
    ['-pthread', '-O2'],
  );
});
afterAll(() => rmSync(dir, {recursive: true, force: true}));

describe('the channel as its writer keeps it', () => {
  for (const name of [
    'info',
    'laps',
    'calm',
    'overflow',
    'burst',
    'random',
    'limit',
    'threads',
    'fork',
    'descriptors',
    'doorbell',
    'quiet',
    'watch',
    'far',
    'muted',
  ])
    it(name, () => {
      const folder = mkdtempSync('/dev/shm/scope-channel-');
      try {
        const out = execFileSync(program, [folder, name], {encoding: 'utf8', timeout: 50_000});
        expect(out).toBe(`ok ${name}\n`);
      } finally {
        rmSync(folder, {recursive: true, force: true});
      }
    });
});
