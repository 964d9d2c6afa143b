// SPDX-License-Identifier: Apache-2.0
/** Builds C test programs against the native sources into a temporary folder. */
import {execFileSync, spawnSync} from 'node:child_process';
import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {ROOT} from '../../src/base/root.js';

const native = join(ROOT, 'native');

/** The C files of native layers, their x86-64 parts included. */
export function layers(...names: string[]): string[] {
  const found: string[] = [];
  for (const name of names)
    for (const dir of [name, join(name, 'arch/x86_64')])
      try {
        for (const file of readdirSync(join(native, dir)))
          if (file.endsWith('.c')) found.push(join(native, dir, file));
      } catch {
        // A layer without a part for the cpu.
      }
  return found;
}

/** A libc program of the sources. */
export function buildProgram(out: string, sources: string[], flags: string[] = [], cc = 'gcc'): string {
  execFileSync(
    cc,
    [
      '-std=gnu11',
      '-D_GNU_SOURCE',
      '-O1',
      '-g',
      '-Wall',
      '-Wextra',
      `-I${native}`,
      `-I${native}/include`,
      ...flags,
      ...sources,
      '-o',
      out,
    ],
    {stdio: 'pipe'},
  );
  return out;
}

/** A library as libscope.so is built: no libc, no vector registers. */
export function buildFreestanding(out: string, sources: string[]): string {
  execFileSync(
    'gcc',
    [
      '-std=gnu11',
      '-O2',
      '-g1',
      '-shared',
      '-nostdlib',
      '-nostartfiles',
      '-ffreestanding',
      '-fPIC',
      '-fno-stack-protector',
      '-fno-builtin',
      '-fvisibility=hidden',
      '-mgeneral-regs-only',
      '-fno-omit-frame-pointer',
      '-fcf-protection=none',
      '-fno-tree-loop-distribute-patterns',
      '-Wl,-z,now',
      '-Wl,-z,relro',
      '-Wl,--no-undefined',
      '-Wl,-Bsymbolic',
      '-Wl,--hash-style=gnu',
      `-I${native}`,
      `-I${native}/include`,
      ...sources,
      '-o',
      out,
    ],
    {stdio: 'pipe'},
  );
  return out;
}

export const hasCommand = (name: string): boolean => spawnSync(name, ['--version']).error === undefined;
