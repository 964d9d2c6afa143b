// SPDX-License-Identifier: Apache-2.0
/** Counters added up, lines put into packets, packets at a steady pace: what a receiver of datagrams can take. */
import type {Clock} from '../../base/clock.js';
import {joinStatsd, type StatsdOptions, type StatsdParts, statsdParts} from '../../records/statsd.js';
import type {RelayRecord} from '../../records/types.js';

/** Lines of a batch: one for each counter (their sum) and gauge (the last), one for each value of other kinds. */
export function linesOf(
  batch: readonly RelayRecord[],
  options: StatsdOptions,
): {lines: string[]; rejected: number} {
  const merged = new Map<string, StatsdParts>();
  const lines: string[] = [];
  let rejected = 0;
  for (const record of batch) {
    const parts = record.kind === 'metric' ? statsdParts(record, options) : undefined;
    if (parts === undefined || record.kind !== 'metric') rejected++;
    else if (record.type !== 'counter' && record.type !== 'gauge') lines.push(joinStatsd(parts));
    else {
      const found = merged.get(parts.head + parts.tail);
      if (found === undefined) merged.set(parts.head + parts.tail, parts);
      else found.value = record.type === 'counter' ? found.value + parts.value : parts.value;
    }
  }
  for (const parts of merged.values()) lines.push(joinStatsd(parts));
  return {lines, rejected};
}

/** Lines joined by newlines into packets of at most `size` bytes; a longer line is a packet of its own. */
export function packLines(lines: readonly string[], size: number): Buffer[] {
  const packets: Buffer[] = [];
  let text = '';
  let length = 0;
  for (const line of lines) {
    const bytes = Buffer.byteLength(line);
    // The newline at the end of a packet is left out.
    if (length > 0 && length + bytes - 1 > size) {
      packets.push(Buffer.from(text.slice(0, -1)));
      text = '';
      length = 0;
    }
    text += line;
    length += bytes;
  }
  if (length > 0) packets.push(Buffer.from(text.slice(0, -1)));
  return packets;
}

/** Waits so that no more than `perSecond` calls go through; bursts of a millisecond are let pass. */
export function createPace(perSecond: number, clock: Clock): (signal: AbortSignal) => Promise<void> {
  if (perSecond <= 0) return () => Promise.resolve();
  const burst = Math.max(8, perSecond / 1000);
  let tokens = burst;
  let last = clock.now();
  return (signal) => {
    const now = clock.now();
    tokens = Math.min(burst, tokens + ((now - last) / 1000) * perSecond);
    last = now;
    tokens--;
    if (tokens >= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clock.cancel(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = clock.after((-tokens / perSecond) * 1000, done);
      signal.addEventListener('abort', done);
    });
  };
}
