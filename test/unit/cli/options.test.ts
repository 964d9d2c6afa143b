// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {goDuration, integer, list} from '../../../src/cli/options.js';

describe('values of flags', () => {
  it.each([
    ['5s', 5000],
    ['1m', 60_000],
    ['1h500ms', 3_600_500],
    ['1.5s', 1500],
    ['250us', 0.25],
  ])('%s is a duration', (text, ms) => {
    expect(goDuration(text)).toBe(ms);
  });

  it.each(['', '5', 's', '5x', '5s x', '0s', '-1s'])('%s is no duration', (text) => {
    expect(() => goDuration(text)).toThrow(/expected a duration/);
  });

  it('takes whole numbers from a least one on', () => {
    expect(integer(1)('20')).toBe(20);
    expect(integer(-1)('-1')).toBe(-1);
    for (const text of ['0', '-3', '1.5', 'x', '', '1e3', '99999999999999999'])
      expect(() => integer(1)(text)).toThrow(/expected/);
  });

  it('collects repeated and comma-separated values', () => {
    expect(list('c', list('a,b', undefined))).toEqual(['a', 'b', 'c']);
  });
});
