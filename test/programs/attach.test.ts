// SPDX-License-Identifier: Apache-2.0
// Attach to running processes, detach again: they go on as if nothing had happened, and what they do in between is seen.
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterEach, describe, expect, test} from 'vitest';
import {
  canBuild,
  channelDir,
  cleanup,
  type Libc,
  launcher,
  library,
  makeDir,
  program,
  run,
} from './support.js';
import {endRelays, seen} from './truth.js';

const children: ChildProcess[] = [];
const homes: string[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await endRelays(homes.splice(0));
  cleanup();
});

function start(argv: string[]): ChildProcess {
  const child = spawn(argv[0]!, argv.slice(1), {stdio: ['pipe', 'pipe', 'inherit'], cwd: makeDir()});
  children.push(child);
  return child;
}

/** Resolves when the text has come out of the child; its output stays open. */
function says(child: ChildProcess, text: string): Promise<void> {
  let got = '';
  return new Promise((done, fail) => {
    child.stdout!.on('data', (chunk) => {
      got += String(chunk);
      if (got.includes(text)) done();
    });
    child.stdout!.once('end', () => fail(new Error(`ended without saying ${text}: ${got}`)));
  });
}

function home(): string {
  const dir = makeDir();
  homes.push(dir);
  return dir;
}

async function scope(dir: string, ...args: string[]) {
  return run([launcher, ...args], {SCOPE_HOME: dir, SCOPE_NODE: '/bin/true'});
}

const channelsOf = (dir: string) =>
  readdirSync(join(dir, 'history'))
    .map((name) => join(dir, 'history', name, 'channels'))
    .filter((path) => existsSync(path));

/** Reads a line, answers it, for ever; opens and reads a file for each. */
const ECHO = `
import sys
print("ready", flush=True)
for line in sys.stdin:
    open("/etc/hostname").read()
    sys.stdout.write(line)
    sys.stdout.flush()
print("end", flush=True)
`;

async function ask(child: ChildProcess, lines: AsyncIterator<string>, text: string): Promise<string> {
  child.stdin!.write(`${text}\n`);
  return (await lines.next()).value as string;
}

async function* linesOf(child: ChildProcess): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of child.stdout!) {
    rest += String(chunk);
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      yield rest.slice(0, end);
      rest = rest.slice(end + 1);
    }
  }
}

describe('attach', () => {
  test('sees what a process does between attach and detach, twice, and nothing else', async () => {
    const dir = home();
    const child = start(['python3', '-c', ECHO]);
    const lines = linesOf(child);
    expect((await lines.next()).value).toBe('ready');
    for (let round = 0; round < 2; round++) {
      const attached = await scope(dir, 'attach', String(child.pid));
      expect([attached.stderr, attached.status]).toEqual(['', 0]);
      for (let i = 0; i < 10; i++) expect(await ask(child, lines, `line ${i}`)).toBe(`line ${i}`);
      const detached = await scope(dir, 'detach', String(child.pid));
      expect(detached.stdout).toBe(`Detached from pid ${child.pid}\n`);
      for (let i = 0; i < 5; i++) expect(await ask(child, lines, `after ${i}`)).toBe(`after ${i}`);
      const {calls} = seen(channelsOf(dir)[round]!);
      expect(calls.openat).toBe(10);
      expect(calls.write).toBe(10);
    }
    expect((await scope(dir, 'detach', String(child.pid))).stdout).toBe(
      `Already detached from pid ${child.pid}\n`,
    );
    child.stdin!.end();
    expect((await lines.next()).value).toBe('end');
    expect((await once(child, 'exit'))[0]).toBe(0);
  });

  for (const libc of ['glibc', 'musl', 'static', 'musl-static'] as Libc[]) {
    test.skipIf(!canBuild(libc))(`a busy ${libc} program with threads survives 20 rounds`, async () => {
      const dir = home();
      const child = start([program('busy', libc), '4']);
      await says(child, 'ready');
      const ended = once(child, 'exit');
      for (let round = 0; round < 20; round++) {
        expect((await scope(dir, 'attach', String(child.pid))).stderr).toBe('');
        expect((await scope(dir, 'detach', String(child.pid))).stderr).toBe('');
      }
      const last = channelsOf(dir).map((path) => seen(path).calls.read ?? 0);
      expect(last.every((n) => n > 0)).toBe(true);
      child.stdin!.end();
      expect((await ended)[0]).toBe(0);
    });
  }

  test('a child of an attached process is scoped', async () => {
    const dir = home();
    const child = start([
      'python3',
      '-c',
      'import sys,subprocess\nprint("ready",flush=True)\nsys.stdin.readline()\nsubprocess.run(["/bin/cat","/etc/hostname"])',
    ]);
    await says(child, 'ready');
    expect((await scope(dir, 'attach', String(child.pid))).stderr).toBe('');
    const ended = once(child, 'exit');
    child.stdin!.end('\n');
    expect((await ended)[0]).toBe(0);
    expect(readdirSync(channelsOf(dir)[0]!).filter((name) => name.endsWith('.chan')).length).toBeGreaterThan(
      1,
    );
  });

  test('says who traces a process already, and leaves it alone', async () => {
    const child = start(['strace', '-o', '/dev/null', '-f', 'sh', '-c', 'echo $$; read x']);
    const pid = ((await linesOf(child).next()).value as string).trim();
    const out = await scope(home(), 'attach', pid);
    expect(out.status).toBe(1);
    expect(out.stderr).toMatch(/is traced by process \d+/);
  });

  test.each([
    ['999999999', 'no process 999999999'],
    ['no-such-name', 'no process with a name like "no-such-name"'],
  ])('says that there is no process %s', async (word, text) => {
    const out = await scope(home(), 'attach', word);
    expect(out.status).toBe(1);
    expect(out.stderr).toContain(text);
  });

  test('leaves no session behind when it fails', async () => {
    const dir = home();
    await scope(dir, 'attach', '999999999');
    const child = start(['strace', '-o', '/dev/null', '-f', 'sh', '-c', 'echo $$; read x']);
    const pid = ((await linesOf(child).next()).value as string).trim();
    await scope(dir, 'attach', pid);
    expect(readdirSync(join(dir, 'history'))).toEqual([]);
  });

  test('leaves a process alone that has another build of the library in it', async () => {
    const other = join(makeDir(), 'libscope.so');
    const bytes = readFileSync(library);
    // The build-id is among the first bytes behind the headers.
    const note = bytes.indexOf(Buffer.from('GNU\0')) + 4;
    bytes[note]! ^= 0xff;
    writeFileSync(other, bytes);
    const child = spawn('python3', ['-c', ECHO], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {...process.env, LD_PRELOAD: other, SCOPE_DIR: channelDir()},
    });
    children.push(child);
    const lines = linesOf(child);
    expect((await lines.next()).value).toBe('ready');
    const out = await scope(home(), 'detach', String(child.pid));
    expect([out.status, out.stderr]).toEqual([1, expect.stringContaining('another build of')]);
    expect(await ask(child, lines, 'still here')).toBe('still here');
  });
});
