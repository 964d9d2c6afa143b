// SPDX-License-Identifier: Apache-2.0
import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {join} from 'node:path';
import {exec, goProgram, median, program, scope, value, variant} from '../bench.mjs';

const ROUNDS = 30;

/** Milliseconds a process stood, for each attach. */
async function stops(argv) {
  const v = variant('scope');
  const env = {...v.env, SCOPE_NODE: '/bin/true'};
  const child = spawn(argv[0], argv.slice(1), {stdio: ['ignore', 'pipe', 'inherit']});
  await once(child.stdout, 'data');
  const times = [];
  for (let i = 0; i < ROUNDS; i++) {
    const said = exec([scope, 'attach', String(child.pid)], env).stdout;
    times.push(Number(/stood for ([\d.]+) ms/.exec(said)[1]));
    exec([scope, 'detach', String(child.pid)], env);
  }
  child.kill('SIGKILL');
  v.dispose();
  return times;
}

export default async function attach() {
  const programs = [['C', program('attach', 'threads')]];
  if (spawnSync('which', ['go']).status === 0)
    programs.push(['Go', goProgram('attach', join(import.meta.dirname, 'threads.go'))]);
  for (const [name, path] of programs) {
    const times = await stops([path]);
    value('attach', `${name}, 30 threads: stood for, median`, `${median(times).toFixed(1)} ms`, '≤ 10 ms');
    value('attach', `${name}, the longest of ${ROUNDS}`, `${Math.max(...times).toFixed(1)} ms`, '≤ 10 ms');
  }
}
