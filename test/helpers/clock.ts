// SPDX-License-Identifier: Apache-2.0
/** A clock turned by hand. */
import type {Clock} from '../../src/base/clock.js';

interface Entry {
  at: number;
  callback: () => void;
}

export interface FakeClock extends Clock {
  /** Moves both clocks on, calling back what is due, with the event loop drained before and after. */
  advance(ms: number): Promise<void>;
  /** Moves only the wall clock. */
  jump(ms: number): void;
  readonly timers: number;
}

/** Lets promises and a little real I/O settle. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

export function createFakeClock(start = 1_000_000): FakeClock {
  let now = start;
  let offset = 1_795_375_578_000 - start;
  const entries = new Set<Entry>();
  return {
    now: () => now,
    wall: () => now + offset,
    after(ms, callback) {
      const entry = {at: now + ms, callback};
      entries.add(entry);
      return entry;
    },
    cancel: (timer) => void entries.delete(timer as Entry),
    jump(ms) {
      offset += ms;
    },
    get timers() {
      return entries.size;
    },
    async advance(ms) {
      await settle();
      const end = now + ms;
      for (;;) {
        const due = [...entries].filter((entry) => entry.at <= end).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        entries.delete(due);
        now = Math.max(now, due.at);
        due.callback();
        await settle();
      }
      now = end;
      await settle();
    },
  };
}
