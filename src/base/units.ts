// SPDX-License-Identifier: Apache-2.0
/** Sizes and durations as people write them in YAML: `64MiB`, `1.5GB`, `250ms`, `10s`; a bare number is bytes or seconds. */

/** Bytes as a number, or text with a unit: B, kB, MB, GB, KiB, MiB, GiB, TiB. */
export type Size = number | string;
/** Seconds as a number, or text with a unit: us, ms, s, m, h, d. */
export type Duration = number | string;

const SIZES: Record<string, number> = {
  '': 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};
const DURATIONS: Record<string, number> = {'': 1000, us: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7};

function parse(value: number | string, units: Record<string, number>): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*$/.exec(String(value));
  const unit = match && units[match[2]!.toLowerCase()];
  return unit === undefined || unit === null ? undefined : Number(match![1]) * unit;
}

/** Bytes, or undefined when it is not a size. */
export function parseSize(value: Size): number | undefined {
  const bytes = parse(value, SIZES);
  return bytes === undefined ? undefined : Math.round(bytes);
}

/** Milliseconds, or undefined when it is not a duration. */
export function parseDuration(value: Duration): number | undefined {
  return parse(value, DURATIONS);
}
