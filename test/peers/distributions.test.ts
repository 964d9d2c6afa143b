// SPDX-License-Identifier: Apache-2.0
// Other versions of glibc: root folders of Debian releases, made by test/peers/install.sh. In each, programs behave the same
// scoped and bare, and the calls seen equal the tracer's.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {afterAll, describe, expect, test} from 'vitest';
import {
  channelDir,
  cleanup,
  launcher,
  library,
  makeDir,
  type Outcome,
  program,
  run,
} from '../programs/support.js';
import {endRelays, hookedCalls, seen} from '../programs/truth.js';
import {cache, inside} from './roots.js';

/** Release → glibc, and whether programs built here (glibc 2.36) run there. */
const RELEASES: Record<string, {glibc: string; ours: boolean}> = {
  bullseye: {glibc: '2.31', ours: false},
  trixie: {glibc: '2.41', ours: true},
  sid: {glibc: '2.4x', ours: true},
};

afterAll(cleanup);

const scoped = (dir: string) => ({LD_PRELOAD: library, SCOPE_DIR: dir});

/** Outcome without the files: they lie in the bound folder. */
const plain = ({status, signal, stdout, stderr}: Outcome) => ({status, signal, stdout, stderr});

async function same(release: string, argv: string[]): Promise<void> {
  const bare = plain(await run(inside(release, argv)));
  const with_ = plain(await run(inside(release, argv, scoped(channelDir()))));
  expect(with_).toEqual(bare);
  expect(bare.stdout.length).toBeGreaterThan(0);
}

async function complete(release: string, argv: string[]): Promise<void> {
  const dir = channelDir();
  await run(inside(release, argv, scoped(dir)));
  const before = seen(dir).calls;
  const out = join(makeDir(), 'calls');
  await run(
    [program('tracer'), out, 'libscope.so', ...inside(release, argv, scoped(dir))],
    {},
    {timeoutMs: 100_000},
  );
  const after = seen(dir).calls;
  const truth: Record<string, number> = {};
  for (const line of readFileSync(out, 'utf8').trim().split('\n')) {
    const [nr, n] = line.split(' ').map(Number);
    const name = hookedCalls.get(nr!);
    if (name) truth[name] = n!;
  }
  const ours: Record<string, number> = {};
  for (const [name, n] of Object.entries(after))
    if (n > (before[name] ?? 0)) ours[name] = n - (before[name] ?? 0);
  expect(Object.keys(truth).length).toBeGreaterThan(3);
  expect(ours).toEqual(truth);
}

const COMMANDS: [string, string[]][] = [
  ['ls', ['ls', '-lR', '/etc']],
  [
    'a shell pipeline',
    [
      'bash',
      '-c',
      'for i in 1 2 3; do seq 50 | sort -r | head -1; done; (cat /etc/passwd; exit 3) | wc -l; exit 4',
    ],
  ],
  ['perl', ['perl', '-e', 'open F, "/etc/passwd"; print while <F>; unlink "none"; exit 2']],
  [
    'python with threads',
    [
      'python3',
      '-c',
      'import threading\nts=[threading.Thread(target=lambda: open("/etc/passwd").read()) for i in range(20)]\nfor t in ts: t.start()\nfor t in ts: t.join()\nprint("ok")',
    ],
  ],
];

/** Reads a line, answers it, for ever; reads a file for each. */
const ECHO =
  '$| = 1; print "ready\\n"; while (<STDIN>) { open F, "/etc/passwd"; my @all = <F>; close F; print; } print "end\\n"';

/** Perl in the root is attached to from outside, twice: what it does between attach and detach is seen, and it goes on. */
async function attaches(release: string): Promise<void> {
  const home = makeDir();
  const env = {SCOPE_HOME: home, SCOPE_NODE: '/bin/true'};
  const [command, ...args] = inside(release, ['perl', '-e', ECHO]);
  const child = spawn(command!, args, {stdio: ['pipe', 'pipe', 'inherit']});
  const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]();
  const ask = async (text: string) => {
    child.stdin.write(`${text}\n`);
    return (await lines.next()).value;
  };
  try {
    expect((await lines.next()).value).toBe('ready');
    for (let round = 0; round < 2; round++) {
      const attached = await run([launcher, 'attach', String(child.pid)], env);
      expect([attached.stderr, attached.status]).toEqual(['', 0]);
      for (let i = 0; i < 10; i++) expect(await ask(`line ${i}`)).toBe(`line ${i}`);
      const detached = await run([launcher, 'detach', String(child.pid)], env);
      expect(detached.stdout).toBe(`Detached from pid ${child.pid}\n`);
      for (let i = 0; i < 5; i++) expect(await ask(`after ${i}`)).toBe(`after ${i}`);
      const sessions = readdirSync(join(home, 'history')).sort();
      const {calls} = seen(join(home, 'history', sessions[round]!, 'channels'));
      expect([calls.openat, calls.write]).toEqual([10, 10]);
    }
    const ended = once(child, 'exit');
    child.stdin.end();
    expect((await lines.next()).value).toBe('end');
    expect((await ended)[0]).toBe(0);
  } finally {
    child.kill('SIGKILL');
    await endRelays([home]);
  }
}

const OURS: [string, string[]][] = [
  ['calls', []],
  ['sockets', []],
  ['threads', []],
  ['forks', []],
  ['signals', []],
  ['cancel', []],
  ['busy', ['4']],
];

for (const [release, {glibc, ours}] of Object.entries(RELEASES)) {
  const dir = join(cache, `chroot-${release}`);
  describe.skipIf(!existsSync(dir) || readdirSync(dir).length === 0)(
    `Debian ${release}, glibc ${glibc}`,
    () => {
      for (const [name, argv] of COMMANDS) {
        const found = () => argv[0] !== 'python3' || existsSync(join(dir, 'usr/bin/python3'));
        test.skipIf(!found())(`${name} behaves as it does bare`, () => same(release, argv));
        test.skipIf(!found())(`every call of ${name} is seen`, () => complete(release, argv));
      }
      test('perl is attached to twice', () => attaches(release));
      for (const [name, args] of ours ? OURS : []) {
        test(`${name} behaves as it does bare`, () => same(release, [program(name), ...args]));
      }
      for (const name of ours ? ['calls', 'sockets', 'threads'] : []) {
        test(`every call of ${name} is seen`, () => complete(release, [program(name)]));
      }
    },
  );
}
