// SPDX-License-Identifier: Apache-2.0
// The file exporter: lines, rotation, files that others move, a full disk, the standard output.
import {execFileSync, spawnSync} from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {gunzipSync} from 'node:zlib';
import {afterEach, beforeEach, expect, test} from 'vitest';
import type {FileExporterConfig} from '../../../../src/config/types.js';
import type {Exporter} from '../../../../src/delivery/exporter.js';
import {createExporter} from '../../../../src/exporters/file/index.js';
import {createFakeClock} from '../../../helpers/clock.js';
import {makeContext, makeDelivery, NEVER} from '../../../helpers/delivery.js';
import {makeEvent, makeMetric} from '../../../helpers/records.js';

let folder: string;
let path: string;
const open: Exporter[] = [];
const clock = createFakeClock();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scope-file-'));
  path = join(folder, 'sub/out.ndjson');
});
afterEach(async () => {
  for (const exporter of open.splice(0)) await exporter.stop();
  rmSync(folder, {recursive: true, force: true});
});

function make(change: Partial<FileExporterConfig> = {}): Exporter {
  const exporter = createExporter(
    {
      ...makeDelivery(),
      type: 'file',
      path,
      format: 'ndjson',
      fsync: 'never',
      fsync_interval: 1000,
      mode: '0600',
      prefix: '',
      verbosity: 4,
      ...change,
    },
    makeContext({clock}),
  );
  open.push(exporter);
  return exporter;
}

const events = (from: number, to: number) =>
  Array.from({length: to - from}, (_, i) =>
    makeEvent({channel: String(from + i), data: {message: 'm'.repeat(100)}}),
  );
const channels = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => Number(JSON.parse(line)._channel));
const range = (from: number, to: number) => Array.from({length: to - from}, (_, i) => from + i);

test('appends lines to a file that only its owner reads', async () => {
  const exporter = make();
  expect(await exporter.send(events(0, 5), NEVER)).toEqual({outcome: 'success'});
  await exporter.stop();
  expect(await make({fsync: 'batch'}).send(events(5, 8), NEVER)).toEqual({outcome: 'success'});
  expect(channels(readFileSync(path, 'utf8'))).toEqual(range(0, 8));
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('rotates by size at line ends, keeps so many, compresses', async () => {
  const exporter = make({rotate: {max_bytes: 3000, max_age: 0, keep: 3, compression: 'gzip'}});
  for (let i = 0; i < 10; i++) {
    expect(await exporter.send(events(i * 20, i * 20 + 20), NEVER)).toEqual({outcome: 'success'});
  }
  await exporter.stop();
  const names = readdirSync(join(folder, 'sub')).sort();
  expect(names).toEqual(['out.ndjson', 'out.ndjson.1.gz', 'out.ndjson.2.gz', 'out.ndjson.3.gz']);
  const texts = names.map((name) => readFileSync(join(folder, 'sub', name)));
  const parts = texts.map((bytes, i) => (i === 0 ? bytes : gunzipSync(bytes)).toString());
  for (const part of parts) expect(part.length).toBeLessThanOrEqual(3000);
  const all = [...parts.slice(1).reverse(), parts[0]!].flatMap(channels);
  expect(all).toEqual(range(200 - all.length, 200));
});

test('rotates by age', async () => {
  const exporter = make({rotate: {max_bytes: 0, max_age: 60_000, keep: 5, compression: 'none'}});
  await exporter.send(events(0, 2), NEVER);
  await clock.advance(59_000);
  await exporter.send(events(2, 4), NEVER);
  await clock.advance(2000);
  await exporter.send(events(4, 6), NEVER);
  expect(channels(readFileSync(`${path}.1`, 'utf8'))).toEqual(range(0, 4));
  expect(channels(readFileSync(path, 'utf8'))).toEqual(range(4, 6));
});

test('follows a path whose file was moved away, removed or cut', async () => {
  const exporter = make();
  await exporter.send(events(0, 2), NEVER);
  renameSync(path, `${path}.moved`);
  await clock.advance(1500);
  await exporter.send(events(2, 4), NEVER);
  expect(channels(readFileSync(path, 'utf8'))).toEqual([2, 3]);
  rmSync(path);
  await clock.advance(1500);
  await exporter.send(events(4, 6), NEVER);
  truncateSync(path, 0);
  await clock.advance(1500);
  await exporter.send(events(6, 8), NEVER);
  expect(channels(readFileSync(path, 'utf8'))).toEqual([6, 7]);
});

test('a full disk is retryable and leaves no half line', async (context) => {
  const mount = join(folder, 'small');
  mkdirSync(mount);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', mount], {stdio: 'ignore'});
  } catch {
    context.skip();
  }
  try {
    path = join(mount, 'out');
    const exporter = make();
    const batch = events(0, 1000);
    expect(await exporter.send(batch, NEVER)).toMatchObject({
      outcome: 'retryable',
      reason: expect.stringContaining('ENOSPC'),
    });
    execFileSync('mount', ['-o', 'remount,size=4m', mount]);
    expect(await exporter.send(batch, NEVER)).toEqual({outcome: 'success'});
    expect(channels(readFileSync(path, 'utf8'))).toEqual(range(0, 1000));
    await exporter.stop();
  } finally {
    execFileSync('umount', ['-l', mount]);
  }
});

test('a folder that cannot be written is retryable, and check says so', async () => {
  const exporter = make({path: folder});
  expect(await exporter.send(events(0, 1), NEVER)).toMatchObject({outcome: 'retryable'});
  expect(await exporter.check!(NEVER)).toContain('EISDIR');
  expect(existsSync(path)).toBe(false);
});

test('writes StatsD lines, and counts values that have none', async () => {
  const exporter = make({format: 'statsd', prefix: 'app'});
  expect(exporter.accepts(makeEvent())).toBe(false);
  expect(await exporter.send([makeMetric(), makeMetric({value: Number.NaN})], NEVER)).toMatchObject({
    rejected: 1,
  });
  expect(readFileSync(path, 'utf8')).toBe(
    'app.fs.open:2|c|#proc:echo,pid:4242,host:vm,unit:operation,summary:true\n',
  );
});

test('refuses a mode that is not octal', () => {
  expect(() => make({mode: 'rw'})).toThrow('exporters.here.mode: "rw" is not octal (0600)');
});

test('writes to the standard output, also when it is a slow pipe', () => {
  const script = `
    import {createExporter} from './src/exporters/file/index.js';
    import {makeContext, makeDelivery, NEVER} from './test/helpers/delivery.js';
    import {makeEvent} from './test/helpers/records.js';
    const exporter = createExporter({...makeDelivery(), type: 'file', path: 'stdout', format: 'ndjson', fsync: 'never',
      fsync_interval: 0, mode: '0600', prefix: '', verbosity: 4}, makeContext());
    const batch = Array.from({length: 5000}, (_, i) => makeEvent({channel: String(i), data: {message: 'x'.repeat(100)}}));
    const result = await exporter.send(batch, NEVER);
    if (result.outcome !== 'success') throw new Error(JSON.stringify(result));
    await exporter.stop();`;
  const bundle = execFileSync(
    'node_modules/.bin/esbuild',
    ['--bundle', '--platform=node', '--format=esm', '--loader=ts', `--sourcefile=${process.cwd()}/in.ts`],
    {input: script},
  );
  const file = join(folder, 'run.mjs');
  spawnSync('tee', [file], {input: bundle});
  const out = execFileSync('sh', ['-c', `${process.execPath} ${file} | (sleep 0.3; cat)`], {
    maxBuffer: 1 << 26,
  });
  expect(channels(out.toString())).toEqual(range(0, 5000));
});
