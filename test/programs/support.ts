// SPDX-License-Identifier: Apache-2.0
// Builds the odd programs and the tracer, and runs commands bare, under the library alone, or under the tracer.
import {spawn, spawnSync} from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';

export const root = resolve(import.meta.dirname, '../..');
export const library = join(root, 'build/lib/libscope.so');
export const launcher = join(root, 'build/bin/scope');
const built = join(root, 'build/test-programs');

export type Libc = 'glibc' | 'musl' | 'static' | 'musl-static';

const compilers: Record<Libc, {cc: string; flags: string[]}> = {
  glibc: {cc: 'gcc', flags: []},
  musl: {
    cc: 'musl-gcc',
    flags: ['-idirafter', '/usr/include', '-idirafter', '/usr/include/x86_64-linux-gnu'],
  },
  static: {cc: 'gcc', flags: ['-static']},
  'musl-static': {
    cc: 'musl-gcc',
    flags: ['-static', '-idirafter', '/usr/include', '-idirafter', '/usr/include/x86_64-linux-gnu'],
  },
};

/** Whether programs for this libc can be built here; glibc always, musl where musl-gcc is installed. */
export function canBuild(libc: Libc): boolean {
  return spawnSync(compilers[libc].cc, ['--version']).status === 0;
}

/** Path of test/programs/src/NAME.c (or tracer.c) built for a libc. */
export function program(name: string, libc: Libc = 'glibc'): string {
  mkdirSync(built, {recursive: true});
  const source = join(import.meta.dirname, name === 'tracer' ? 'tracer.c' : `src/${name}.c`);
  const out = join(built, `${name}.${libc}`);
  if (existsSync(out) && statSync(out).mtimeMs > statSync(source).mtimeMs) return out;
  const {cc, flags} = compilers[libc];
  const made = spawnSync(cc, ['-O2', '-w', '-pthread', ...flags, source, '-o', `${out}.${process.pid}`], {
    encoding: 'utf8',
  });
  if (made.status !== 0) throw new Error(`${cc} ${source}: ${made.stderr}`);
  spawnSync('mv', ['-f', `${out}.${process.pid}`, out]);
  return out;
}

/** Path of test/programs/src/NAME.go built; where Go is installed. */
export function goProgram(name: string): string {
  mkdirSync(built, {recursive: true});
  const source = join(import.meta.dirname, `src/${name}.go`);
  const out = join(built, `${name}.go`);
  if (existsSync(out) && statSync(out).mtimeMs > statSync(source).mtimeMs) return out;
  const made = spawnSync('go', ['build', '-o', `${out}.${process.pid}`, source], {
    encoding: 'utf8',
    env: {...process.env, CGO_ENABLED: '0'},
  });
  if (made.status !== 0) throw new Error(`go build ${source}: ${made.stderr}`);
  spawnSync('mv', ['-f', `${out}.${process.pid}`, out]);
  return out;
}

export function hasCommand(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}

export interface Outcome {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** Files the command left in its working folder: name → content (latin1) or kind. */
  files: Record<string, string>;
}

/** A folder that is removed by cleanup(). */
const temporary: string[] = [];
export function makeDir(parent = tmpdir()): string {
  const dir = mkdtempSync(join(parent, 'appscope-test-'));
  temporary.push(dir);
  return dir;
}
export function cleanup(): void {
  for (const dir of temporary.splice(0)) {
    for (const path of [...channelFolders(dir), dir]) rmSync(path, {recursive: true, force: true});
  }
}

/** The channel folders on tmpfs of the sessions in a home: a test that runs no relay leaves them. */
function channelFolders(home: string): string[] {
  const history = join(home, 'history');
  if (!existsSync(history)) return [];
  return readdirSync(history).flatMap((name) => {
    try {
      return [readlinkSync(join(history, name, 'channels'))];
    } catch {
      return [];
    }
  });
}

function filesOf(dir: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(dir, {recursive: true, encoding: 'utf8'}).sort()) {
    const path = join(dir, name);
    const st = statSync(path, {throwIfNoEntry: false});
    found[name] = st?.isFile()
      ? `${(st.mode & 0o7777).toString(8)} ${readFileSync(path, 'latin1')}`
      : st
        ? 'dir'
        : 'gone';
  }
  return found;
}

/** Runs a command in a fresh folder, bounded; stdin is empty or the given text. */
export function run(
  argv: string[],
  env: Record<string, string | undefined> = {},
  options: {input?: string; timeoutMs?: number; cwd?: string} = {},
): Promise<Outcome> {
  const cwd = options.cwd ?? makeDir();
  return new Promise((done, fail) => {
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd,
      env: {...process.env, ...env},
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    let stdout = '';
    let stderr = '';
    const timer = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), options.timeoutMs ?? 40_000);
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('latin1').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    child.on('error', fail);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      done({status, signal, stdout, stderr, files: filesOf(cwd)});
    });
  });
}

/** A channel folder on tmpfs for the library alone. */
export function channelDir(): string {
  return makeDir(existsSync('/dev/shm') ? '/dev/shm' : tmpdir());
}

/** Environment that puts the library into a command, without launcher and relay. */
export function scopedEnv(dir: string): Record<string, string> {
  return {LD_PRELOAD: library, SCOPE_DIR: dir};
}

/** What the ptrace tracer counted: system call number → calls and bytes. */
export async function trace(
  argv: string[],
  dir: string,
): Promise<{outcome: Outcome; calls: Map<number, {calls: number; bytes: number}>}> {
  const out = join(makeDir(), 'calls');
  const outcome = await run(
    [program('tracer'), out, 'libscope.so', 'env', `LD_PRELOAD=${library}`, `SCOPE_DIR=${dir}`, ...argv],
    {},
    {timeoutMs: 120_000},
  );
  const calls = new Map<number, {calls: number; bytes: number}>();
  for (const line of readFileSync(out, 'utf8').trim().split('\n')) {
    const [nr, n, bytes] = line.split(' ').map(Number);
    if (nr !== undefined && n !== undefined) calls.set(nr, {calls: n, bytes: bytes ?? 0});
  }
  return {outcome, calls};
}
