// SPDX-License-Identifier: Apache-2.0
/** What every exporter can be told in YAML besides its own keys (see src/config/types.ts), and the settings made of it. */

/** The keys shared by all exporters, resolved: bytes and milliseconds. */
export interface DeliveryConfig {
  queue: {
    type: 'memory' | 'disk';
    path?: string;
    max_bytes: number;
    max_age: number;
    when_full: 'block' | 'drop_oldest' | 'drop_newest';
    sync: number;
  };
  batch: {max_records: number; max_bytes: number; interval: number};
  retry: {initial: number; max: number; multiplier: number; max_elapsed: number};
  timeout: number;
}

/** What a destination works with: milliseconds and bytes. */
export interface DeliverySettings {
  queue: {
    type: 'memory' | 'disk';
    maxBytes: number;
    /** 0: no limit. */
    maxAgeMs: number;
    whenFull: 'block' | 'drop_oldest' | 'drop_newest';
    /** Folder of a disk queue. */
    path: string;
    /** Longest time between two fdatasync of a disk queue; 0: without delay. */
    syncMs: number;
  };
  batch: {maxRecords: number; maxBytes: number; maxWaitMs: number};
  retry: {
    initialMs: number;
    maxMs: number;
    multiplier: number;
    /** Share of each pause that is random, 0 to 1. */
    jitter: number;
    /** 0: for ever. */
    maxElapsedMs: number;
  };
  timeoutMs: number;
}

const JITTER = 0.5;

/** `path` is where a disk queue lies when the configuration names no folder. */
export function deliverySettings(config: DeliveryConfig, path: string): DeliverySettings {
  const {queue, batch, retry} = config;
  return {
    queue: {
      type: queue.type,
      maxBytes: queue.max_bytes,
      maxAgeMs: queue.max_age,
      whenFull: queue.when_full,
      path: queue.path ?? path,
      syncMs: queue.sync,
    },
    batch: {maxRecords: batch.max_records, maxBytes: batch.max_bytes, maxWaitMs: batch.interval},
    retry: {
      initialMs: retry.initial,
      maxMs: retry.max,
      multiplier: retry.multiplier,
      jitter: JITTER,
      maxElapsedMs: retry.max_elapsed,
    },
    timeoutMs: config.timeout,
  };
}
