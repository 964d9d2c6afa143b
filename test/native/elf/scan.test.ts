// SPDX-License-Identifier: Apache-2.0
/** The scan on the libc and loader of this machine, against objdump, and the code of the stubs. */
import {execFileSync, spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {buildProgram, hasCommand, layers} from '../build.js';

let dir: string;
let planTool: string;
let emitTool: string;
let fuzz: string;

const here = import.meta.dirname;
const elf = layers('elf', 'base');
const loader = '/lib64/ld-linux-x86-64.so.2';
const libc = ['/lib/x86_64-linux-gnu/libc.so.6', '/lib64/libc.so.6', '/usr/lib/libc.so.6'].find(existsSync);
const musl = ['/lib/ld-musl-x86_64.so.1', '/lib/x86_64-linux-musl/libc.so'].find(existsSync);

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-elf-'));
  planTool = buildProgram(join(dir, 'plan_tool'), [join(here, 'plan_tool.c'), ...elf]);
  emitTool = buildProgram(join(dir, 'emit_tool'), [join(here, 'emit_tool.c'), ...elf]);
  fuzz = buildProgram(
    join(dir, 'fuzz'),
    [join(here, 'fuzz.c'), ...elf],
    ['-fsanitize=address,undefined', '-fno-sanitize=alignment', '-fno-sanitize-recover=undefined'],
  );
});

afterAll(() => rmSync(dir, {recursive: true, force: true}));

const run = (tool: string, ...args: string[]): string =>
  execFileSync(tool, args, {encoding: 'utf8', maxBuffer: 256 << 20});

interface Site {
  kind: number;
  nr: number;
  pre: number;
  post: number;
  flags: number;
  bytes: string;
}

function scan(file: string): {sites: Site[]; unseen: number; check: number} {
  const text = run(planTool, 'sites', file);
  const sites = [
    ...text.matchAll(/^site \w+ kind (\d+) nr (-?\d+) pre (\d+) post (\d+) flags (\d+) bytes (\S+)$/gm),
  ].map((m) => ({
    kind: Number(m[1]),
    nr: Number(m[2]),
    pre: Number(m[3]),
    post: Number(m[4]),
    flags: Number(m[5]),
    bytes: m[6] ?? '',
  }));
  return {
    sites,
    unseen: Number(/unseen (\d+)/.exec(text)?.[1]),
    check: Number(/^check (-?\d+)$/m.exec(text)?.[1]),
  };
}

/** Instruction starts and lengths as objdump sees them, runs of code only. */
function objdump(file: string): Map<number, number> {
  const text = execFileSync('objdump', ['-d', '-w', '--no-show-raw-insn', file], {
    encoding: 'utf8',
    maxBuffer: 512 << 20,
  });
  const lengths = new Map<number, number>();
  let last: number | undefined;
  let name = '';
  for (const line of text.split('\n')) {
    const m = /^\s*([0-9a-f]+):\t(.*)$/.exec(line);
    const at = m ? Number.parseInt(m[1] ?? '', 16) : undefined;
    // objdump joins fwait with what follows, and guesses at data.
    if (last !== undefined && at !== undefined && !/^\(bad\)|^\.byte|^fst|^fsave|^fclex|^finit/.test(name))
      lengths.set(last, at - last);
    last = at;
    name = m?.[2] ?? '';
  }
  return lengths;
}

describe('the length decoder', () => {
  it.skipIf(!hasCommand('objdump') || !libc)('agrees with objdump on every instruction of libc', () => {
    const ours = new Map<number, number>();
    for (const line of run(planTool, 'lengths', libc ?? '').split('\n')) {
      const [at, length] = line.split(' ');
      if (at && length) ours.set(Number.parseInt(at, 16), Number(length));
    }
    let compared = 0;
    const wrong: string[] = [];
    for (const [at, length] of objdump(libc ?? '')) {
      const own = ours.get(at);
      if (own === undefined) continue;
      compared++;
      if (own !== length) wrong.push(`${at.toString(16)}: ${own}, objdump ${length}`);
    }
    expect(wrong).toEqual([]);
    expect(compared).toBeGreaterThan(100_000);
  });
});

describe('the scan', () => {
  const objects = [libc, loader, musl].filter((f) => f !== undefined && existsSync(f)) as string[];

  it.each(objects)('gives a plan of %s that its own check accepts', (file) => {
    const plan = scan(file);
    expect(plan.check).toBe(0);
    expect(plan.sites.length).toBeGreaterThan(10);
    for (const s of plan.sites) {
      expect(s.pre === 0 || s.pre >= 5).toBe(true);
      expect(s.post === 0 || s.post >= 5).toBe(true);
      expect(s.pre + s.post).toBeGreaterThan(0);
    }
  });

  it.skipIf(!libc)('leaves every syscall instruction of a window site where it is', () => {
    for (const s of scan(libc ?? '').sites.filter((one) => one.kind === 1))
      expect(s.bytes.split('|').at(s.pre ? 1 : 1)).toBe('0f05');
  });

  it.skipIf(!libc)('finds a place for every hooked call of libc', () => {
    const plan = scan(libc ?? '');
    expect(plan.unseen).toBe(0);
    const numbers = new Set(plan.sites.map((s) => s.nr));
    for (const nr of [0, 1, 3, 257, 42, 44, 45, 59, 231]) expect(numbers, `nr ${nr}`).toContain(nr);
  });

  it.skipIf(!libc)('never touches the signal return', () => {
    for (const s of scan(libc ?? '').sites) {
      expect(s.nr).not.toBe(15);
      expect(s.bytes).not.toMatch(/48c7c00f000000/);
    }
  });

  it.skipIf(!musl)('hooks musl around the calls of its cancellable function', () => {
    const around = scan(musl ?? '').sites.filter((s) => s.kind === 2);
    expect(around.length).toBeGreaterThan(0);
    for (const s of around) {
      expect(s.pre).toBeGreaterThanOrEqual(5);
      expect(s.post).toBeGreaterThanOrEqual(5);
    }
  });

  it('writes an overlay that differs from the object in the windows only', () => {
    const out = join(dir, 'overlay.plan');
    const text = run(planTool, 'sites', loader, out);
    const size = Number(/^overlay (\d+)$/m.exec(text)?.[1]);
    expect(statSync(out).size).toBe(size);
    const plan = readFileSync(out);
    const runs = plan.readUInt32LE(104);
    expect(runs).toBeGreaterThan(0);
    const object = readFileSync(loader);
    const text0 = execFileSync('readelf', ['-lW', loader], {encoding: 'utf8'});
    const code = /LOAD\s+(0x\w+) (0x\w+) \S+ (0x\w+) \S+ R E/.exec(text0);
    const shift = Number(code?.[1]) - Number(code?.[2]);
    const changed: number[] = [];
    for (let r = 0; r < runs; r++) {
      const va = Number(plan.readBigUInt64LE(112 + 16 * r));
      const len = plan.readUInt32LE(120 + 16 * r);
      const off = plan.readUInt32LE(124 + 16 * r);
      for (let i = 0; i < len && va + shift + i < object.length; i++)
        if (plan[off + i] !== object[va + shift + i]) changed.push(va + i);
    }
    const windows: [number, number][] = [];
    for (const m of text.matchAll(/^site (\w+) kind (\d) nr \S+ pre (\d+) post (\d+)/gm)) {
      const va = Number.parseInt(m[1] ?? '', 16);
      const core = m[2] === '2' ? 5 : Number(m[2]) >= 5 ? 0 : 2;
      if (Number(m[3])) windows.push([va - Number(m[3]), va - Number(m[3]) + 5]);
      if (Number(m[4])) windows.push([va + core, va + core + 5]);
    }
    expect(changed.filter((at) => !windows.some(([from, to]) => at >= from && at < to))).toEqual([]);
    expect(changed.length).toBeGreaterThan(100);
  });

  it('survives damaged objects and refuses damaged plans', () => {
    const done = spawnSync(fuzz, [loader], {
      encoding: 'utf8',
      env: {...process.env, ASAN_OPTIONS: 'detect_leaks=0'},
    });
    expect(done.stderr).toBe('');
    expect(done.status).toBe(0);
  });
});

describe('the stubs', () => {
  const stub = (...args: string[]): Record<string, string> =>
    Object.fromEntries(
      run(emitTool, ...args)
        .trim()
        .split('\n')
        .map((line) => line.replace(/(cc)*$/, '').split(' ') as [string, string]),
    );

  it.each([
    {
      name: 'store number and time before a timed call, and hand both on behind it',
      args: ['1', '1', '1', 'b801000000', '483d00f0ffff'],
      pre: 'b8010000004889d14989c30f3189442484418d8300000e5c894424804889ca4c89d8e9d90ff0ff',
      post: '488d642480488b0c2441bb01000000ff15c3efffff488da42480000000483d00f0ffffe9b80ff0ff',
    },
    {
      name: 'move a conditional jump and a return, and call the handler before the call',
      args: ['1', '3', '2', 'b803000000', '7705c39090'],
      pre: 'b803000000488d642480ff1500f0ffff488da42480000000e9e30ff0ff',
      post: '488d642480b903000e5cff15d0efffff488da424800000000f87cb0ff0ffc3',
    },
    {
      name: 'take the number from rsi around a cancellable call',
      args: ['2', '-1', '7', '4989d04c89ea', '5a594883f8fc'],
      pre: '4989d04c89ea4989d20f31894424848d8600000e5c894424804c89d2488d642480ff15f9efffff488da42480000000e9cc0ff0ff',
      post: '488d642480488b0c2441bbffffffffff15bbefffff488da424800000005a594883f8fce9ab0ff0ff',
    },
    {
      name: 'keep the slot of Go code in r12 and r13, the time of timed calls only, and call the handler where there is one',
      args: ['3', '-1', '3', '4889ce4889df', '483d01f0ffff'],
      pre: '4889ce4889df448da000000e5c4883f83f772648b903001e0000f50000480fa3c173164889d14989c30f314189c54889ca4c89d8e9c70df0ff4531ed483dff0100007722488d0db5fdffff0fb60c01f6c10275cf85c975034531e4f6c1047406ff15eaedffffe9950df0ff',
      post: '418d8c240000f2a381f9ff0100007706ff15a2edffff483d01f0ffffe9770df0ff',
    },
    {
      name: 'report an exit where its number is loaded',
      args: ['5', '231', '6', 'bee7000000', '-'],
      pre: 'bee7000000b8e7000000488d642480ff1503f0ffff488da42480000000e9de0ff0ff',
    },
    {
      name: 'look at the slot only, behind a call where others arrive too',
      args: ['1', '1', '33', '488b442420b801000000', '4883c418c3'],
      pre: '488b442420b8010000004889d14989c30f3189442484418d8300000e5c894424804889ca4c89d8e9d40ff0ff',
      post: '488d642480ff152df0ffff488da424800000004883c418c3',
    },
    {
      name: 'keep the receiver of a TLS function at home',
      args: ['7', '0', '0', '-', '554889e54883ec58'],
      post: '4889442408554889e54883ec58e9f60ff0ff',
    },
    {
      name: 'find receiver and pointer at a return of a TLS function',
      args: ['8', '1', '0', '-', '4883c4585dc3'],
      post: '4c8d9c246800000041bc01000000ff155cf0ffff4883c4585dc3',
    },
    {
      name: 'move an operand relative to the instruction',
      args: ['1', '0', '0', '-', '803d1000000000'],
      post: '488d642480b900000e5cff15f0efffff488da42480000000803dfa0ff0ff00e9e50ff0ff',
    },
  ])('$name', ({args, pre, post}) => {
    const made = stub(...args);
    expect(made.pre).toBe(pre);
    expect(made.post).toBe(post);
  });

  it('drop a window that ends in a loop instruction', () => {
    expect(run(emitTool, '1', '1', '0', '-', '4883f800e2fb')).toBe('');
  });
});
