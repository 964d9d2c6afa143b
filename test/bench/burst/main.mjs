// SPDX-License-Identifier: Apache-2.0
import {exec, program, variant} from '../bench.mjs';

/** Records that arrive of a burst, and what the session says it lost. */
export default async function burst() {
  const bin = program('burst', 'burst');
  const pairs = 1_000_000;
  const v = variant('scope');
  const took = exec([...v.prefix, bin, String(pairs)], v.env).seconds;
  const out = exec([...v.prefix, 'events', '--sourcetype', 'fs', '--count', '--json'], v.env, {
    anyStatus: true,
    timeout: 120_000,
  });
  const arrived = Number(/\d+/.exec(out.stdout)?.[0] ?? Number.NaN);
  console.log(
    `| burst | ${pairs} open/close pairs in ${took.toFixed(2)} s: fs events that arrived | ${2 * pairs} | ${arrived} | ${(arrived / 2 / pairs).toFixed(4)} | | ≥ 0.99, every loss counted |`,
  );
  v.dispose();
}
