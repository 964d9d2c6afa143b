// SPDX-License-Identifier: Apache-2.0
/** What every exporter can be told in YAML besides its own keys, and the settings made of it. */
import {ScopeError} from '../base/errors.js';
import {type Duration, parseDuration, parseSize, type Size} from '../base/units.js';

export interface QueueConfig {
  /** Where records wait. `disk` survives the end of the relay. Default `memory`. */
  type?: 'memory' | 'disk';
  /** Default 32MiB in memory, 1GiB on disk. */
  max_bytes?: Size;
  /** Older records are dropped as `expired`; 0: never. Default 0. */
  max_age?: Duration;
  /** `block` slows the sources down instead of dropping. Default `drop_oldest`. */
  when_full?: 'block' | 'drop_oldest' | 'drop_newest';
  /** Folder of a disk queue. Default: `queues/<exporter name>` in the relay's state folder. */
  path?: string;
  /** Disk: how often written data is forced to the device; 0: only when a segment is full. Default 1s. */
  sync?: Duration;
}

export interface BatchConfig {
  /** Records in one request at most. Default depends on the exporter. */
  max_records?: number;
  /** Estimated bytes in one request at most. Default depends on the exporter. */
  max_bytes?: Size;
  /** A batch that is not full is sent after this time. Default depends on the exporter. */
  max_wait?: Duration;
}

export interface RetryConfig {
  /** First pause. Default 500ms. */
  initial?: Duration;
  /** Longest pause. Default 30s. */
  max?: Duration;
  /** Growth of the pause. Default 2. */
  multiplier?: number;
  /** Share of the pause that is random, 0 to 1. Default 0.5. */
  jitter?: number;
  /** A batch is dropped as `failed` after this time of trying; 0: never. Default 0. */
  max_elapsed?: Duration;
}

export interface TlsConfig {
  /** Default false; an `https:` or `tls` address turns it on. */
  enable?: boolean;
  /** PEM file with the authorities to trust instead of the system's. */
  ca_file?: string;
  /** PEM file with the client certificate. */
  cert_file?: string;
  /** PEM file with the client's key. */
  key_file?: string;
  /** Name expected in the peer's certificate. Default: the host. */
  server_name?: string;
  /** Whether the peer's certificate must be valid. Default true. */
  verify?: boolean;
}

export interface AuthConfig {
  /** `Authorization: Bearer <token>`. */
  token?: string;
  /** `Authorization: Basic`, or the name for SASL. */
  username?: string;
  password?: string;
}

/** The keys shared by all exporters. */
export interface DeliveryConfig {
  queue?: QueueConfig;
  batch?: BatchConfig;
  retry?: RetryConfig;
  /** One attempt to send may last this long. Default 10s. */
  timeout?: Duration;
}

/** What a destination works with: milliseconds and bytes. */
export interface DeliverySettings {
  queue: {
    type: 'memory' | 'disk';
    maxBytes: number;
    maxAgeMs: number;
    whenFull: 'block' | 'drop_oldest' | 'drop_newest';
    path: string;
    syncMs: number;
  };
  batch: {maxRecords: number; maxBytes: number; maxWaitMs: number};
  retry: {initialMs: number; maxMs: number; multiplier: number; jitter: number; maxElapsedMs: number};
  timeoutMs: number;
}

/** What an exporter prefers when the user says nothing. */
export interface DeliveryDefaults {
  maxRecords: number;
  maxBytes: number;
  maxWaitMs: number;
  timeoutMs?: number;
}

const MIB = 1024 * 1024;

function milliseconds(value: Duration | undefined, fallback: number, key: string): number {
  if (value === undefined) return fallback;
  const ms = parseDuration(value);
  if (ms === undefined) {
    throw new ScopeError('SCOPE_CONFIG_INVALID', `${key}: "${value}" is not a duration (10s, 250ms, 5m)`);
  }
  return ms;
}

function bytes(value: Size | undefined, fallback: number, key: string): number {
  if (value === undefined) return fallback;
  const size = parseSize(value);
  if (size === undefined) {
    throw new ScopeError('SCOPE_CONFIG_INVALID', `${key}: "${value}" is not a size (64MiB, 1GB)`);
  }
  return size;
}

/** Fills in defaults. `path` is where a disk queue lies when the configuration names no folder. */
export function resolveDelivery(
  config: DeliveryConfig,
  defaults: DeliveryDefaults,
  path: string,
): DeliverySettings {
  const {queue = {}, batch = {}, retry = {}} = config;
  const type = queue.type ?? 'memory';
  return {
    queue: {
      type,
      maxBytes: bytes(queue.max_bytes, type === 'disk' ? 1024 * MIB : 32 * MIB, 'queue.max_bytes'),
      maxAgeMs: milliseconds(queue.max_age, 0, 'queue.max_age'),
      whenFull: queue.when_full ?? 'drop_oldest',
      path: queue.path ?? path,
      syncMs: milliseconds(queue.sync, 1000, 'queue.sync'),
    },
    batch: {
      maxRecords: Math.max(1, batch.max_records ?? defaults.maxRecords),
      maxBytes: bytes(batch.max_bytes, defaults.maxBytes, 'batch.max_bytes'),
      maxWaitMs: milliseconds(batch.max_wait, defaults.maxWaitMs, 'batch.max_wait'),
    },
    retry: {
      initialMs: milliseconds(retry.initial, 500, 'retry.initial'),
      maxMs: milliseconds(retry.max, 30_000, 'retry.max'),
      multiplier: Math.max(1, retry.multiplier ?? 2),
      jitter: Math.min(1, Math.max(0, retry.jitter ?? 0.5)),
      maxElapsedMs: milliseconds(retry.max_elapsed, 0, 'retry.max_elapsed'),
    },
    timeoutMs: milliseconds(config.timeout, defaults.timeoutMs ?? 10_000, 'timeout'),
  };
}
