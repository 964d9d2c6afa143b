// SPDX-License-Identifier: Apache-2.0
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {end, exec, goProgram, interleave, median, row, serve, variant} from '../bench.mjs';

/** Processor time of a process so far, in microseconds. */
function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function wrk(port, seconds) {
  const out = exec(['wrk', '-t1', '-c32', `-d${seconds}s`, `http://127.0.0.1:${port}/`]).stdout;
  if (/Socket errors|Non-2xx/.test(out)) throw new Error(out);
  return {
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(out)[1]),
    n: Number(/(\d+) requests in/.exec(out)[1]),
  };
}

export default async function go() {
  const program = goProgram('go', join(import.meta.dirname, 'bench.go'), ['-buildmode=pie']);
  const {base, library} = await interleave(['base', 'library'], 9, (name) => {
    const v = variant(name);
    const ns = Number(exec([...v.prefix, program, 'read'], v.env).stdout);
    v.dispose();
    return ns;
  });
  row('go', 'syscall.Read of 1 byte, library', base, library, 'ns', '≤ +20 ns');
  if (spawnSync('which', ['wrk']).status !== 0) return;
  const names = ['base', 'library', 'scope'];
  const rates = Object.fromEntries(names.map((name) => [name, []]));
  const cost = Object.fromEntries(names.map((name) => [name, []]));
  let port = 18700;
  await interleave(names, 12, async (name) => {
    const v = variant(name);
    port += 1;
    const child = await serve([...v.prefix, program, 'server', String(port)], v.env, port);
    wrk(port, 1);
    const before = cpuOf(child.pid);
    const {rate, n} = wrk(port, 2);
    cost[name].push((cpuOf(child.pid) - before) / n);
    rates[name].push(rate);
    await end(child);
    v.dispose();
    return rate;
  });
  paired('HTTP requests/s, library', rates, 'library', '/s', '≥ 0.95x');
  paired('HTTP requests/s, every event on', rates, 'scope', '/s', '≥ 0.95x');
  paired('processor time a request, library', cost, 'library', 'us', '≤ 1.05x');
  paired('processor time a request, every event on', cost, 'scope', 'us', '≤ 1.05x');
}

/** Each sample over the bare one of its round, which ran under the same other load: the median of these ratios counts. */
function paired(what, samples, name, unit, reach) {
  const base = median(samples.base);
  const ratio = median(samples[name].map((sample, i) => sample / samples.base[i]));
  row('go', what, base, base * ratio, unit, reach);
}
