// SPDX-License-Identifier: Apache-2.0
/** The kinds of binaries of the matrix, and how each is built or where test/peers/install.sh put it. */
import {execFileSync, spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, statSync} from 'node:fs';
import {homedir} from 'node:os';
import {join} from 'node:path';
import {root} from '../../programs/support.js';

export interface Kind {
  name: string;
  /** What is not installed here; undefined: nothing. */
  missing: string | undefined;
  /** The command, built on first use. It says "ready", reads a line, says "again", reads a line, works, ends with 3. */
  argv: () => string[];
  env?: Record<string, string>;
  /** Another program, which says nothing: two pieces of input, both read before the end of input. */
  input?: [string, string];
  status?: number;
  /** Calls that are counted in libc only. */
  unhooked?: string[];
}

const cache = process.env.APPSCOPE_TEST_PEERS ?? join(homedir(), '.cache/appscope-test-peers');
const here = import.meta.dirname;
const built = join(root, 'build/test-programs');

export const has = (command: string) => spawnSync('which', [command]).status === 0;
const lacks = (command: string) => (has(command) ? undefined : command);

/** Builds `out` from a source of this folder unless it is there and newer. */
function build(source: string, out: string, make: (source: string, out: string) => string[]): string {
  const from = join(here, source);
  const to = join(built, out);
  if (existsSync(to) && statSync(to).mtimeMs > statSync(from).mtimeMs) return to;
  mkdirSync(built, {recursive: true});
  const [command, ...args] = make(from, to);
  execFileSync(command!, args, {stdio: 'pipe', timeout: 200_000, cwd: built});
  return to;
}

const inC = (name: string, cc: string, flags: string[]): Kind => ({
  name,
  missing: lacks(cc),
  argv: () => [
    build('work.c', `work.${name.replaceAll(/\W+/g, '-')}`, (from, to) => [
      cc,
      '-O2',
      '-w',
      '-pthread',
      ...flags,
      from,
      '-o',
      to,
    ]),
  ],
});

const rust = (name: string, flags: string[]): Kind => ({
  name: `Rust, ${name}`,
  missing: lacks('rustc'),
  argv: () => [
    build('work.rs', `work.rust-${name.replaceAll(/\W+/g, '-')}`, (from, to) => [
      'rustc',
      '-O',
      ...flags,
      '-o',
      to,
      from,
    ]),
  ],
});

/** A small heap to be collected all the time, and few processors to be fought for. */
const GO_ENV = {GOGC: '1', GOMAXPROCS: '2'};

const goDir = join(cache, 'go-programs');

/** Versions of Go that programs were built with: `1.19` … */
export const goVersions = existsSync(goDir) ? readdirSync(goDir).filter((name) => /^1\./.test(name)) : [];

/** A program of test/peers/install.sh: `tls`, `work-pie` … */
export const goProgram = (version: string, name: string) => join(goDir, version, name);

const goKind = (version: string, how: string): Kind => ({
  name: `Go ${version}, ${how}`,
  missing: existsSync(goProgram(version, `work-${how}`)) ? undefined : 'install.sh',
  argv: () => [goProgram(version, `work-${how}`)],
  env: GO_ENV,
  unhooked: ['rt_sigaction'],
});

/** With C's thread-local data, too; by the Go that is installed. */
const goWithC = (how: string, flags: string[]): Kind => ({
  name: `Go, ${how}, C's thread-local data`,
  missing: lacks('go'),
  argv: () => [
    build('work.go', `work.go-${how}-tls`, (from, to) => [
      'go',
      'build',
      ...flags,
      '-o',
      to,
      from,
      join(here, 'threadlocal.go'),
    ]),
  ],
  env: GO_ENV,
  unhooked: ['rt_sigaction'],
});

/** A real program: compiles what it reads to its end. */
const esbuild = (version: string, name: string): Kind => ({
  name: `Go ${version}, static, stripped (esbuild)`,
  missing: existsSync(esbuildProgram(name)) ? undefined : 'install.sh',
  argv: () => [esbuildProgram(name), '--loader=ts', '--minify'],
  env: GO_ENV,
  input: ['interface A {a: number}\n', 'const b: A = {a: 1};\nconsole.log(b);\n'],
  status: 0,
  unhooked: ['rt_sigaction'],
});

export const esbuildProgram = (name: string) => join(cache, 'esbuild/node_modules', name, 'bin/esbuild');

/** Programs of Go 1.18 with cgo: a server, and one that starts others. */
export const chromad = join(cache, 'chroma/usr/bin/chromad');
const buf = join(cache, 'esbuild/node_modules/buf121/bin/buf');
export const turbo = join(cache, 'esbuild/node_modules/turbo118/bin/turbo');

export const kinds: Kind[] = [
  inC('glibc', 'gcc', []),
  inC('musl', 'musl-gcc', []),
  inC('glibc, static', 'gcc', ['-static']),
  inC('glibc, static PIE', 'gcc', ['-static-pie']),
  inC('musl, static', 'musl-gcc', ['-static']),
  ...(goVersions.length > 0 ? goVersions : ['']).flatMap((version) =>
    ['static', 'stripped', 'pie', 'cgo', 'cgo-static'].map((how) => goKind(version, how)),
  ),
  goWithC('cgo', []),
  goWithC('PIE', ['-buildmode=pie']),
  esbuild('1.18', 'go118'),
  esbuild('1.20', 'go120'),
  {
    name: 'Go 1.21, static, stripped (buf)',
    missing: existsSync(buf) ? undefined : 'install.sh',
    argv: () => [buf, 'build', '-#format=json', '-o', '-#format=json'],
    env: GO_ENV,
    input: ['{"file":[{"name":"a.proto",', '"syntax":"proto3","bufExtension":{"isImport":false}}]}'],
    status: 0,
    unhooked: ['rt_sigaction'],
  },
  esbuild('1.23', 'go123'),
  esbuild('1.25', 'go125'),
  rust('dynamic', []),
  rust('dynamic, stripped', ['-C', 'strip=symbols']),
  rust('static', ['-C', 'target-feature=+crt-static', '-C', 'relocation-model=static']),
  rust('static PIE, stripped', ['-C', 'target-feature=+crt-static', '-C', 'strip=symbols']),
  {
    name: 'Java',
    missing: lacks('java'),
    argv: () => ['java', '-Xmx128m', join(here, 'Work.java')],
  },
  {name: 'Node.js', missing: undefined, argv: () => [process.execPath, join(here, 'work.mjs')]},
  {name: 'Python', missing: lacks('python3'), argv: () => ['python3', join(here, 'work.py')]},
];
