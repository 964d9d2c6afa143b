// SPDX-License-Identifier: Apache-2.0
import {exec, program, variant} from '../bench.mjs';

/** Records that arrive of a burst, and what the session says it lost. */
export default async function burst() {
  const bin = program('burst', 'burst');
  const pairs = 1_000_000;
  const v = variant('scope');
  const took = exec([...v.prefix, bin, String(pairs)], v.env).seconds;
  // `hist` waits until the session is complete; with -d it only says where that is.
  exec([...v.prefix, 'hist'], v.env, {timeout: 120_000});
  const dir = exec([...v.prefix, 'hist', '-d'], v.env).stdout.trim();
  const count = 'grep -c \'"sourcetype":"fs"\' "$1/events.json"';
  const arrived = Number(exec(['sh', '-c', count, 'sh', dir]).stdout);
  console.log(
    `| burst | ${pairs} open/close pairs in ${took.toFixed(2)} s: fs events that arrived | ${2 * pairs} | ${arrived} | ${(arrived / 2 / pairs).toFixed(4)} | | ≥ 0.99, every loss counted |`,
  );
  v.dispose();
}
