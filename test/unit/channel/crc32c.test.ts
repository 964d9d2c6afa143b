// SPDX-License-Identifier: Apache-2.0
// CRC-32C of the addon against the check value of its definition and the sum of kafkajs, at any length and alignment.
import {createRequire} from 'node:module';
import {expect, test} from 'vitest';
import {crc32c} from '../../../src/channel/crc32c.js';

const kafkajs = createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/crc32C') as (
  bytes: Buffer,
) => number;

test.each([false, true])('the sum, without the instruction: %s', (soft) => {
  expect(crc32c(Buffer.from('123456789'), 0, 9, soft)).toBe(0xe3069283);
  const bytes = Buffer.from(Array.from({length: 2000}, (_, i) => (i * 7919 + (i >> 3)) & 255));
  for (let n = 0; n < 200; n++) {
    const [from, to] = [n % 9, n * 9 + (n % 9)];
    expect(crc32c(bytes, from, to, soft)).toBe(kafkajs(bytes.subarray(from, to)));
  }
  // No byte beyond the buffer is read.
  expect(crc32c(bytes, 1990, 5000, soft)).toBe(kafkajs(bytes.subarray(1990)));
  expect(crc32c(bytes, 3000, 5000, soft)).toBe(kafkajs(Buffer.alloc(0)));
});
