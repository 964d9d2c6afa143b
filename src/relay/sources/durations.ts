// SPDX-License-Identifier: Apache-2.0
/** Durations of exchanges and lookups: milliseconds, and their distribution. */
import type {Buckets} from '../../records/types.js';

/** Upper bounds in milliseconds: the advice of OpenTelemetry's conventions for HTTP and DNS. */
const BOUNDS = [5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000] as const;

/** Milliseconds with microseconds in the fraction; never negative. */
export function millis(seconds: number): number {
  return seconds <= 0 ? 0 : Math.round(seconds * 1e6) / 1e3;
}

export function newBuckets(bounds: readonly number[] = BOUNDS): Buckets {
  const counts = new Array<number>(bounds.length + 1).fill(0);
  return {bounds, counts, sum: 0, count: 0, min: 0, max: 0};
}

export function addTo(buckets: Buckets, value: number): void {
  const {bounds} = buckets;
  let i = 0;
  while (i < bounds.length && value > bounds[i]!) i++;
  if (buckets.count === 0 || value < buckets.min) buckets.min = value;
  buckets.counts[i]! += 1;
  buckets.sum += value;
  buckets.count += 1;
  if (value > buckets.max) buckets.max = value;
}
