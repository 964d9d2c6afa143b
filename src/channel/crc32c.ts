// SPDX-License-Identifier: Apache-2.0
/** CRC-32C, by the addon: JavaScript needs 2 ns a byte, the processor has an instruction. */
import {addon} from './addon.js';

/** Sum of bytes `from` to `to`; `soft`: without the instruction. */
export function crc32c(bytes: Uint8Array, from: number, to: number, soft = false): number {
  return addon.crc32c(bytes, from, to, soft);
}
