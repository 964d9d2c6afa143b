// SPDX-License-Identifier: Apache-2.0
/** What libscope.so must not have, whatever is built into it: it runs in any process, of any libc or none. */
import {execFileSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, it} from 'vitest';
import {ROOT} from '../../../src/base/root.js';

const library = join(ROOT, 'build/lib/libscope.so');
const read = (tool: string, ...args: string[]): string =>
  execFileSync(tool, [...args, library], {encoding: 'utf8', maxBuffer: 256 << 20});

describe.skipIf(!existsSync(library))('libscope.so', () => {
  it('needs no library', () => expect(read('readelf', '-dW')).not.toMatch(/NEEDED|TEXTREL/));

  it('imports nothing and exports the entry for the injector alone', () =>
    expect(
      read('readelf', '--dyn-syms', '-W')
        .split('\n')
        .filter((line) => /^\s+[1-9]\d*:/.test(line))
        .map((line) => line.replace(/^.*?:\s+\S+\s+\d+\s+/, '')),
    ).toEqual([expect.stringMatching(/^FUNC\s+GLOBAL\s+DEFAULT\s+\d+ scope_inject$/)]));

  it('has no thread-local storage, no executable stack, nothing writable and executable', () => {
    const segments = read('readelf', '-lW');
    expect(segments).not.toMatch(/^\s+TLS/m);
    expect(segments).not.toMatch(/RWE/);
    expect(segments).toMatch(/GNU_STACK.*RW /);
  });

  it('is relocated by its address alone', () =>
    expect(
      read('readelf', '-rW')
        .split('\n')
        .filter((line) => /R_X86_64_/.test(line) && !line.includes('R_X86_64_RELATIVE')),
    ).toEqual([]));

  it('touches no vector register', () =>
    expect(
      read('objdump', '-d', '--no-show-raw-insn')
        .split('\n')
        .filter((line) => /%[xyz]mm\d|%st\b|%mm\d/.test(line)),
    ).toEqual([]));
});
