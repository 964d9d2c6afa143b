// SPDX-License-Identifier: Apache-2.0
// Crash files on request: the program ends as it does bare, and what it looked like is written down.
import {spawn, spawnSync} from 'node:child_process';
import {existsSync, readdirSync, readFileSync, rmSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {canBuild, cleanup, type Libc, launcher, makeDir, program, run} from './support.js';
import {endRelays} from './truth.js';

const homes: string[] = [];
afterAll(async () => {
  await endRelays(homes);
  cleanup();
});

/** Runs it with flags; the outcome, and the folder of the crash files that it left, if any. */
async function crash(flags: string[], argv: string[]) {
  const home = makeDir();
  homes.push(home);
  const outcome = await run([launcher, 'run', ...flags, '--', ...argv], {SCOPE_HOME: home});
  const session = readdirSync(join(home, 'history'))[0]!;
  const dir = join(
    '/tmp/appscope',
    String(JSON.parse(readFileSync(join(home, 'history', session, 'args.json'), 'utf8')).pid),
  );
  return {outcome, dir};
}

const file = (dir: string, kind: string) =>
  join(dir, readdirSync(dir).find((name) => name.startsWith(`${kind}_`)) ?? 'none');

const signals: [string, string][] = [
  ['null', 'SEGV'],
  ['jump', 'SEGV'],
  ['divide', 'FPE'],
  ['illegal', 'ILL'],
  ['bus', 'BUS'],
];

for (const libc of ['glibc', 'musl', 'static'] as Libc[]) {
  describe.skipIf(!canBuild(libc))(`crash files on ${libc}`, () => {
    test.each(signals)('of %s name the signal and the functions', async (how, signal) => {
      const argv = [program('crash', libc), how];
      const bare = await run(argv);
      const {outcome, dir} = await crash(['--backtrace'], argv);
      expect([outcome.signal, outcome.stdout, outcome.stderr]).toEqual([
        bare.signal,
        bare.stdout,
        bare.stderr,
      ]);
      expect(readFileSync(file(dir, 'info'), 'utf8')).toContain(`Signal: ${signal} (`);
      const frames = readFileSync(file(dir, 'backtrace'), 'utf8');
      expect(frames).toMatch(/innermost(?:\.cold)?\+[\s\S]*middle\+[\s\S]*outermost\+[\s\S]*main\+/);
      expect(readFileSync(file(dir, 'cfg'), 'utf8')).toContain('backtrace: true');
      expect(statSync(file(dir, 'backtrace')).mode & 0o777).toBe(0o600);
      expect(readdirSync(dir).some((name) => name.startsWith('core_'))).toBe(false);
      rmSync(dir, {recursive: true});
    });
  });
}

test.skipIf(spawnSync('gdb', ['--version']).status !== 0)(
  'a core is read by gdb, all threads in it',
  async () => {
    const argv = [program('crash'), 'null'];
    const {dir} = await crash(['--coredump'], argv);
    const gdb = spawnSync(
      'gdb',
      ['-q', '-batch', '-ex', 'thread apply all bt', argv[0]!, file(dir, 'core')],
      {
        encoding: 'utf8',
        timeout: 60_000,
      },
    );
    expect(gdb.stdout).toMatch(
      /Thread 2[\s\S]*idle[\s\S]*Thread 1[\s\S]*innermost[\s\S]*middle[\s\S]*outermost[\s\S]*main/,
    );
    rmSync(dir, {recursive: true});
  },
);

test('a signal that the program handles leaves no file', async () => {
  const {outcome, dir} = await crash(['-b', '-d'], [program('crash'), 'null', 'handle']);
  expect([outcome.status, outcome.stdout]).toEqual([0, 'begin\nhandled\n']);
  expect(existsSync(dir)).toBe(false);
});

test('a child that crashes is seen, and job control works under the watch', async () => {
  const {outcome} = await crash(
    ['-b'],
    [
      'bash',
      '-c',
      `${program('crash')} null; echo $?; sleep 0.2 & kill -STOP $!; kill -CONT $!; wait $!; echo $?`,
    ],
  );
  expect(outcome.stdout).toBe('begin\n139\n0\n');
});

test('a process that was attached to leaves crash files, too', async () => {
  const home = makeDir();
  homes.push(home);
  const child = spawn('bash', ['-c', `echo ready; read x; exec ${program('crash')} null`], {
    stdio: ['pipe', 'pipe', 'ignore'],
    cwd: makeDir(),
  });
  await new Promise((done) => child.stdout.once('data', done));
  const ended = new Promise((done) => child.once('exit', (_code, signal) => done(signal)));
  const attached = await run([launcher, 'attach', '--backtrace', String(child.pid)], {SCOPE_HOME: home});
  expect(attached.stderr).toBe('');
  child.stdin.end('go\n');
  expect(await ended).toBe('SIGSEGV');
  const dir = `/tmp/appscope/${child.pid}`;
  expect(readFileSync(file(dir, 'backtrace'), 'utf8')).toMatch(/innermost(?:\.cold)?\+[\s\S]*main\+/);
  rmSync(dir, {recursive: true});
});
