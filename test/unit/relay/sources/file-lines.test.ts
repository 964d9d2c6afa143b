// SPDX-License-Identifier: Apache-2.0
/** Lines of opens and closes made by the addon against those that the file source makes of the same records. */
import {mkdirSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {KIND, REC} from '../../../../src/channel/index.js';
import {defaultConfig} from '../../../../src/config/index.js';
import {encodeLine} from '../../../../src/records/ndjson.js';
import {settingsSource} from '../../../../src/relay/compile.js';
import {Pipeline} from '../../../../src/relay/pipeline.js';
import type {RelayState} from '../../../../src/relay/state.js';
import {openSession, type SessionWriter} from '../../../../src/session/index.js';
import {ENTRY, entryOffset, parseNames} from '../../../../src/session/index-file.js';
import {
  closeStruct,
  makeClose,
  makeOpen,
  makeRecord,
  makeText,
  memoryChannel,
  memoryFolder,
} from '../../../helpers/channel-records.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-lines-'));
});
afterEach(() => {
  rmSync(dir, {recursive: true, force: true});
});

let sessions = 0;

interface Run {
  writer: SessionWriter;
  pipeline: Pipeline;
  /** events.json, and its index as [offset, sourcetype, source, pid]. */
  files(): [string, unknown[][]];
  state(): RelayState;
}

type Parts = [channel: ReturnType<typeof memoryChannel>, ...records: Buffer[]][];

/** Batches through a pipeline into a session of its own, with lines made by the addon or not. */
function run(
  native: boolean,
  batches: (folder: ReturnType<typeof memoryFolder>) => Parts,
  budgetMs = 1000,
): Run {
  const workdir = join(dir, String(++sessions));
  mkdirSync(workdir);
  const writer = openSession(workdir, {encode: encodeLine});
  const folder = memoryFolder();
  const pipeline = new Pipeline({
    folder,
    settings: settingsSource(defaultConfig()),
    sink: {
      linesOnly: true,
      append: (made) => writer.append(made.filter((r) => r.kind === 'event')),
      ...(native ? {appendLines: (span, process) => writer.appendLines(span, process)} : {}),
      commit: () => writer.commit(),
    },
    now: () => 1_795_375_600,
  });
  for (const [channel, ...records] of batches(folder)) folder.put(channel, ...records);
  while (pipeline.pass(budgetMs)) {
    // More is waiting.
  }
  pipeline.commit();
  return {
    writer,
    pipeline,
    files: () => [readFileSync(join(workdir, 'events.json'), 'utf8'), entriesOf(workdir)],
    state: () => pipeline.state(),
  };
}

function entriesOf(workdir: string): unknown[][] {
  const bytes = readFileSync(join(workdir, '.index/events'));
  const names = parseNames(readFileSync(join(workdir, '.index/names'), 'utf8'));
  return Array.from({length: bytes.length / ENTRY}, (_, i) => {
    const at = i * ENTRY;
    const source = names[bytes.readUInt32LE(at + 8) - 1];
    return [entryOffset(bytes, i), bytes[at + 6], source, bytes.readUInt32LE(at + 12)];
  });
}

function same(batches: (folder: ReturnType<typeof memoryFolder>) => Parts, budgetMs?: number): string[] {
  const [lines, index] = run(true, batches, budgetMs).files();
  const [expected, expectedIndex] = run(false, batches).files();
  expect(lines.split('\n')).toEqual(expected.split('\n'));
  expect(index).toEqual(expectedIndex);
  return lines.trimEnd().split('\n');
}

const PATHS: (string | Buffer)[] = [
  '/usr/lib/x',
  '/with "quotes" and \\',
  '/tab\there\u007f',
  '/ünïcödé/日本/😀',
  Buffer.from([0x2f, 0xff, 0xc3, 0x28, 0xe2, 0x82, 0x41, 0xf0, 0x9f, 0x98]),
  Buffer.from([0x2f, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x80, 0x80, 0xc0, 0xaf]),
  '',
  // Beginnings of keys that are looked for, at the very end.
  ...['g', 'gh', 'ghp', 'ghp_', 'A', 'AKI', 'e', 'eyJ', 'x', 'xox', 'github_pat'].map((end) => `/bin/${end}`),
  `/${'d/'.repeat(2000)}`,
];

const open = (path: string | Buffer, fields: Record<string, number>, struct: Record<string, number> = {}) => {
  const made = makeOpen('', {...fields, ...struct} as never);
  if (path.length === 0) return made;
  return makeOpen(typeof path === 'string' ? path : (path as never), {...fields, ...struct} as never);
};

describe('lines made by the addon', () => {
  it('are those of the file source, whatever the path', () => {
    const lines = same((folder) => {
      const channel = folder.add(memoryChannel(1));
      const records = PATHS.flatMap((path, i) => [
        open(path, {fd: 3, object: i + 1, tsc: i * 1_000_001, nr: 257}, {mode: 0o104755 - i}),
        makeClose(
          {rx_bytes: 2 ** 40 + i, rx_ops: i, tx_bytes: i, tx_ops: 1, ticks: 12_345_677 * i},
          {fd: 3, object: i + 1, tsc: i * 1_000_001 + 500, nr: 3},
        ),
      ]);
      return [[channel, ...records]];
    });
    expect(lines).toHaveLength(PATHS.length * 2);
  });

  const foundOpen = (fd: number, tsc: number) => {
    const payload = Buffer.concat([closeStruct({}), Buffer.from('/before')]);
    return makeRecord({type: REC.CLOSE, fd, object: fd + 100, tsc, nr: 999, payload});
  };

  it('leave out failed opens and streams that were not opened, and name a file by its close', () => {
    const lines = same((folder) => [
      [
        folder.add(memoryChannel(1)),
        makeOpen('/failed', {fd: -1, object: 1, tsc: 1, ret: -2}),
        makeOpen('/null', {fd: 0, object: 2, tsc: 2}),
        makeClose({}, {fd: 0, object: 2, tsc: 3}),
        makeClose({}, {fd: 9, object: 3, tsc: 4}),
        foundOpen(1, 5),
        foundOpen(9, 6),
      ],
    ]);
    const data = lines.map((line) => JSON.parse(line).body.data);
    expect(data).toHaveLength(3);
    expect(data[1]).toMatchObject({file: '/null', op: 'close'});
    expect(data[2]).toMatchObject({file: '/before', op: 'unknown'});
  });

  it('stand in the order of the records among other events, also when the batch is done in pieces', () => {
    const batches = (folder: ReturnType<typeof memoryFolder>): Parts => {
      const channel = folder.add(memoryChannel(1));
      const records: Buffer[] = [];
      for (let i = 1; i <= 3000; i++) {
        records.push(makeOpen(`/tmp/${i % 7}.log`, {fd: 5, object: i, tsc: i * 10, mode: 0o100644}));
        if (i % 3 === 0)
          records.push(makeText(`line ${i}\n`, {fd: 5, object: i, tsc: i * 10 + 1, tx: true} as never));
        if (i % 5 === 0)
          records.push(makeRecord({type: REC.DELETE, tsc: i * 10 + 2, payload: Buffer.from('/gone')}));
        records.push(makeClose({rx_bytes: i}, {fd: 5, object: i, tsc: i * 10 + 3}));
      }
      return [[channel, ...records]];
    };
    expect(same(batches).length).toBeGreaterThan(6000);
    expect(same(batches, 0).length).toBeGreaterThan(6000);
  });

  it('know what a parent opened, and what the relay before knew', () => {
    const batches = (folder: ReturnType<typeof memoryFolder>): Parts => {
      const parent = folder.add(memoryChannel(1));
      const child = folder.add(
        memoryChannel(2, {
          header: {...parent.header, startTsc: 5000, parentStartTsc: parent.header.startTsc},
        }),
      );
      return [
        [parent, makeOpen('/shared', {fd: 4, object: 1, tsc: 1, mode: 0o100600})],
        [child, makeClose({}, {fd: 4, object: 1, tsc: 6000})],
      ];
    };
    expect(same(batches)).toHaveLength(2);
    const {pipeline} = run(true, batches);
    const [parent] = Object.values(pipeline.state().images);
    expect(parent!.open.files).toEqual([
      [1, {path: '/shared', kind: KIND.FILE, perms: 600, owner: 0, group: 0}],
    ]);
  });
});
