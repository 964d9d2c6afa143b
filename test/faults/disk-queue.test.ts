// SPDX-License-Identifier: Apache-2.0
// A disk queue under kill -9 at random points, and on a disk that is full: everything accepted arrives at least once.
import {type ChildProcess, execFileSync, spawn} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {buildSync} from 'esbuild';
import {afterAll, afterEach, beforeAll, expect, test} from 'vitest';

let folder: string;
let script: string;
const children = new Set<ChildProcess>();
const mounts: string[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'scope-queue-'));
  script = join(folder, 'child.mjs');
  buildSync({
    entryPoints: [resolve(import.meta.dirname, 'disk-queue-child.ts')],
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
  });
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
});
afterAll(() => {
  for (const mount of mounts) execFileSync('umount', ['-l', mount]);
  rmSync(folder, {recursive: true, force: true});
});

interface Run {
  accepted: number;
  ledger: {accepted: number; sent: number; queued: number; dropped: Record<string, number>}[];
}

/** Runs the child; kills it after so many pushes unless 0. */
function run(
  queue: string,
  first: number,
  limit: number,
  killAfter: number,
  maxBytes = 1 << 20,
): Promise<Run> {
  const args = [script, queue, join(folder, 'peer'), String(first), String(limit), String(maxBytes)];
  const child = spawn(process.execPath, args, {stdio: ['ignore', 'pipe', 'inherit']});
  children.add(child);
  const result: Run = {accepted: first, ledger: []};
  let pushes = 0;
  let rest = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (line.startsWith('ledger ')) result.ledger.push(JSON.parse(line.slice(7)));
      else result.accepted = Number(line.split(' ')[1]);
      if (++pushes === killAfter) child.kill('SIGKILL');
    }
  });
  return new Promise((done) => {
    child.on('close', () => {
      children.delete(child);
      done(result);
    });
  });
}

function received(): Set<number> {
  const peer = join(folder, 'peer');
  return new Set(existsSync(peer) ? readFileSync(peer, 'utf8').trim().split('\n').map(Number) : []);
}

test('everything accepted arrives across ten kills', async () => {
  const queue = join(folder, 'killed');
  const must: [number, number][] = [];
  let first = 0;
  for (let round = 0; round < 10; round++) {
    const {accepted} = await run(queue, first, 0, 5 + round * 17);
    must.push([first, accepted]);
    // A push may have been accepted although its line was not read any more: numbers after the gap stay apart.
    first = accepted + 100_000;
  }
  const last = await run(queue, first, first + 500, 0);
  must.push([first, first + 500]);
  const got = received();
  for (const [from, to] of must) for (let n = from; n < to; n++) if (!got.has(n)) expect.fail(`${n} is lost`);
  const end = last.ledger.at(-1)!;
  expect(end).toMatchObject({queued: 0, dropped: {corrupt: 0, disk_error: 0, queue_full: 0, failed: 0}});
  expect(end.accepted).toBe(end.sent);
});

test('a full disk is counted and survived', async (context) => {
  const mount = join(folder, 'small');
  mkdirSync(mount);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', mount], {stdio: 'ignore'});
  } catch {
    context.skip();
  }
  mounts.push(mount);
  rmSync(join(folder, 'peer'), {force: true});
  const {ledger} = await run(join(mount, 'queue'), 0, 3000, 0, 16 << 20);
  const end = ledger.at(-1)!;
  const dropped = Object.values(end.dropped).reduce((a, b) => a + b, 0);
  expect(end.accepted).toBe(3000);
  expect(end.accepted).toBe(end.sent + end.queued + dropped);
  expect(received().size).toBe(end.sent);
  expect(end.sent).toBeGreaterThan(1000);
});
