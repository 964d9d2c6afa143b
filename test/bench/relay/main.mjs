// SPDX-License-Identifier: Apache-2.0
import {spawn} from 'node:child_process';
import {join} from 'node:path';
import {build} from 'esbuild';
import {cpuSeconds, exec, median, program, relayPid, root, variant} from '../bench.mjs';

const KINDS = {
  fs: 'fs.open and fs.close',
  net: 'net.open and net.close',
  http: 'http.req and http.resp',
  web: 'a server of files: heads, opens and closes in turn',
  text: 'a line of console text',
};
/** Nanoseconds per event of decoding and writing. */
async function decode() {
  const out = join(root, 'build/bench/relay-decode.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'decode.ts')],
    outfile: out,
    bundle: true,
    format: 'esm',
    platform: 'node',
    external: ['*.node'],
    banner: {js: "import {createRequire as __cr} from 'node:module'; const require = __cr(import.meta.url);"},
    logLevel: 'error',
  });
  for (const [kind, what] of Object.entries(KINDS)) {
    const ns = median(exec(['node', out, kind]).stdout.trim().split('\n').map(Number));
    console.log(
      `| relay | ${what}, to the session's files, ns/event | | ${ns.toFixed(0)} | ${(1e3 / ns).toFixed(2)} M/s | | ≥ 1 M/s |`,
    );
  }
}

/** Share of a core at 100,000 events a second. */
async function paced() {
  const bin = program('relay', 'paced');
  const v = variant('scope');
  const child = spawn(v.prefix[0], [bin, '50000', '10'], {env: {...process.env, ...v.env}, stdio: 'ignore'});
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  await wait(3000);
  const pid = relayPid(v.env.SCOPE_HOME);
  const before = cpuSeconds(pid);
  await wait(5000);
  const share = (cpuSeconds(pid) - before) / 5;
  await new Promise((resolve) => child.once('exit', resolve));
  console.log(
    `| relay | processor time of the relay at 100,000 events/s, of one core | | ${(share * 100).toFixed(1)} % | | | ≤ 10 % |`,
  );
  v.dispose();
}

export default async function relay() {
  await decode();
  await paced();
}
