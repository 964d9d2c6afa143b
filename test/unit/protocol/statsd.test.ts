// SPDX-License-Identifier: Apache-2.0
/** StatsD and DogStatsD lines. */
import {describe, expect, it} from 'vitest';
import {parseStatsd} from '../../../src/protocol/statsd.js';

describe('parseStatsd', () => {
  it.each([
    ['hits:1|c', {name: 'hits', value: 1, type: 'counter', rate: 1}],
    ['load:0.5|g', {value: 0.5, type: 'gauge', relative: false}],
    ['load:-3|g', {value: -3, type: 'gauge', relative: true}],
    ['t:12|ms|@0.1', {type: 'timer', rate: 0.1}],
    ['h:1e3|h', {type: 'histogram', value: 1000}],
    ['d:4|d', {type: 'histogram', value: 4}],
    ['u:alice|s', {type: 'set', value: 1}],
    ['n:1,5|g', {value: 1.5}],
    [
      'x:2|c|@0.5|#a:b,flag,c:d:e|c:container',
      {
        rate: 0.5,
        tags: [
          ['a', 'b'],
          ['flag', ''],
          ['c', 'd:e'],
        ],
      },
    ],
  ])('%s', (line, expected) => {
    expect(parseStatsd(line)).toMatchObject([expected]);
  });

  it('splits datagrams of several lines', () => {
    expect(parseStatsd('a:1|c\nb:2|g\r\n\nc:3|ms\n').map((sample) => sample.name)).toEqual(['a', 'b', 'c']);
  });

  it('takes packed values apart', () => {
    expect(parseStatsd('p:1:2:3|h').map((sample) => sample.value)).toEqual([1, 2, 3]);
  });

  it.each([
    '',
    'a',
    'a:1',
    'a:1|',
    'a:1|x',
    ':1|c',
    'a:b|c',
    'a:1|c junk',
    'GET / HTTP/1.1',
    '_e{1,1}:a|b',
    'a:1e999|c',
  ])('%j is none', (line) => {
    expect(parseStatsd(line)).toEqual([]);
  });
});
