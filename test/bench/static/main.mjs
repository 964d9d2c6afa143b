// SPDX-License-Identifier: Apache-2.0
import {spawnSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {exec, interleave, root, row, variant} from '../bench.mjs';

const built = join(root, 'build/bench');
const FLAGS = [
  '-O',
  '-C',
  'target-feature=+crt-static',
  '-C',
  'relocation-model=static',
  '-C',
  'strip=symbols',
];

/** Constants that look like nothing, the same each time. */
function constants(bytes) {
  const parts = [];
  for (let i = 0; i < bytes / 64; i++) parts.push(createHash('sha512').update(String(i)).digest());
  return Buffer.concat(parts);
}

function build(name, flags) {
  const out = join(built, `static-${name}`);
  const data = join(built, 'static-data');
  if (existsSync(out)) return out;
  mkdirSync(built, {recursive: true});
  writeFileSync(data, constants(24 << 20));
  exec(['rustc', ...FLAGS, ...flags, '-o', out, join(import.meta.dirname, 'large.rs')], {DATA: data});
  return out;
}

export default async function statics() {
  if (spawnSync('which', ['rustc']).status !== 0) return;
  for (const [name, flags, reach] of [
    ['small', [], ''],
    ['large', ['--cfg', 'large'], '≤ +5 ms'],
  ]) {
    const path = build(name, flags);
    // One home for all samples: the plan is made once.
    const home = variant('scope');
    exec([...home.prefix, path], home.env);
    const got = {base: Infinity, scope: Infinity};
    await interleave(['base', 'scope'], 25, async (kind) => {
      const v = kind === 'base' ? variant('base') : home;
      const ms = exec([...v.prefix, path], v.env).seconds * 1000;
      got[kind] = Math.min(got[kind], ms);
      await new Promise((r) => setTimeout(r, 400)); // the relay of the sample before has ended
    });
    home.dispose();
    row('static', `launch of a ${name} static Rust program, plan cached`, got.base, got.scope, 'ms', reach);
  }
}
