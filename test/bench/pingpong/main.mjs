// SPDX-License-Identifier: Apache-2.0
import {end, exec, interleave, program, row, serve, variant} from '../bench.mjs';

export default async function pingpong() {
  const bin = program('pingpong', 'pingpong');
  let port = 18500;
  const got = await interleave(['base', 'scope'], 7, async (name) => {
    const v = variant(name);
    port++;
    const server = await serve([...v.prefix, bin, 'serve', String(port)], v.env, port);
    exec([bin, 'ask', String(port), '5000']);
    const out = Number(exec([bin, 'ask', String(port), '50000']).stdout);
    await end(server);
    v.dispose();
    return out;
  });
  row('pingpong', 'TCP round trip, server scoped', got.base, got.scope, 'us', '≤ +0.15 us');
}
