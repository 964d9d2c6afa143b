// SPDX-License-Identifier: Apache-2.0
/** Transforms that let only some records through: sample and limit. */
import type {TransformLimitConfig} from '../config/index.js';
import type {RelayRecord} from '../records/types.js';
import type {Step} from './edit.js';

/** Keeps the share evenly: of each ten records with 0.3, three. */
export function sampleStep(share: number, dropped: () => void): Step {
  let credit = 1 - share; // the first record is kept
  return (record) => {
    credit += share;
    if (share > 0 && credit >= 1 - 1e-9) {
      credit -= 1;
      return record;
    }
    dropped();
    return undefined;
  };
}

interface Bucket {
  tokens: number;
  at: number;
}

/** Sources that are idle are forgotten once there are this many. */
const BUCKETS = 10_000;

function keyOf(by: TransformLimitConfig['by'], record: RelayRecord): string {
  switch (by) {
    case 'proc':
      return record.process.proc;
    case 'pid':
      return String(record.process.key);
    case 'source':
      return record.kind === 'event'
        ? record.source
        : record.kind === 'metric' || record.kind === 'span'
          ? record.name
          : record.kind;
    default:
      return '';
  }
}

/** A token bucket; `now` in milliseconds. */
export function limitStep(config: TransformLimitConfig, now: () => number, dropped: () => void): Step {
  const burst = config.burst ?? Math.max(1, config.per_second);
  const buckets = new Map<string, Bucket>();
  return (record) => {
    const key = keyOf(config.by, record);
    const time = now();
    let bucket = buckets.get(key);
    if (!bucket) {
      if (buckets.size >= BUCKETS) buckets.clear();
      bucket = {tokens: burst, at: time};
      buckets.set(key, bucket);
    }
    const passed = Math.max(0, time - bucket.at);
    bucket.tokens = Math.min(burst, bucket.tokens + (passed * config.per_second) / 1000);
    bucket.at = time;
    if (bucket.tokens < 1) {
      dropped();
      return undefined;
    }
    bucket.tokens -= 1;
    return record;
  };
}
