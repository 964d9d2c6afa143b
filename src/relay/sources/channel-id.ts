// SPDX-License-Identifier: Apache-2.0
/** The value of `_channel`: the image's prefix, then the object in at least six digits. */
export const OBJECT_DIGITS = 6;
const PADDED = 10 ** OBJECT_DIGITS;

export function channelId(prefix: string, object: number): string {
  return prefix + (object < PADDED ? String(PADDED + object).slice(1) : String(object));
}
