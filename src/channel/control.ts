// SPDX-License-Identifier: Apache-2.0
/** The control block between its six numbers and its names. */
import {CONTROL_FIELDS} from './addon.js';
import {MODE} from './layout.js';
import type {Control} from './types.js';

/** Names for the numbers of NativeFolder.control(). */
export function readControl(values: Float64Array): Control {
  return {
    muted: values[0] === MODE.MUTED,
    want: values[1]!,
    maxPerSec: values[2]!,
    wait: values[3] !== 0,
    payloadMax: values[4]!,
    sampleMs: values[5]!,
  };
}

/** Numbers for NativeFolder.setControl(); NaN where nothing is to change. */
export function writeControl(change: Partial<Control>): Float64Array {
  const values = new Float64Array(CONTROL_FIELDS).fill(Number.NaN);
  if (change.muted !== undefined) values[0] = change.muted ? MODE.MUTED : MODE.RUN;
  if (change.want !== undefined) values[1] = change.want >>> 0;
  if (change.maxPerSec !== undefined) values[2] = change.maxPerSec;
  if (change.wait !== undefined) values[3] = change.wait ? 1 : 0;
  if (change.payloadMax !== undefined) values[4] = change.payloadMax;
  if (change.sampleMs !== undefined) values[5] = change.sampleMs;
  return values;
}
