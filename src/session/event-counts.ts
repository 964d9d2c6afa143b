// SPDX-License-Identifier: Apache-2.0
/** How many events of a source each process has, by the index alone. */
import type {EventLog} from './event-log.js';
import {ENTRY} from './index-file.js';

/** Entries looked at in one step. */
const STEP = 65_536;

/** Calls `take` with the number of events of each of `sources` and pid from ordinal `from` on. */
export function countEvents(
  log: EventLog,
  from: number,
  sources: readonly string[],
  take: (source: string, pid: number, count: number) => void,
): void {
  const wanted = new Map(sources.map((source) => [log.sources.indexOf(source) + 1, source]));
  wanted.delete(0);
  if (wanted.size === 0) return;
  const counts = new Map<string, Map<number, number>>();
  for (let first = from; first < log.count; first += STEP) {
    const {bytes, count} = log.entries(first, Math.min(STEP, log.count - first));
    for (let i = 0; i < count; i++) {
      const source = wanted.get(bytes.readUInt32LE(i * ENTRY + 8));
      if (source === undefined) continue;
      const pid = bytes.readUInt32LE(i * ENTRY + 12);
      let byPid = counts.get(source);
      if (byPid === undefined) {
        byPid = new Map();
        counts.set(source, byPid);
      }
      byPid.set(pid, (byPid.get(pid) ?? 0) + 1);
    }
  }
  for (const [source, byPid] of counts) for (const [pid, count] of byPid) take(source, pid, count);
}
