// SPDX-License-Identifier: Apache-2.0
import {exec, interleave, program, row, variant} from '../bench.mjs';

export default async function execs() {
  const spawn = program('exec', 'spawn');
  for (const [what, n, argv, reach] of [
    ['/bin/true', 200, ['/bin/true'], '≤ +250 us'],
    ['curl --version', 30, ['/usr/bin/curl', '--version'], '≤ +1000 us'],
  ]) {
    const {base, library} = await interleave(['base', 'library'], 7, async (name) => {
      const v = variant(name);
      // The spawner itself stays bare: the variables are for its children.
      const out = exec([
        'env',
        ...Object.entries(v.env).map(([k, x]) => `${k}=${x}`),
        spawn,
        String(n),
        ...argv,
      ]).stdout;
      v.dispose();
      return Number(out.trim().split('\n').at(-1));
    });
    row('exec', `${what} under the library`, base, library, 'us', reach);
  }
}
