// SPDX-License-Identifier: Apache-2.0
// Pauses between attempts, and what a Retry-After header means.
import {expect, test} from 'vitest';
import {parseRetryAfter, retryPause} from '../../../src/delivery/retry.js';

const settings = {initialMs: 100, maxMs: 1000, multiplier: 2, jitter: 0.5, maxElapsedMs: 0};

test('the pause grows to its limit, less a random share', () => {
  expect([1, 2, 3, 4, 5, 2000].map((attempt) => retryPause(settings, attempt, undefined, 0))).toEqual([
    100, 200, 400, 800, 1000, 1000,
  ]);
  expect(retryPause(settings, 1, undefined, 0.999)).toBeCloseTo(50, 0);
});

test('what the peer asks for is a lower bound, with a limit', () => {
  expect(retryPause(settings, 1, 5000, 0)).toBe(5000);
  expect(retryPause(settings, 5, 10, 0)).toBe(1000);
  expect(retryPause(settings, 1, 1e12, 0)).toBe(300_000);
  expect(retryPause(settings, 1, Number.NaN, 0)).toBe(100);
});

test('reads seconds and dates', () => {
  const wall = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT');
  expect(parseRetryAfter('3', wall)).toBe(3000);
  expect(parseRetryAfter('Wed, 21 Oct 2026 07:28:05 GMT', wall)).toBe(5000);
  expect(parseRetryAfter('Wed, 21 Oct 2020 07:28:05 GMT', wall)).toBe(0);
  expect(parseRetryAfter('soon', wall)).toBeUndefined();
  expect(parseRetryAfter(undefined, wall)).toBeUndefined();
});
