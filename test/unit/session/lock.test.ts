// SPDX-License-Identifier: Apache-2.0
import {type ChildProcess, spawn} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {build} from 'esbuild';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {processStart, tryLock} from '../../../src/session/lock.js';

let dir: string;
let children: ChildProcess[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-lock-'));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(dir, {recursive: true, force: true});
});

/** Takes the lock again and again; whoever finds another's mark inside writes `broken`. Dies holding it when told to. */
const CONTENDER = `
import {closeSync, openSync, unlinkSync, writeFileSync} from 'node:fs';
import {tryLock} from './lock.js';
const [dir, rounds, dies] = process.argv.slice(2);
for (let done = 0; done < Number(rounds); ) {
  const release = tryLock(dir + '/lock');
  if (!release) continue;
  try {
    closeSync(openSync(dir + '/inside', 'wx'));
  } catch {
    writeFileSync(dir + '/broken', String(process.pid));
  }
  unlinkSync(dir + '/inside');
  done += 1;
  if (dies === 'dies' && done === Number(rounds)) process.kill(process.pid, 'SIGKILL');
  release();
}
`;

describe('session lock', () => {
  it('is held by one process at a time, also while owners die', async () => {
    const entry = join(dir, 'contender.mjs');
    await build({
      stdin: {
        contents: CONTENDER,
        resolveDir: join(import.meta.dirname, '../../../src/session'),
        loader: 'ts',
      },
      outfile: entry,
      bundle: true,
      format: 'esm',
      platform: 'node',
      logLevel: 'silent',
    });
    const ends = Array.from({length: 6}, (_, i) => {
      const child = spawn(process.execPath, [entry, dir, '40', i % 2 ? 'dies' : 'lives'], {stdio: 'ignore'});
      children.push(child);
      return new Promise<string | number | null>((resolve) =>
        child.once('exit', (code, signal) => resolve(signal ?? code)),
      );
    });
    expect(await Promise.all(ends)).toEqual([0, 'SIGKILL', 0, 'SIGKILL', 0, 'SIGKILL']);
    expect(existsSync(join(dir, 'broken'))).toBe(false);
  });

  it('belongs to a process, not to whoever has its pid later', () => {
    const path = join(dir, 'lock');
    const release = tryLock(path)!;
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid} ${processStart(process.pid)}`);
    expect(tryLock(path)).toBeUndefined();
    release();
    writeFileSync(path, `${process.pid} 1`);
    const again = tryLock(path);
    expect(again).toBeDefined();
    again!();
    expect(existsSync(path)).toBe(false);
  });
});
