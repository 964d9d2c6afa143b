// SPDX-License-Identifier: Apache-2.0
/** How much memory Node keeps for young objects. */
import {getHeapSpaceStatistics, setFlagsFromString} from 'node:v8';

/** Both halves together; Node lets them grow to 32 MiB. */
const MOST_BYTES = 8 * 1024 * 1024;
/** Between two looks once they have grown: they are made small again when a program was idle for a while. */
const LOOK_MS = 1000;
let capped = false;
let looked = Number.NEGATIVE_INFINITY;

/**
 * Stops the growth of the young generation at 8 MiB: what a relay makes dies within a pass, and more room for it is
 * only memory that is never given back. V8 has no flag for this that may be set once it runs, but reads the factor by which it
 * grows each time. To be called now and then.
 */
export function capYoungObjects(): void {
  const now = performance.now();
  if (capped && now - looked < LOOK_MS) return;
  looked = now;
  const young = getHeapSpaceStatistics().find(({space_name}) => space_name === 'new_space');
  if (young === undefined) return;
  const reached = young.space_size >= MOST_BYTES;
  if (reached === capped) return;
  capped = reached;
  setFlagsFromString(`--semi-space-growth-factor=${reached ? 1 : 2}`);
}
