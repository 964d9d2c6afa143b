// SPDX-License-Identifier: Apache-2.0
/** Time as a parameter: whoever waits or measures takes a Clock, so that tests turn it by hand. */

/** Handle of a timer; `undefined` is never one. */
export type Timer = object;

export interface Clock {
  /** Milliseconds that never go back (CLOCK_MONOTONIC: the same origin in every process of one boot). */
  now(): number;
  /** Milliseconds since the epoch; may jump. */
  wall(): number;
  /** Calls back once; keeps the process alive until then, so whoever asks must cancel it at its end. */
  after(ms: number, callback: () => void): Timer;
  cancel(timer: Timer): void;
}

/** The real one. */
export const systemClock: Clock = {
  now: () => Number(process.hrtime.bigint() / 1000n) / 1000,
  wall: () => Date.now(),
  after: (ms, callback) => setTimeout(callback, Math.min(ms, 2 ** 31 - 1)),
  cancel: (timer) => clearTimeout(timer as NodeJS.Timeout),
};
