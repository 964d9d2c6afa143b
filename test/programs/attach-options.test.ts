// SPDX-License-Identifier: Apache-2.0
// What `scope attach` is asked for, whom it refuses and why, and what it does with children.
import {spawnSync} from 'node:child_process';
import {copyFileSync, existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import type {Scope} from '../helpers/scope.js';
import {newScope, start} from './scene.js';
import {canBuild, goProgram, hasCommand, launcher, makeDir, program} from './support.js';

const root = process.getuid!() === 0;
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
interface Event {
  proc: string;
  source: string;
  data: Record<string, unknown>;
}
const lines = (text: string) => text.split('\n').filter(Boolean);
const events = (scope: Scope) =>
  lines(scope.run(['events', '-a', '-j']).stdout).map((line) => JSON.parse(line) as Event);
const openers = (scope: Scope, file: string) =>
  events(scope)
    .filter((e) => e.source === 'fs.open' && e.data.file === file)
    .map((e) => e.proc);

describe('children of an attached process are scoped', () => {
  const parents: [string, () => string[] | undefined][] = [
    ['a C program', () => [program('worker')]],
    ['a Go program', () => (hasCommand('go') ? [goProgram('parent')] : undefined)],
    [
      'a Java program',
      () =>
        hasCommand('java')
          ? ['java', '-Xshare:auto', join(import.meta.dirname, 'src/Parent.java')]
          : undefined,
    ],
  ];
  for (const [name, argv] of parents) {
    test.skipIf(argv() === undefined)(`of ${name}: dynamic, static, musl, Go`, async () => {
      const told = await start([...argv()!]);
      const scope = newScope();
      expect(scope.run(['attach', String(told.pid)])).toMatchObject({status: 0, stderr: ''});
      expect(await told.ask('open /etc/passwd')).toMatch(/^open \d/);
      expect(openers(scope, '/etc/passwd')).toHaveLength(1);
      const children = [
        program('opener'),
        program('opener', 'static'),
        ...(canBuild('musl') ? [program('opener', 'musl'), program('opener', 'musl-static')] : []),
        ...(hasCommand('go') ? [goProgram('opener')] : []),
      ];
      for (const child of children) expect(await told.ask(`run ${child} /etc/group`)).toBe('run 0');
      const names = children.map((path) => path.split('/').at(-1)!);
      expect(openers(scope, '/etc/group').sort()).toEqual(names.sort());
      expect(told.stderr).toBe('');
    });
  }
});

/** The program under a name that no other process of this machine has. */
function ownWorker(): {name: string; path: string} {
  const name = `w${process.pid}`;
  const path = join(makeDir(), name);
  copyFileSync(program('worker'), path);
  return {name, path};
}

/** Talks to itself over TCP for each line. */
const TALK = `
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print("ready", flush=True)
for line in sys.stdin:
    client = socket.create_connection(server.getsockname())
    peer, _ = server.accept()
    client.sendall(b"hello")
    text = peer.recv(5).decode()
    peer.close()
    client.close()
    print(text, flush=True)
`;

describe('attach', () => {
  test('shows with --inspect what was made', async () => {
    const told = await start([program('worker')]);
    const out = newScope().run(['attach', '--inspect', '--json', '--payloads', String(told.pid)]);
    expect([out.status, out.stderr]).toEqual([0, '']);
    const [said, json] = lines(out.stdout);
    expect(said).toMatch(/^Attached to pid/);
    expect(JSON.parse(json!)).toMatchObject({
      cfg: {current: {payload: {enable: 'true'}}},
      interfaces: [{name: 'session', connected: true}],
      process: {pid: told.pid, state: 'live'},
    });
  });

  test.skipIf(!hasCommand('python3'))('keeps the bytes of connections with --payloads', async () => {
    const told = await start(['python3', '-c', TALK]);
    const scope = newScope();
    expect(scope.run(['attach', '--payloads', String(told.pid)])).toMatchObject({status: 0, stderr: ''});
    expect(await told.ask('talk')).toBe('hello');
    expect(lines(scope.run(['flows', '-j']).stdout)).toHaveLength(2);
    const files = readdirSync(join(scope.workdir, 'payloads'));
    const bytes = files.map((name) => readFileSync(join(scope.workdir, 'payloads', name), 'utf8'));
    expect(bytes.filter((text) => text === 'hello')).toHaveLength(2);
  });

  test('lists processes of the same name when nobody can be asked, and takes all with --all', async () => {
    const {name, path} = ownWorker();
    const [one, two] = [await start([path]), await start([path])];
    const scope = newScope();
    const out = scope.run(['attach', name]);
    expect([out.status, out.stderr]).toEqual([1, expect.stringContaining('give a PID, or --all')]);
    for (const {pid} of [one, two])
      expect(out.stderr).toMatch(new RegExp(`^\\d+ +${pid} +\\S+ +false +/`, 'm'));
    expect(scope.run(['attach', '--all', name]).status).toBe(0);
    const ps = lines(scope.run(['ps', '-j']).stdout).map((line) => (JSON.parse(line) as {pid: number}).pid);
    expect(ps).toEqual(expect.arrayContaining([one.pid, two.pid]));
    expect(readdirSync(join(scope.home, 'history')).length).toBeGreaterThan(1);
  });

  test.skipIf(!hasCommand('script'))('asks a terminal which one is meant', async () => {
    const {name, path} = ownWorker();
    const told = [await start([path]), await start([path])];
    const scope = newScope();
    const ask = (answer: string) =>
      spawnSync('script', ['-qec', `${launcher} attach ${name}`, '/dev/null'], {
        env: scope.env,
        input: answer,
        encoding: 'utf8',
        timeout: 30_000,
      });
    const bad = ask('99\n');
    expect([bad.status, bad.stdout]).toEqual([1, expect.stringContaining('invalid selection')]);
    const good = ask('1\n');
    expect(good.stdout).toContain('Select an ID from the list:');
    expect(told.map(({pid}) => good.stdout.includes(`Attached to pid ${pid} `))).toContain(true);
  });

  test.skipIf(!root)('with a configuration of its own sees a process of another user', async () => {
    const told = await start([...NOBODY, program('worker')]);
    const scope = newScope();
    expect(scope.run(['attach', '-v', '6', String(told.pid)])).toMatchObject({status: 0, stderr: ''});
    await told.ask('open /etc/passwd');
    expect(openers(scope, '/etc/passwd')).toHaveLength(1);
    expect(scope.run(['detach', String(told.pid)])).toMatchObject({status: 0, stderr: ''});
  });

  test('says what is wrong with a configuration, and leaves the process alone', async () => {
    const told = await start([program('worker')]);
    const scope = newScope();
    const out = scope.run(['attach', '-u', '/no/such/file', String(told.pid)]);
    expect([out.status, out.stderr]).toEqual([expect.any(Number), expect.stringContaining('/no/such/file')]);
    expect(out.status).not.toBe(0);
    expect(readdirSync(join(scope.home, 'history'))).toEqual([]);
    expect(await told.ask('open /etc/passwd')).toMatch(/^open \d/);
  });
});

describe('a process with a seccomp filter', () => {
  test('that is strict is refused, and lives', async () => {
    const told = await start([program('sealed'), 'strict']);
    expect(newScope().run(['attach', String(told.pid)])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('strict seccomp'),
    });
    expect(await told.ask('')).toBe('x');
    expect(await told.end()).toBe(0);
  });

  for (const call of ['open', 'mmap'])
    test.skipIf(!root)(`that ends it for ${call} is seen without such a call`, async () => {
      const told = await start([program('sealed'), call]);
      const scope = newScope();
      for (let round = 0; round < 2; round++) {
        expect(scope.run(['attach', String(told.pid)])).toMatchObject({status: 0, stderr: ''});
        expect(await told.ask('')).toBe('x');
        const seen = events(scope).filter((e) => e.source === 'stdout');
        expect(seen).toHaveLength(1);
        expect(scope.run(['detach', String(told.pid)])).toMatchObject({status: 0, stderr: ''});
        expect(await told.ask('')).toBe('x');
      }
      expect(scope.run(['hist', '-i', '2']).stdout).toContain('seccomp filter that would end it');
      expect(await told.end()).toBe(0);
    });

  test.skipIf(!root)('that root may not suspend is left alone', async () => {
    const told = await start([program('sealed'), 'open']);
    const out = spawnSync('setpriv', ['--bounding-set=-sys_admin', launcher, 'attach', String(told.pid)], {
      env: newScope().env,
      encoding: 'utf8',
    });
    expect([out.status, out.stderr]).toEqual([
      1,
      expect.stringContaining('a seccomp filter that we may not suspend'),
    ]);
    expect(await told.ask('')).toBe('x');
  });
});

/** Runs attach by way of another command; what it says. */
function refusal(by: string[], pid: number): string {
  const scope = newScope();
  const home = makeDir();
  spawnSync('chmod', ['0777', home]);
  const {status, stderr} = spawnSync(by[0]!, [...by.slice(1), launcher, 'attach', String(pid)], {
    env: {...scope.env, HOME: home, SCOPE_HOME: join(home, 'scope')},
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  const history = join(home, 'scope/history');
  expect(existsSync(history) ? readdirSync(history) : []).toEqual([]);
  return stderr;
}

describe.skipIf(!root)('attach says why it may not, and what to do', () => {
  test('of another user', async () => {
    const told = await start([program('worker')]);
    expect(refusal(NOBODY, told.pid)).toMatch(/belongs to user 0: run scope as that user or as root/);
  });

  test('without the capability', async () => {
    const told = await start([program('worker')]);
    expect(refusal(['setpriv', '--bounding-set=-sys_ptrace'], told.pid)).toMatch(
      /needs the capability CAP_SYS_PTRACE.*--cap-add SYS_PTRACE/,
    );
  });

  test('by a seccomp filter of its own', async () => {
    const told = await start([program('worker')]);
    expect(refusal([program('sealed'), 'noptrace'], told.pid)).toMatch(
      /a seccomp filter is set for this shell/,
    );
  });

  test('of a process that is not dumpable', async () => {
    const told = await start([...NOBODY, program('sealed'), 'undumpable']);
    expect(refusal(NOBODY, told.pid)).toMatch(/not dumpable.*run scope as root/);
  });

  test('of a thread of the kernel', () => {
    if (existsSync('/proc/2/exe') || !existsSync('/proc/2')) return;
    expect(refusal(['env'], 2)).toMatch(/process 2 is a thread of the kernel/);
  });

  test.skipIf(spawnSync('unshare', ['--user', '--map-root-user', 'true']).status !== 0)(
    'from inside a user namespace',
    async () => {
      const told = await start([program('worker')]);
      expect(refusal(['unshare', '--user', '--map-root-user'], told.pid)).toMatch(
        /not in our user namespace, nor in one below it/,
      );
    },
  );
});
