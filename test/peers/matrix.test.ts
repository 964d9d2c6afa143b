// SPDX-License-Identifier: Apache-2.0
// Every kind of Linux binary × {launched, attached to, child of a scoped process}: a tracer holds the process while it works,
// the library is in it, and their counts are compared call by call; output and status are those of a bare run.
// APPSCOPE_MATRIX=FILE gets a row of numbers for each kind (docs/platforms.md).
import {once} from 'node:events';
import {appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, afterEach, describe, expect, test} from 'vitest';
import {eventsOf, scopedHome} from '../helpers/scoped.js';
import {channelDir, cleanup, launcher, makeDir, program, run, scopedEnv, trace} from '../programs/support.js';
import {endRelays, hookedCalls, seen} from '../programs/truth.js';
import {esbuildProgram, goProgram, goVersions, has, type Kind, kinds} from './matrix/kinds.js';
import {
  asleep,
  countsOf,
  differing,
  killAll,
  named,
  type Process,
  since,
  start,
  total,
  traced,
} from './matrix/measure.js';

const HOW = ['launch', 'attach', 'child'] as const;
type How = (typeof HOW)[number];

const homes: string[] = [];

afterEach(killAll);
afterAll(async () => {
  await endRelays(homes);
  cleanup();
});

const words = (how: How, argv: string[]): string[] =>
  how === 'launch'
    ? [launcher, ...argv]
    : how === 'child'
      ? [launcher, 'sh', '-c', '"$@"; exit $?', 'sh', ...argv]
      : argv;

interface Cell {
  seen: Record<string, number>;
  made: Record<string, number>;
  output: string;
  status: number | null;
}

const commandOf = (pid: string) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')[0];

/** The process that works: the one started, or the only child of the shell. */
async function workerOf(work: Process, how: How, kind: Kind): Promise<number> {
  const pid = work.child.pid!;
  if (how !== 'child') return pid;
  for (let i = 0; i < 500; i++) {
    // The launcher has children of its own for a moment, before it becomes the shell; over when the program spoke.
    for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' '))
      if (
        child &&
        (!kind.input || (existsSync(`/proc/${child}/cmdline`) && commandOf(child) === kind.argv()[0]))
      )
        return Number(child);
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`no child of ${pid}`);
}

/** Until a thread of the process waits for standard input. */
async function readsInput(pid: number): Promise<void> {
  for (let i = 0; i < 500; i++) {
    for (const tid of readdirSync(`/proc/${pid}/task`))
      if (readFileSync(`/proc/${pid}/task/${tid}/syscall`, 'latin1').startsWith('0 0x0 ')) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`process ${pid} does not read its input`);
}

async function measure(kind: Kind, how: How): Promise<Cell> {
  const home = makeDir();
  homes.push(home);
  const env = {SCOPE_HOME: home, SCOPE_NODE: '/bin/true', ...kind.env};
  const [first, second] = kind.input ?? ['\n', '\n'];
  const work = start(words(how, kind.argv()), env);
  if (!kind.input) await work.says(/ready\n/);
  const pid = await workerOf(work, how, kind);
  if (kind.input) await readsInput(pid);
  if (how === 'attach') {
    const attached = await run([launcher, 'attach', String(pid)], env);
    expect([attached.stderr, attached.status]).toEqual(['', 0]);
  }
  // The read that it waits in began before an attach: from the next on everything counts.
  work.child.stdin!.write(first);
  if (!kind.input) await work.says(/again\n/);
  await asleep(pid);
  const out = join(makeDir(), 'calls');
  const without = how === 'child' ? work.child.pid : undefined;
  const before = countsOf(home, without);
  const tracer = start([program('tracer'), out, 'libscope.so', '-p', String(pid)], {});
  await tracer.says(/traced\n/);
  const ended = Promise.all([once(work.child, 'close'), once(tracer.child, 'close')]);
  work.child.stdin!.end(second);
  const [[status]] = await ended;
  return {
    seen: named(since(before, countsOf(home, without)), kind.unhooked),
    made: named(traced(out), kind.unhooked),
    output: work.output(),
    status: status as number | null,
  };
}

async function bare(kind: Kind): Promise<{output: string; status: number | null}> {
  const work = start(kind.argv(), {...kind.env});
  const ended = once(work.child, 'close');
  work.child.stdin!.end((kind.input ?? ['\n', '\n']).join(''));
  const [status] = await ended;
  return {output: work.output(), status: status as number | null};
}

for (const kind of kinds) {
  describe.skipIf(kind.missing)(`${kind.name}${kind.missing ? ` (no ${kind.missing})` : ''}`, () => {
    const line: string[] = [];
    afterAll(() => {
      if (process.env.APPSCOPE_MATRIX && line.length === HOW.length)
        appendFileSync(process.env.APPSCOPE_MATRIX, `| ${kind.name} | ${line.join(' | ')} |\n`);
    });
    for (const how of HOW) {
      test(`${how}: every call is seen, nothing else changes`, async () => {
        const plain = await bare(kind);
        expect(plain.status).toBe(kind.status ?? 3);
        const cell = await measure(kind, how);
        line.push(`${total(cell.seen)} / ${total(cell.made)}`);
        expect({output: cell.output, status: cell.status}).toEqual(plain);
        expect(differing(cell.seen, cell.made)).toEqual({});
        expect(total(cell.made)).toBeGreaterThan(kind.input ? 0 : 200);
      });
    }
  });
}

describe('Go before 1.18, which is not understood', () => {
  for (const name of ['go116'])
    test.skipIf(!existsSync(esbuildProgram(name)))(`${name}: runs as always`, async () => {
      const argv = [esbuildProgram(name), '--loader=ts', '--minify'];
      const input = 'let a: number = 1; console.log(a++)';
      const home = makeDir();
      homes.push(home);
      const scoped = await run([launcher, ...argv], {SCOPE_HOME: home, SCOPE_NODE: '/bin/true'}, {input});
      expect(scoped).toEqual(await run(argv, {}, {input}));
      expect(scoped.stdout).toBe('let a=1;console.log(a++);\n');
      expect(countsOf(home, undefined).size).toBe(0);
    });
});

test.skipIf(!existsSync(esbuildProgram('go118')))(
  'Go 1.18 with other bytes in package syscall: runs as always',
  async () => {
    // Two loads in turn: `mov 16(%rsp),%rdi; mov 24(%rsp),%rsi; mov 32(%rsp),%rdx; mov 8(%rsp),%rax; syscall`.
    const [rdi, rsi, rest] = ['488b7c2410', '488b742418', '488b542420488b4424080f05'];
    const bytes = readFileSync(esbuildProgram('go118'), 'latin1');
    const code = (hex: string) => Buffer.from(hex, 'hex').toString('latin1');
    expect(bytes.split(code(rdi + rsi + rest))).toHaveLength(3);
    const other = join(makeDir(), 'esbuild');
    const changed = bytes.replaceAll(code(rdi + rsi + rest), code(rsi + rdi + rest));
    writeFileSync(other, changed, {encoding: 'latin1', mode: 0o755});
    const home = makeDir();
    homes.push(home);
    const input = 'let a: number = 1; console.log(a++)';
    const argv = [launcher, other, '--loader=ts', '--minify'];
    const scoped = await run(argv, {SCOPE_HOME: home, SCOPE_NODE: '/bin/true'}, {input});
    expect([scoped.status, scoped.stdout]).toEqual([0, 'let a=1;console.log(a++);\n']);
    expect(countsOf(home, undefined).size).toBe(0);
  },
);

describe('Rust programs of Debian', () => {
  for (const argv of [
    ['rg', '--sort=path', '-c', 'define', '/usr/include/linux'],
    ['rg', '-j4', 'no such words', '/usr/include'],
    ['fdfind', '--threads=1', 'stdio', '/usr/include'],
    ['fdfind', 'no such file', '/usr/include', '--exec', 'cat'],
  ])
    test.skipIf(!has(argv[0]!))(argv.join(' '), async () => {
      const dir = channelDir();
      const plain = await run(argv);
      expect(await run(argv, scopedEnv(dir))).toEqual(plain);
      const before = seen(dir).calls;
      const {calls} = await trace(argv, dir);
      const made: Record<string, number> = {};
      for (const [nr, got] of calls) if (hookedCalls.has(nr)) made[hookedCalls.get(nr)!] = got.calls;
      const ours: Record<string, number> = {};
      for (const [name, n] of Object.entries(seen(dir).calls))
        if (n > (before[name] ?? 0)) ours[name] = n - (before[name] ?? 0);
      expect(differing(ours, made)).toEqual({});
      expect(total(made)).toBeGreaterThan(200);
    });
});

describe("crypto/tls of Go's versions", () => {
  for (const version of goVersions)
    test(`${version}: each request once on each side, by HTTP/1 and by HTTP/2`, async () => {
      const home = scopedHome();
      try {
        const out = join(home.home, 'out');
        const program = goProgram(version, 'tls');
        const session = await home.runWhole('sh', '-c', '("$@"; "$@" h2) > "$0"', out, program);
        expect(readFileSync(out, 'utf8')).toBe('HTTP/1.1\ndone\nHTTP/2.0\ndone\n');
        const events = eventsOf(session)
          .map(({body}) => body)
          .filter((body) => body !== undefined);
        for (const flavor of ['1.1', '2.0']) {
          const of = (source: string) =>
            events.filter((body) => body.source === source && body.data.http_flavor === flavor);
          const paths = Array.from({length: 10}, (_, i) => `/path${i}`);
          const asked = of('http.req').map(({data}) => data.http_target);
          expect(asked.sort()).toEqual([...paths, ...paths].sort());
          expect(of('http.resp')).toHaveLength(20);
        }
      } finally {
        home.clean();
      }
    });
});
