// SPDX-License-Identifier: Apache-2.0
import {exec, interleave, program, row, variant} from '../bench.mjs';

const reach = {read: '≤ 1.15x', write: '≤ 1.15x', open: '≤ 1.15x', stat: '≤ 1.10x'};

export default async function syscalls() {
  const loop = program('syscalls', 'loop');
  for (const call of ['read', 'write', 'open', 'stat']) {
    const n = call === 'open' ? 200_000 : 1_000_000;
    const got = await interleave(['base', 'scope'], 7, async (name) => {
      const v = variant(name);
      const out = Number(exec([...v.prefix, loop, call, String(n)], v.env).stdout);
      v.dispose();
      return out;
    });
    row('syscalls', `${call} per call`, got.base, got.scope, 'ns', reach[call]);
  }
}
