// SPDX-License-Identifier: Apache-2.0
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {readElf} from '../../../src/platform/elf.js';
import {canBuild, cleanup, makeDir, program} from '../../programs/support.js';

afterAll(cleanup);

describe('readElf', () => {
  test('tells a dynamic glibc program with its loader, libraries and build-id', () => {
    const facts = readElf(program('calls'));
    expect(facts).toMatchObject({
      kind: 'elf',
      machine: 'x86_64',
      loader: '/lib64/ld-linux-x86-64.so.2',
      rust: false,
    });
    expect(facts.needed).toContain('libc.so.6');
    expect(facts.buildId).toMatch(/^[0-9a-f]{40}$/);
  });
  test('tells a static program', () => {
    expect(readElf(program('calls', 'static')).loader).toBeUndefined();
  });
  test.skipIf(!canBuild('musl'))('tells a musl program', () => {
    expect(readElf(program('calls', 'musl')).loader).toContain('musl');
  });
  test('tells that node carries OpenSSL', () => {
    expect(readElf(process.execPath).exportsSsl).toBe(true);
  });
  test('tells a script and its interpreter', () => {
    const file = join(makeDir(), 'script');
    writeFileSync(file, '#!/bin/sh -e\necho\n');
    expect(readElf(file)).toMatchObject({kind: 'script', interpreterLine: '/bin/sh -e'});
  });
  test.each([
    ['an empty file', Buffer.alloc(0)],
    ['text', Buffer.from('hello')],
    ['a cut header', Buffer.from('7f454c460201', 'hex')],
    [
      'a header whose tables lie outside',
      Buffer.concat([Buffer.from('7f454c46020101', 'hex'), Buffer.alloc(57, 0xff)]),
    ],
  ])('does not fall over %s', (_name, bytes) => {
    const file = join(makeDir(), 'bad');
    writeFileSync(file, bytes);
    let kind = 'error';
    try {
      kind = readElf(file).kind;
    } catch (error) {
      expect((error as {code: string}).code).toBe('SCOPE_NOT_FOUND');
    }
    expect(['other', 'elf', 'error']).toContain(kind);
  });
  test('names the file that cannot be read', () => {
    expect(() => readElf('/nonexistent')).toThrow(/\/nonexistent/);
  });
});
