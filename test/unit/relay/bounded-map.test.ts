// SPDX-License-Identifier: Apache-2.0
import {expect, it} from 'vitest';
import {BoundedMap} from '../../../src/relay/bounded-map.js';

it('forgets the oldest entry, and none when a key is set again', () => {
  const map = new BoundedMap<string, number>(2);
  map.set('a', 1).set('b', 2).set('a', 3);
  expect([...map]).toEqual([
    ['a', 3],
    ['b', 2],
  ]);
  map.set('c', 4);
  expect([...map.keys()]).toEqual(['b', 'c']);
});
