// SPDX-License-Identifier: Apache-2.0
// What the benchmarks share: interleaved samples, medians, the table, and the library alone or whole `scope` in front of a command.
import {spawn, spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {cpus, release, tmpdir} from 'node:os';
import {join, resolve} from 'node:path';

export const root = resolve(import.meta.dirname, '../..');
export const library = join(root, 'build/lib/libscope.so');
export const scope = join(root, 'build/bin/scope');
const built = join(root, 'build/bench');

export const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Builds a C program of a question once. */
export function program(question, name, flags = []) {
  mkdirSync(built, {recursive: true});
  const out = join(built, `${question}-${name}`);
  const made = spawnSync('gcc', [
    '-O2',
    '-w',
    '-pthread',
    join(import.meta.dirname, question, `${name}.c`),
    '-o',
    out,
    ...flags,
  ]);
  if (made.status !== 0) throw new Error(String(made.stderr));
  return out;
}

/** Builds a Go program of a question, static unless flags say otherwise. */
export function goProgram(question, source, flags = []) {
  mkdirSync(built, {recursive: true});
  const out = join(built, `${question}-go`);
  exec(['go', 'build', ...flags, '-o', out, source], {CGO_ENABLED: '0', GOFLAGS: '-mod=mod'});
  return out;
}

/** A fresh channel folder for the library without a relay. */
export function channelDir() {
  return mkdtempSync('/dev/shm/appscope-bench-');
}

/** Environment of a variant; `dispose` removes what it needed. */
export function variant(name) {
  if (name === 'base') return {env: {}, prefix: [], dispose() {}};
  if (name === 'library') {
    const dir = channelDir();
    return {
      env: {LD_PRELOAD: library, SCOPE_DIR: dir},
      prefix: [],
      dispose: () => rmSync(dir, {recursive: true, force: true}),
    };
  }
  const home = mkdtempSync(join(tmpdir(), 'appscope-bench-'));
  return {
    env: {SCOPE_HOME: home},
    prefix: [scope],
    dispose() {
      spawnSync('pkill', ['-9', '-f', `session ${home}`]);
      rmSync(home, {recursive: true, force: true});
    },
  };
}

/** Runs argv to its end; stdout, seconds. */
export function exec(argv, env = {}, options = {}) {
  const from = process.hrtime.bigint();
  const out = spawnSync(argv[0], argv.slice(1), {
    env: {...process.env, ...env},
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    ...options,
  });
  const seconds = Number(process.hrtime.bigint() - from) / 1e9;
  if (out.status !== 0 && !options.anyStatus)
    throw new Error(`${argv.join(' ')}: ${out.status} ${out.stderr}`);
  return {stdout: out.stdout, stderr: out.stderr, seconds, status: out.status};
}

/** Processor seconds of a process with all its threads; the ticks of /proc/PID/stat miss what runs in between. */
export function cpuSeconds(pid) {
  let nanos = 0;
  for (const tid of readdirSync(`/proc/${pid}/task`))
    nanos += Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'latin1').split(' ')[0]);
  return nanos / 1e9;
}

/** Pid of the relay of the one session under SCOPE_HOME. */
export function relayPid(home) {
  const history = join(home, 'history');
  return Number(readFileSync(join(history, readdirSync(history)[0], 'relay.pid'), 'utf8'));
}

/** Starts a server; resolves when it accepts connections on the port. */
export async function serve(argv, env, port) {
  const child = spawn(argv[0], argv.slice(1), {
    env: {...process.env, ...env},
    stdio: 'ignore',
    detached: true,
  });
  for (let i = 0; i < 200; i++) {
    if (spawnSync('bash', ['-c', `: < /dev/tcp/127.0.0.1/${port}`], {stdio: 'ignore'}).status === 0)
      return child;
    await new Promise((r) => setTimeout(r, 50));
  }
  throw new Error(`${argv.join(' ')} does not listen on ${port}`);
}

export function end(child) {
  try {
    process.kill(-child.pid, 'SIGTERM');
  } catch {
    // gone already
  }
  return new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) done();
    child.once('exit', done);
    setTimeout(() => {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // gone
      }
      done();
    }, 3000).unref();
  });
}

/** Samples each variant in turn, `rounds` times; returns name → median. `sample(name)` gives one number. */
export async function interleave(names, rounds, sample) {
  const all = Object.fromEntries(names.map((name) => [name, []]));
  for (let i = 0; i < rounds; i++) for (const name of names) all[name].push(await sample(name));
  return Object.fromEntries(names.map((name) => [name, median(all[name])]));
}

/** One row of the result: printed, and returned for docs/benchmarks.md. */
export function row(question, what, base, ours, unit, reach) {
  const ratio = ours / base;
  const text = `| ${question} | ${what} | ${round(base)} ${unit} | ${round(ours)} ${unit} | ${ratio.toFixed(2)}x | ${round(ours - base)} ${unit} | ${reach} |`;
  console.log(text);
  return text;
}

/** A row of what has no base: how long something takes that is not there without us. */
export function value(question, what, text, reach) {
  console.log(`| ${question} | ${what} | | ${text} | | | ${reach} |`);
}

const round = (n) => (Math.abs(n) >= 1000 ? n.toFixed(0) : Math.abs(n) >= 10 ? n.toFixed(1) : n.toFixed(3));

export function machine() {
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: root,
    encoding: 'utf8',
  }).stdout.trim();
  return `${cpus().length} × ${cpus()[0].model.trim()}, Linux ${release()}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}, commit ${commit}`;
}

if (!existsSync(library)) throw new Error('build first: npm run build');
