// SPDX-License-Identifier: Apache-2.0
/** Log records of opens and closes made by the addon against those that OTLP makes of the file source's events. */
import {expect, test} from 'vitest';
import {REC} from '../../../../src/channel/index.js';
import {defaultConfig} from '../../../../src/config/index.js';
import {writeLogRecord} from '../../../../src/records/otlp/logs.js';
import {fieldEnd, ProtoWriter} from '../../../../src/records/otlp/proto.js';
import type {Event} from '../../../../src/records/types.js';
import {settingsSource} from '../../../../src/relay/compile.js';
import {Pipeline} from '../../../../src/relay/pipeline.js';
import {fileLogs} from '../../../../src/relay/sources/file-logs.js';
import {
  closeStruct,
  makeClose,
  makeOpen,
  makeRecord,
  memoryChannel,
  memoryFolder,
} from '../../../helpers/channel-records.js';

const NOW = 1_795_375_600.123456;
type Fill = (folder: ReturnType<typeof memoryFolder>) => void;

/** Log records one by one, as hexadecimal digits. */
function run(native: boolean, fill: Fill): string[] {
  const folder = memoryFolder();
  const found: string[] = [];
  const out = new ProtoWriter();
  const pipeline = new Pipeline({
    folder,
    settings: settingsSource(defaultConfig()),
    sink: {
      linesOnly: true,
      append(records) {
        for (const record of records as Event[]) {
          if (record.kind !== 'event' || !/^fs\.(open|close)$/.test(record.source)) continue;
          expect(native).toBe(false);
          out.length = 0;
          expect(writeLogRecord(out, record, NOW)).toBe(true);
          found.push(out.view().toString('hex'));
        }
      },
      commit: () => undefined,
      ...(native
        ? {
            logsOf: () => fileLogs,
            appendLines({ends: lineEnds, from, to, logs}) {
              const {bytes, ends} = logs!;
              for (let i = from; i < to; i++) {
                const at = i === 0 ? 0 : ends[i - 1]!;
                // Where there is no line there is no log record.
                expect(at === ends[i]).toBe((i === 0 ? 0 : lineEnds[i - 1]) === lineEnds[i]);
                if (at === ends[i]) continue;
                expect(fieldEnd(bytes, at)).toBe(ends[i]);
                found.push(bytes.toString('hex', at, ends[i]));
              }
            },
          }
        : {}),
    },
    now: () => NOW,
  });
  fill(folder);
  while (pipeline.pass(1000)) {
    // More is waiting.
  }
  pipeline.commit();
  return found;
}

function same(fill: Fill, count: number): void {
  const expected = run(false, fill);
  expect(expected).toHaveLength(count);
  expect(run(true, fill)).toEqual(expected);
}

const PATHS: (string | Buffer)[] = [
  '/usr/lib/x',
  '/with "quotes" and \\',
  '/tab\there\u007f',
  '/ünïcödé/日本/😀',
  Buffer.from([0x2f, 0xff, 0xc3, 0x28, 0xe2, 0x82, 0x41, 0xf0, 0x9f, 0x98]),
  Buffer.from([0x2f, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x80, 0x80, 0xc0, 0xaf]),
  '',
  `/${'d/'.repeat(20)}`,
  `/${'d/'.repeat(50)}`,
  `/${'d/'.repeat(2000)}`,
  `/${'é/'.repeat(8000)}`,
];

test('whatever the path, and whatever the numbers', () => {
  same((folder) => {
    const channel = folder.add(memoryChannel(1));
    const records = PATHS.flatMap((path, i) => [
      makeOpen(path as string, {
        ...{fd: 3, object: i === 3 ? 0 : 10 ** i + i, tsc: i * 1_000_001, nr: i * 60},
        mode: 0o104755 - i,
      }),
      ...[0, 1, 2, 3].map((n) =>
        makeClose(
          {
            rx_bytes: 2 ** (n * 20) + i,
            rx_ops: n * 90,
            tx_bytes: n * 128 + i,
            tx_ops: 1,
            ticks: 1234 * i * n,
          },
          {fd: 3, object: i === 3 ? 0 : 10 ** i + i, tsc: i * 1_000_001 + 500, nr: 3},
        ),
      ),
    ]);
    folder.put(channel, ...records);
  }, PATHS.length * 5);
});

test('whole and broken durations, counters beyond what a number holds', () => {
  same((folder) => {
    const channel = folder.add(memoryChannel(1));
    const close = (values: Record<string, number>, i: number) =>
      makeClose(values, {fd: 3, object: 5, tsc: i, nr: 3});
    folder.put(
      channel,
      makeOpen('/x', {fd: 3, object: 5, tsc: 1}),
      close({rx_ops: 1, ticks: 7000}, 2),
      close({rx_ops: 1, ticks: 7001}, 3),
      close({rx_ops: 2, ticks: 1}, 4),
      close({rx_ops: 0, ticks: 5}, 5),
      close({rx_bytes: 2 ** 53, tx_bytes: 2 ** 60}, 6),
      close({rx_bytes: 2 ** 53 - 1, tx_bytes: 2 ** 53 - 2}, 7),
    );
  }, 7);
});

test('failed opens, files named by their close, thousands of them, a forked child', () => {
  same((folder) => {
    const channel = folder.add(memoryChannel(1));
    const payload = Buffer.concat([closeStruct({}), Buffer.from('/before')]);
    folder.put(
      channel,
      makeOpen('/failed', {fd: -1, object: 1, tsc: 1, ret: -2}),
      makeClose({}, {fd: 9, object: 3, tsc: 4}),
      makeRecord({type: REC.CLOSE, fd: 9, object: 109, tsc: 6, nr: 999, payload}),
      ...Array.from({length: 2000}, (_, i) => [
        makeOpen(`/tmp/${i % 7}.log`, {fd: 5, object: 200 + i, tsc: 10 + i * 10, mode: 0o100644}),
        ...(i % 5 === 0
          ? [makeRecord({type: REC.DELETE, tsc: 12 + i * 10, payload: Buffer.from('/gone')})]
          : []),
        makeClose({rx_bytes: i}, {fd: 5, object: 200 + i, tsc: 13 + i * 10}),
      ]).flat(),
      makeOpen('/shared', {fd: 4, object: 5000, tsc: 90_000, mode: 0o100600}),
    );
    const child = folder.add(
      memoryChannel(2, {
        header: {...channel.header, startTsc: 100_000, parentStartTsc: channel.header.startTsc},
      }),
    );
    folder.put(child, makeClose({}, {fd: 4, object: 5000, tsc: 110_000}));
  }, 4003);
});
