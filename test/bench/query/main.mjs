// SPDX-License-Identifier: Apache-2.0
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {build} from 'esbuild';
import {exec, interleave, root, row} from '../bench.mjs';

const EVENTS = Number(process.env.EVENTS ?? 5_000_000);
const cli = join(root, 'dist/main.js');
const QUESTIONS = {
  'the last 20': [['events', '-n', '20'], '≤ 0.3 s'],
  'the last 20 of a source': [['events', '-s', 'net.open', '-n', '20'], '≤ 0.3 s'],
  'one by its number': [['events', String(EVENTS >> 1)], '≤ 0.3 s'],
  'all with a rare text': [['events', '-m', 'file4711.html'], '≤ 2 s'],
  'all of a source with an expression': [
    ['events', '-e', 'source == "net.open" && data.net_peer_port == 30500'],
    '≤ 2 s',
  ],
  'the listing': [['hist'], '≤ 0.3 s'],
};

export default async function query() {
  const home = mkdtempSync(join(tmpdir(), 'appscope-bench-'));
  try {
    const generator = join(root, 'build/bench/query-generate.mjs');
    await build({
      entryPoints: [join(import.meta.dirname, 'generate.ts')],
      outfile: generator,
      bundle: true,
      format: 'esm',
      platform: 'node',
      logLevel: 'error',
    });
    exec(['node', generator, home, String(EVENTS)]);
    const run = (words) => exec(['node', cli, ...words], {SCOPE_HOME: home}).seconds;
    for (const [what, [words, reach]] of Object.entries(QUESTIONS)) {
      const got = await interleave(['base', 'ours'], 5, (name) => run(name === 'base' ? ['version'] : words));
      row('query', `${what}, ${EVENTS} events`, got.base, got.ours, 's', reach);
    }
  } finally {
    rmSync(home, {recursive: true, force: true});
  }
}
