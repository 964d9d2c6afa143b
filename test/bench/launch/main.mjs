// SPDX-License-Identifier: Apache-2.0
import {exec, interleave, row, variant} from '../bench.mjs';

export default async function launch() {
  const got = await interleave(['base', 'scope'], 15, async (name) => {
    const v = variant(name);
    const out = exec([...v.prefix, '/bin/true'], v.env).seconds * 1000;
    await new Promise((r) => setTimeout(r, 400)); // the relay of the sample before has ended
    v.dispose();
    return out;
  });
  row('launch', '`scope /bin/true` until it returns', got.base, got.scope, 'ms', '≤ +5 ms');
}
