// SPDX-License-Identifier: Apache-2.0
import {exec, interleave, row, variant} from '../bench.mjs';

export default async function launch() {
  // One home for all samples: the plans are made once, as on a machine that is used.
  const home = variant('scope');
  exec([...home.prefix, '/bin/true'], home.env);
  const got = await interleave(['base', 'scope'], 15, async (name) => {
    const v = name === 'base' ? variant('base') : home;
    const out = exec([...v.prefix, '/bin/true'], v.env).seconds * 1000;
    await new Promise((r) => setTimeout(r, 400)); // the relay of the sample before has ended
    return out;
  });
  home.dispose();
  row('launch', '`scope /bin/true` until it returns', got.base, got.scope, 'ms', '≤ +5 ms');
}
