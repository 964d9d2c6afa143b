// SPDX-License-Identifier: Apache-2.0
/**
 * TSC to wall-clock time. The TSC's rate is nowhere to be read without privileges, so it is measured: the longer the
 * stretch between two samples, the better. A channel's own start is one end, now is the other.
 */
import {addon} from './addon.js';

/** One reading of the three clocks; seconds. */
export interface Sample {
  tsc: number;
  monotonic: number;
  real: number;
}

/** Reads the clocks; injected by tests. */
export type Sampler = () => Sample;

const out = new Float64Array(3);

/** The machine's clocks now. */
export function sampleClocks(): Sample {
  addon.clock(out);
  return {tsc: out[0]!, monotonic: out[1]!, real: out[2]!};
}

/** A new measurement at most so often, in seconds. */
const REFRESH_SECONDS = 0.05;
/** Wall-clock steps larger than this are a step, not drift. */
const STEP_SECONDS = 0.001;
/** Stretches shorter than this show no drift. */
const DRIFT_SECONDS = 1;
const loaded = sampleClocks();

/**
 * Converts the TSC values of one channel. The line goes through the channel's start and the present, so times are
 * continuous and end at the wall clock of now; after a step of the wall clock it starts anew at the present.
 */
export class TscClock {
  readonly #sample: Sampler;
  /** Known pair with the longest stretch to now, for the rate. */
  readonly #base: Sample;
  /** Where the line starts. */
  #anchor: Sample;
  #secondsPerTick = 0;
  #realPerTick = 0;
  #refreshAt = 0;

  /** `start`: the pair in the channel's header; undefined when it is of another boot. */
  constructor(start: Sample, sameBoot: boolean, sample: Sampler = sampleClocks, first: Sample = loaded) {
    this.#sample = sample;
    this.#anchor = start;
    const now = sample();
    const credible = sameBoot && start.tsc < now.tsc && start.monotonic < now.monotonic;
    this.#base = credible && start.monotonic < first.monotonic ? start : first;
    this.#refresh(now, credible);
  }

  /** Seconds since the epoch. */
  seconds(tsc: number): number {
    if (tsc > this.#refreshAt) this.#refresh(this.#sample(), true);
    return this.#anchor.real + (tsc - this.#anchor.tsc) * this.#realPerTick;
  }

  /** The line as it is now, for whoever converts many: TSC and time of one point, seconds per tick, nanoseconds of duration per tick. */
  line(out: Float64Array): void {
    const now = this.#sample();
    if (now.tsc > this.#refreshAt) this.#refresh(now, true);
    out[0] = this.#anchor.tsc;
    out[1] = this.#anchor.real;
    out[2] = this.#realPerTick;
    out[3] = this.#secondsPerTick * 1e9;
  }

  nanoseconds(ticks: number): number {
    return ticks * this.#secondsPerTick * 1e9;
  }

  #refresh(now: Sample, live: boolean): void {
    const ticks = now.tsc - this.#base.tsc;
    const elapsed = now.monotonic - this.#base.monotonic;
    if (ticks > 0 && elapsed > 0) this.#secondsPerTick = elapsed / ticks;
    if (!live) {
      // Of another boot: only its own start says what its ticks meant.
      this.#realPerTick = this.#secondsPerTick;
      this.#refreshAt = Number.POSITIVE_INFINITY;
      return;
    }
    const span = now.tsc - this.#anchor.tsc;
    const straight = span * this.#secondsPerTick;
    const drift = now.real - this.#anchor.real - straight;
    if (span <= 0 || Math.abs(drift) > STEP_SECONDS + straight * 1e-3) {
      this.#anchor = now;
      this.#realPerTick = this.#secondsPerTick;
    } else {
      // Over a short stretch the error of reading the clocks would be taken for drift.
      this.#realPerTick = straight < DRIFT_SECONDS ? this.#secondsPerTick : (straight + drift) / span;
    }
    this.#refreshAt = now.tsc + REFRESH_SECONDS / this.#secondsPerTick;
  }
}
