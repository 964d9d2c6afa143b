// SPDX-License-Identifier: Apache-2.0
// node test/bench/run.mjs [QUESTION…]: runs the benchmarks and prints their rows. Nothing here passes or fails.
import {readdirSync} from 'node:fs';
import {machine} from './bench.mjs';

const all = readdirSync(import.meta.dirname, {withFileTypes: true})
  .filter((e) => e.isDirectory())
  .map((e) => e.name);
const asked = process.argv.slice(2);
for (const name of asked) {
  if (!all.includes(name)) {
    console.error(`unknown question ${name}; known: ${all.join(' ')}`);
    process.exit(2);
  }
}
console.log(machine());
console.log('| question | what | base | scoped | ratio | added | reach |\n|---|---|---|---|---|---|---|');
for (const name of asked.length ? asked : all) await (await import(`./${name}/main.mjs`)).default();
