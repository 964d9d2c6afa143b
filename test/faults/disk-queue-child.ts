// SPDX-License-Identifier: Apache-2.0
// Run by disk-queue.test.ts: pushes numbered records through a destination with a disk queue until it is killed.
// arguments: queue folder, file of the peer, first number, limit (0: no end), bytes of the queue
import {appendFileSync, writeSync} from 'node:fs';
import {systemClock} from '../../src/base/clock.js';
import {createDestination} from '../../src/delivery/destination.js';
import type {SendResult} from '../../src/delivery/exporter.js';
import type {RelayRecord} from '../../src/records/types.js';
import {makeSettings} from '../helpers/exporter.js';
import {makeEvent} from '../helpers/records.js';

const [path, peer, first, limit, maxBytes] = process.argv.slice(2);
const end = Number(limit) || Number.POSITIVE_INFINITY;
const destination = createDestination(
  makeSettings({
    queue: {type: 'disk', path: path!, maxBytes: Number(maxBytes), whenFull: 'block', syncMs: 5},
    batch: {maxRecords: 37, maxWaitMs: 1},
    retry: {initialMs: 1, maxMs: 2},
  }),
  {
    type: 'peer',
    accepts: () => true,
    start: () => Promise.resolve(),
    send(batch: readonly RelayRecord[]): Promise<SendResult> {
      // Refuses now and then, so that kills also fall between attempts.
      if (Math.random() < 0.2) return Promise.resolve({outcome: 'retryable', reason: 'busy', afterMs: 1});
      appendFileSync(peer!, batch.map((record) => `${(record as {channel: string}).channel}\n`).join(''));
      return Promise.resolve({outcome: 'success'});
    },
    stop: () => Promise.resolve(),
  },
  systemClock,
);
await destination.start();
writeSync(1, `ledger ${JSON.stringify(destination.status())}\n`);
for (let n = Number(first); n < end; ) {
  const batch: RelayRecord[] = [];
  for (let i = 0; i < 11 && n < end; i++)
    batch.push(makeEvent({channel: String(n++), data: {message: 'x'.repeat(900)}}));
  const more = destination.push(batch);
  // What was pushed is accepted: from here on it must arrive, whatever happens to this process.
  writeSync(1, `accepted ${n}\n`);
  await (more ? new Promise((resolve) => setImmediate(resolve)) : destination.ready());
}
await destination.stop(20_000);
writeSync(1, `ledger ${JSON.stringify(destination.status())}\n`);
