// SPDX-License-Identifier: Apache-2.0
import {spawn, spawnSync} from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {library, median, program, root} from '../bench.mjs';

const PAIRS = 500_000;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const row = (what, value, reach) => console.log(`| service | ${what} | | ${value} | | | ${reach} |`);

/** A relay with a configuration; `end` stops it and removes what it needed. */
export async function relay(exporters, more = '') {
  const dir = mkdtempSync(join(tmpdir(), 'appscope-bench-'));
  const channels = mkdtempSync('/dev/shm/appscope-bench-');
  const file = join(dir, 'relay.yml');
  writeFileSync(
    file,
    `relay: {dir: ${channels}, state_dir: ${dir}/state, self_metrics: false, stop_timeout: 1s}
event: {format: {maxeventpersec: 0}}
exporters: {out: ${exporters.replaceAll('DIR', dir)}}
${more}`,
  );
  const began = performance.now();
  const child = spawn(process.execPath, [join(root, 'dist/main.js'), 'relay', '-u', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await new Promise((resolve) =>
    child.stderr.on('data', (text) => String(text).includes(' reads ') && resolve()),
  );
  return {
    dir,
    readyMs: performance.now() - began,
    env: {...process.env, LD_PRELOAD: library, SCOPE_DIR: channels},
    status: () => JSON.parse(readFileSync(join(dir, 'state/status.json'), 'utf8')),
    /** Of all threads; the ticks of /proc/PID/stat miss what runs in between. */
    cpuMs() {
      let nanos = 0;
      for (const tid of readdirSync(`/proc/${child.pid}/task`))
        nanos += Number(readFileSync(`/proc/${child.pid}/task/${tid}/schedstat`, 'latin1').split(' ')[0]);
      return nanos / 1e6;
    },
    memory(name) {
      return (
        Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) /
        1024
      );
    },
    async end() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
      for (const path of [dir, channels]) rmSync(path, {recursive: true, force: true});
    },
  };
}

const EVENTS =
  'routes: [{match: {kind: event}, to: [out]}, {match: {kind: [metric, start, span]}, to: [], final: true}]';

export async function throughput(what, exporter, reach) {
  const one = await relay(exporter, EVENTS);
  await wait(500);
  const before = one.cpuMs();
  const began = performance.now();
  const burst = spawn(program('burst', 'burst'), [String(PAIRS)], {env: one.env, stdio: 'ignore'});
  await new Promise((resolve) => burst.once('exit', resolve));
  let sent = 0;
  for (let quiet = 0; quiet < 3; ) {
    await wait(1000);
    const now = one.status().exporters[0].sent;
    quiet = now === sent ? quiet + 1 : 0;
    sent = now;
  }
  const cpu = one.cpuMs() - before;
  const {lost, exporters} = one.status();
  const missing = 2 * PAIRS - sent;
  const counted = Object.values(lost).reduce((a, b) => a + b, 0) + exporters[0].dropped.queue_full;
  const ns = (cpu * 1e6) / sent;
  const seconds = (performance.now() - began - 3000) / 1000;
  const note = missing > 0 ? `; ${missing} of ${2 * PAIRS} missing, ${counted} counted` : '; all arrived';
  row(
    `${what}, processor time per event`,
    `${ns.toFixed(0)} ns, ${(1e3 / ns).toFixed(2)} M/s of a core${note}`,
    reach,
  );
  row(`${what}, wall time of ${2 * PAIRS} events with their making`, `${seconds.toFixed(1)} s`, '');
  await one.end();
}

async function toTcp() {
  const server = createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  await throughput(
    'channels to NDJSON over TCP',
    `{type: socket, port: ${server.address().port}}`,
    '≥ 0.5 M/s',
  );
  server.close();
}

/** Age of lines when they can be read. */
async function latency() {
  const one = await relay('{type: file, path: DIR/out}', EVENTS);
  const paced = spawn(program('relay', 'paced'), ['5000', '6'], {env: one.env, stdio: 'ignore'});
  const gone = new Promise((resolve) => paced.once('exit', resolve));
  let running = true;
  void gone.then(() => {
    running = false;
  });
  const ages = [];
  const buffer = Buffer.alloc(4 * 1024 * 1024);
  await wait(1500);
  const fd = openSync(join(one.dir, 'out'), 'r');
  let at = 0;
  for (
    let n = readSync(fd, buffer, 0, buffer.length, at);
    n > 0;
    n = readSync(fd, buffer, 0, buffer.length, at)
  )
    at += n;
  while (running) {
    const n = readSync(fd, buffer, 0, buffer.length, at);
    const now = Date.now() / 1000;
    at += n;
    for (const [, time] of buffer.toString('latin1', 0, n).matchAll(/"_time":([\d.]+)/g))
      ages.push(now - Number(time));
    await wait(1);
  }
  closeSync(fd);
  await gone;
  ages.sort((a, b) => a - b);
  const at99 = ages[Math.floor(ages.length * 0.99)] * 1000;
  row(
    'event to file at 10,000/s, p50 and p99',
    `${(median(ages) * 1000).toFixed(0)} ms, ${at99.toFixed(0)} ms`,
    'p99 ≤ 50 ms',
  );
  await one.end();
}

async function manyProcesses() {
  const one = await relay('{type: socket, port: 1}', 'default: {to: [out]}');
  const sleepers = spawn('/bin/bash', ['-c', 'for ((i = 0; i < 500; i++)); do /bin/sleep 60 & done; wait'], {
    env: one.env,
    stdio: 'ignore',
    detached: true,
  });
  do await wait(500);
  while (one.status().processes.live < 500);
  await wait(12_000);
  const before = one.cpuMs();
  await wait(20_000);
  const share = (one.cpuMs() - before) / 20_000;
  row('500 processes, summaries each 10 s, of one core', `${(share * 100).toFixed(1)} %`, '≤ 1 %');
  spawnSync(program('burst', 'burst'), ['50000'], {env: one.env});
  await wait(3000);
  row(
    'resident memory with them, a dead destination, and 100,000 events more',
    `${one.memory('VmRSS').toFixed(0)} MiB`,
    '≤ 150 MiB',
  );
  process.kill(-sleepers.pid, 'SIGKILL');
  await one.end();
}

async function start() {
  const times = [];
  for (let i = 0; i < 7; i++) {
    const one = await relay('{type: file, path: DIR/out}', EVENTS);
    times.push(one.readyMs);
    await one.end();
  }
  row('start to ready', `${median(times).toFixed(0)} ms`, '≤ 300 ms');
}

export default async function service() {
  await start();
  await throughput(
    'channels to an NDJSON file',
    '{type: file, path: DIR/out, rotate: {max_bytes: 0}}',
    '≥ 1 M/s',
  );
  await toTcp();
  await latency();
  await manyProcesses();
}
