// SPDX-License-Identifier: Apache-2.0
/** Lines into packets, and packets at a steady pace. */
import type {Clock} from '../../base/clock.js';

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

/** Waits so that no more than `perSecond` calls go through; bursts of a hundredth of a second are let pass. */
export function createPace(perSecond: number, clock: Clock): (signal: AbortSignal) => Promise<void> {
  if (perSecond <= 0) return () => Promise.resolve();
  const burst = Math.max(1, perSecond / 100);
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
