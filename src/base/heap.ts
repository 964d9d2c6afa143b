// SPDX-License-Identifier: Apache-2.0
/** How much memory Node keeps for young objects. */
import {getHeapSpaceStatistics, setFlagsFromString} from 'node:v8';

/** Both halves together; Node lets them grow to 32 MiB. */
const MOST_BYTES = 8 * 1024 * 1024;
let capped = false;

/**
 * Stops the growth of the young generation at 8 MiB: what a relay makes dies within a pass, and more room for it is
 * only memory that is never given back. V8 has no flag for this that may be set once it runs, but reads the factor by which it
 * grows each time. To be called now and then.
 */
export function capYoungObjects(): void {
  if (capped) return;
  const young = getHeapSpaceStatistics().find(({space_name}) => space_name === 'new_space');
  if (young === undefined || young.space_size < MOST_BYTES) return;
  capped = true;
  setFlagsFromString('--semi-space-growth-factor=1');
}
