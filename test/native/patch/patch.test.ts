// SPDX-License-Identifier: Apache-2.0
/** Programs of every kind patched live by a library that only counts: results unchanged, counts exact. */
import {type ChildProcess, execFileSync, spawn, spawnSync} from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';
import {buildFreestanding, buildProgram, hasCommand, layers} from '../build.js';

const here = import.meta.dirname;
const NR: Record<string, number> = {
  read: 0,
  write: 1,
  close: 3,
  pread64: 17,
  pwrite64: 18,
  readv: 19,
  writev: 20,
  sendto: 44,
  recvfrom: 45,
  sendmsg: 46,
  recvmsg: 47,
  shutdown: 48,
  socketpair: 53,
  clone: 56,
  fork: 57,
  vfork: 58,
  execve: 59,
  exit: 60,
  exit_group: 231,
  clone3: 435,
};

let dir: string;
let library: string;
let inject: string;
const programs = new Map<string, string>();
const children = new Set<ChildProcess>();
let file: string;
let plans: string;

const flavours = ['glibc', 'glibc-static', ...(hasCommand('musl-gcc') ? ['musl', 'musl-static'] : [])];

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-patch-'));
  library = buildFreestanding(join(dir, 'libcount.so'), [
    join(here, 'count.c'),
    ...layers('patch', 'elf', 'base', 'sys'),
  ]);
  inject = buildProgram(join(dir, 'inject_tool'), [
    join(here, 'inject_tool.c'),
    ...layers('inject', 'elf', 'sys', 'base'),
  ]);
  for (const flavour of flavours)
    programs.set(
      flavour,
      buildProgram(
        join(dir, `calls-${flavour}`),
        [join(here, 'calls.c')],
        ['-pthread', '-Wno-clobbered', ...(flavour.endsWith('static') ? ['-static'] : [])],
        flavour.startsWith('musl') ? 'musl-gcc' : 'gcc',
      ),
    );
});

afterAll(() => rmSync(dir, {recursive: true, force: true}));

beforeEach(() => {
  file = join(mkdtempSync(join(dir, 'run-')), 'count');
  plans = `${file}.plans`;
  mkdirSync(plans);
});

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});

interface Counts {
  post: (name: string) => number;
  pre: (name: string) => number;
  report: {
    objects: number;
    overlays: number;
    sites: number;
    patched: number;
    differs: number;
    computed: number;
    error: number;
    isStatic: number;
    isGo: number;
  };
}

function counts(): Counts {
  const bytes = readFileSync(file);
  const at = (table: number, name: string): number =>
    Number(bytes.readBigUInt64LE(table * 4096 + 8 * (NR[name] ?? 0)));
  const r = 4 * 4096 + 64;
  const word = (i: number): number => bytes.readInt32LE(r + 4 * i);
  return {
    post: (name) => at(0, name),
    pre: (name) => at(1, name),
    report: {
      objects: word(0),
      overlays: word(1),
      sites: word(2),
      patched: word(3),
      differs: word(4),
      computed: word(6),
      error: word(7),
      isStatic: bytes.readInt32LE(r + 36 + 64),
      isGo: bytes.readInt32LE(r + 40 + 64),
    },
  };
}

/** Runs a program with the library in it: preloaded, or injected where there is no loader. */
function run(flavour: string, ...args: string[]): {status: number | null; stdout: string; stderr: string} {
  const program = programs.get(flavour) ?? flavour;
  const injected = flavour.endsWith('static');
  const done = injected
    ? spawnSync(inject, ['exec', library, file, `${file}.notes`, program, ...args], {
        encoding: 'utf8',
        timeout: 60_000,
      })
    : spawnSync(program, args, {
        encoding: 'utf8',
        timeout: 60_000,
        env: {...process.env, LD_PRELOAD: library, COUNT_FILE: file, COUNT_PLANS: plans},
      });
  return {status: done.status, stdout: done.stdout, stderr: done.stderr};
}

describe.each(flavours)('%s', (flavour) => {
  it('counts every call exactly and changes no result', () => {
    const done = run(flavour);
    expect(done.stderr).toBe('');
    expect(done.status).toBe(0);
    const seen = counts();
    expect(seen.report.error).toBe(0);
    expect(seen.report.differs).toBe(0);
    // musl writes the report by writev.
    const own = /^(\w+) (\d+)$/gm;
    for (const [, name, n] of done.stdout.matchAll(own)) {
      const more = name === 'write' || name === 'writev' ? [0, 1, 2, 3] : [0];
      expect(more, `${name}: ${seen.post(name ?? '')}, made ${n}`).toContain(
        seen.post(name ?? '') - Number(n),
      );
    }
    expect(seen.pre('execve')).toBe(5);
    expect(seen.pre('vfork')).toBe(5);
    expect(seen.pre('exit')).toBe(8);
    expect(seen.pre('exit_group')).toBe(6);
  });

  it('lets signals, restarts and longjmp through', () => {
    const done = run(flavour, 'storm');
    expect(done.stderr).toBe('');
    expect(done.stdout).toBe('storm over\n');
    expect(counts().post('read')).toBeGreaterThan(1000);
  });

  it('cancels threads in a blocking read as before', () => {
    const done = run(flavour, 'cancel');
    expect(done.stderr).toBe('');
    expect(done.stdout).toBe('all cancelled\n');
  });

  it('attaches and detaches under load, restoring every byte', async () => {
    const child = spawn(programs.get(flavour) ?? '', ['loop'], {stdio: ['pipe', 'pipe', 'inherit']});
    children.add(child);
    let text = '';
    const ready = new Promise<void>((resolve) =>
      child.stdout.on('data', (chunk) => {
        text += String(chunk);
        if (text.includes('ready\n')) resolve();
      }),
    );
    const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
    await ready;
    const before = patchedText(child.pid ?? 0);
    for (let i = 0; i < 8; i++) {
      execFileSync(inject, ['attach', library, file, String(child.pid)], {encoding: 'utf8'});
      expect(counts().report.patched).toBeGreaterThan(20);
      execFileSync(inject, ['detach', library, file, String(child.pid)], {encoding: 'utf8'});
    }
    expect(patchedText(child.pid ?? 0).equals(before)).toBe(true);
    child.stdin.end();
    expect(await ended).toBe(0);
    expect(text).toMatch(/rounds \d+/);
    const maps = counts();
    expect(maps.post('read') + maps.post('write')).toBeGreaterThan(0);
  });
});

/** The executable pages of libc, loader and program as they are in a process. */
function patchedText(pid: number): Buffer {
  const parts: Buffer[] = [];
  for (const line of readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')) {
    const m = /^(\w+)-(\w+) r-xp (\w+) \S+ \d+\s+(\S*(?:\/calls-|\/libc[.-]|\/ld-)\S*)/.exec(line);
    if (!m) continue;
    const from = Number.parseInt(m[1] ?? '', 16);
    const size = Number.parseInt(m[2] ?? '', 16) - from;
    const script = `import sys;f=open('/proc/${pid}/mem','rb');f.seek(${from});sys.stdout.buffer.write(f.read(${size}))`;
    parts.push(execFileSync('python3', ['-c', script], {maxBuffer: 64 << 20}));
  }
  return Buffer.concat(parts);
}

describe('entry hooks', () => {
  it('call through to functions whose first bytes are of every kind, and leave no trace', () => {
    const test = buildProgram(join(dir, 'entry_test'), [
      join(here, 'entry_test.c'),
      ...layers('patch', 'elf', 'base', 'sys'),
    ]);
    expect(execFileSync(test, {encoding: 'utf8'})).toBe('ok\n');
  });
});

describe('odd circumstances', () => {
  it.skipIf(!hasCommand('g++'))('a thread cancelled inside a stub still runs its destructors', () => {
    const program = join(dir, 'cancel');
    execFileSync('g++', ['-O2', '-pthread', join(here, 'cancel.cc'), '-o', program], {stdio: 'pipe'});
    const done = spawnSync(program, [], {
      encoding: 'utf8',
      timeout: 100_000,
      env: {...process.env, LD_PRELOAD: library, COUNT_FILE: file, COUNT_PLANS: plans},
    });
    expect(done.stdout).toBe('destroyed 2000\n');
    expect(done.status).toBe(0);
  });

  it('an explicitly run loader is patched like any', () => {
    const done = spawnSync('/lib64/ld-linux-x86-64.so.2', [programs.get('glibc') ?? ''], {
      encoding: 'utf8',
      env: {...process.env, LD_PRELOAD: library, COUNT_FILE: file, COUNT_PLANS: plans},
    });
    expect(done.stderr).toBe('');
    expect(done.status).toBe(0);
    expect(counts().post('read')).toBe(3300);
  });

  it.each(['with', 'without'])('memory that may not become executable later: %s plans', (how) => {
    const script =
      'import ctypes,os,sys;ctypes.CDLL(None).prctl(65,1,0,0,0);os.environ["LD_PRELOAD"]=sys.argv[2];os.execv(sys.argv[1],["calls"])';
    const done = spawnSync('python3', ['-c', script, programs.get('glibc') ?? '', library], {
      encoding: 'utf8',
      env: {...process.env, COUNT_FILE: file, ...(how === 'with' ? {COUNT_PLANS: plans} : {})},
    });
    expect(done.stderr).toBe('');
    expect(done.status).toBe(0);
    expect(counts().post('read')).toBe(3300);
  });

  it.skipIf(!hasCommand('gdb'))('a breakpoint in libc stays: no overlay is laid over it', () => {
    run('glibc', 'cancel');
    const done = spawnSync(
      'gdb',
      [
        '-batch',
        '-nx',
        '-ex',
        'set startup-with-shell off',
        '-ex',
        'set breakpoint pending on',
        '-ex',
        'break puts',
        '-ex',
        `set environment LD_PRELOAD ${library}`,
        '-ex',
        `set environment COUNT_FILE ${file}`,
        '-ex',
        `set environment COUNT_PLANS ${plans}`,
        '-ex',
        'run',
        '-ex',
        'continue',
        '--args',
        programs.get('glibc') ?? '',
        'cancel',
      ],
      {encoding: 'utf8', timeout: 60_000, env: {...process.env, DEBUGINFOD_URLS: ''}},
    );
    expect(done.stdout).toMatch(/Breakpoint 1, .*puts/);
    expect(done.stdout).toContain('exited normally');
    // The loader's is laid; libc, which holds the breakpoint, is patched place by place.
    expect(counts().report).toMatchObject({objects: 2, overlays: 1, differs: 0, error: 0});
  });
});

describe('plans', () => {
  it('are computed once and mapped as an overlay afterwards', () => {
    run('glibc');
    expect(counts().report.computed).toBe(2);
    expect(readdirSync(plans).every((name) => /^[0-9a-f]+\.plan$/.test(name))).toBe(true);
    run('glibc');
    expect(counts().report).toMatchObject({computed: 0, overlays: 2, objects: 2});
  });

  it('are not used when others may write them, or when they are damaged', () => {
    run('glibc');
    const names = readdirSync(plans);
    for (const name of names) chmodSync(join(plans, name), 0o666);
    expect(run('glibc').status).toBe(0);
    expect(counts().report).toMatchObject({computed: 2, error: 0});
    for (const name of names) {
      const bytes = readFileSync(join(plans, name));
      bytes.fill(0xff, 520, 700);
      rmSync(join(plans, name));
      writeFileSync(join(plans, name), bytes, {mode: 0o600});
    }
    expect(run('glibc').status).toBe(0);
    expect(counts().report).toMatchObject({computed: 2, error: 0, differs: 0});
  });

  it('work without a folder for them', () => {
    const done = spawnSync(programs.get('glibc') ?? '', [], {
      encoding: 'utf8',
      env: {...process.env, LD_PRELOAD: library, COUNT_FILE: file},
    });
    expect(done.status).toBe(0);
    expect(counts().report).toMatchObject({objects: 2, overlays: 0, differs: 0, error: 0});
  });
});

describe.skipIf(!hasCommand('go') && !existsSync('/usr/local/go/bin/go'))('Go', () => {
  const go = existsSync('/usr/local/go/bin/go') ? '/usr/local/go/bin/go' : 'go';
  const kinds = [
    {name: 'static', args: [], env: {CGO_ENABLED: '0'}},
    {name: 'static stripped', args: ['-ldflags=-s -w'], env: {CGO_ENABLED: '0'}},
    {name: 'PIE', args: ['-buildmode=pie'], env: {CGO_ENABLED: '0'}},
    {name: 'cgo', args: ['-tags=withcgo'], env: {CGO_ENABLED: '1'}},
  ];

  it.each(kinds)(
    '$name: counts are exact with deep stacks, preemption and collection',
    ({name, args, env}) => {
      const source = join(dir, `go-${name.replace(' ', '-')}`);
      mkdirSync(source, {recursive: true});
      writeFileSync(join(source, 'main.go'), readFileSync(join(here, 'calls.go')));
      writeFileSync(join(source, 'go.mod'), 'module calls\n\ngo 1.18\n');
      const program = join(source, 'calls');
      execFileSync(go, ['build', ...args, '-o', program, '.'], {
        cwd: source,
        env: {...process.env, ...env, GOFLAGS: '-mod=mod'},
        stdio: 'pipe',
      });
      const settings = {...process.env, GOGC: '1', GOMAXPROCS: '2'};
      const done = name.startsWith('static')
        ? spawnSync(inject, ['exec', library, file, `${file}.notes`, program], {
            encoding: 'utf8',
            timeout: 60_000,
            env: settings,
          })
        : spawnSync(program, [], {
            encoding: 'utf8',
            timeout: 60_000,
            env: {...settings, LD_PRELOAD: library, COUNT_FILE: file, COUNT_PLANS: plans},
          });
      expect(done.stderr).toBe('');
      expect(done.status).toBe(0);
      const seen = counts();
      expect(seen.report).toMatchObject({isGo: 1, error: 0, differs: 0});
      for (const [, call, n] of done.stdout.matchAll(/^(\w+) (\d+)$/gm))
        expect(seen.post(call ?? ''), call).toBeGreaterThanOrEqual(Number(n));
      expect(seen.post('pwrite64')).toBe(Number(/pwrite64 (\d+)/.exec(done.stdout)?.[1]));
      expect(seen.post('sendmsg') + seen.post('recvfrom')).toBe(200);
      expect(seen.pre('exit_group')).toBeGreaterThanOrEqual(1);
      expect(seen.pre('execve')).toBe(1);
    },
  );
});
