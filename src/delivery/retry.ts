// SPDX-License-Identifier: Apache-2.0
/** How long to wait before trying again: exponential, with jitter, never below what the peer asked for. */
import type {DeliverySettings} from './config.js';

/** No peer is waited for longer than this, whatever its Retry-After says. */
const LONGEST_REQUEST_MS = 300_000;

/** Pause before attempt `attempt` (1 = first repetition); `random` is in [0, 1). */
export function retryPause(
  settings: DeliverySettings['retry'],
  attempt: number,
  afterMs: number | undefined,
  random: number,
): number {
  const full = Math.min(settings.maxMs, settings.initialMs * settings.multiplier ** (attempt - 1));
  const pause = full * (1 - settings.jitter * random);
  const asked = afterMs !== undefined && afterMs > 0 ? Math.min(afterMs, LONGEST_REQUEST_MS) : 0;
  return Math.max(pause, asked);
}

/** Retry-After header (seconds or a date) in milliseconds; undefined when absent or not understood. */
export function parseRetryAfter(header: string | undefined, wall: number): number | undefined {
  if (header === undefined || header === '') return undefined;
  if (/^\d+(\.\d+)?$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - wall);
}
