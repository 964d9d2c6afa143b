// SPDX-License-Identifier: Apache-2.0
/** CRC-32C, eight bytes at a time by eight tables: a quarter of what one byte at a time costs. */

const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;
/** Table `k` begins at 256 k: what a byte does to the sum when `k` more bytes follow it. */
const table = new Int32Array(256 * SLICES);
for (let byte = 0; byte < 256; byte++) {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? POLYNOMIAL : 0);
  table[byte] = sum;
}
for (let at = 256; at < table.length; at++) {
  const before = table[at - 256]!;
  table[at] = (before >>> 8) ^ table[before & 255]!;
}

/** Sum of bytes `from` to `to`. */
export function crc32c(bytes: Uint8Array, from: number, to: number): number {
  // Four bytes are read at a time, from where they are aligned; every machine of ours is little-endian.
  const aligned = Math.min(to, from + ((4 - ((bytes.byteOffset + from) & 3)) & 3));
  let sum = -1;
  let at = from;
  for (; at < aligned; at++) sum = (sum >>> 8) ^ table[(sum ^ bytes[at]!) & 255]!;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (to - at) >>> 2);
  const pairs = words.length & ~1;
  for (let i = 0; i < pairs; i += 2) {
    const low = sum ^ words[i]!;
    const high = words[i + 1]!;
    sum =
      table[1792 + (low & 255)]! ^
      table[1536 + ((low >>> 8) & 255)]! ^
      table[1280 + ((low >>> 16) & 255)]! ^
      table[1024 + (low >>> 24)]! ^
      table[768 + (high & 255)]! ^
      table[512 + ((high >>> 8) & 255)]! ^
      table[256 + ((high >>> 16) & 255)]! ^
      table[high >>> 24]!;
  }
  for (at += pairs * 4; at < to; at++) sum = (sum >>> 8) ^ table[(sum ^ bytes[at]!) & 255]!;
  return ~sum >>> 0;
}
