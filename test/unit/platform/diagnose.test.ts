// SPDX-License-Identifier: Apache-2.0
import {describe, expect, test} from 'vitest';
import {diagnoseKernel, diagnoseProcess, diagnoseProgram} from '../../../src/platform/diagnose.js';
import type {ElfFacts} from '../../../src/platform/elf.js';
import {kernelFacts, processFacts} from '../../../src/platform/kernel.js';

const elf: ElfFacts = {
  kind: 'elf',
  machine: 'x86_64',
  pie: true,
  loader: '/lib64/ld-linux-x86-64.so.2',
  needed: [],
  rust: false,
  exportsSsl: false,
};
const kernel = {release: '6.1', shmFree: 1 << 30};
const proc = {
  pid: 1,
  name: 'x',
  exe: '/x',
  uid: 1000,
  tracerPid: 0,
  noNewPrivs: false,
  seccomp: 0,
  threads: 3,
  objects: [],
  otherNamespaces: [],
  scoped: false,
  ioUring: false,
};
const levels = (found: {subject: string; level: string}[]) => found.map((f) => `${f.subject} ${f.level}`);

describe('diagnose', () => {
  test('finds nothing wrong with a plain dynamic program', () => {
    expect(levels(diagnoseProgram('/x', elf, false))).toEqual(['linkage ok']);
  });
  test('says that a setuid program blocks', () => {
    expect(levels(diagnoseProgram('/x', elf, true))).toContain('setuid block');
  });
  test('says that a Go version that is not known blocks, and promises no plaintext of it', () => {
    const old = levels(diagnoseProgram('/x', {...elf, goVersion: 'go (before 1.18)'}, false));
    expect(old).toEqual(['language block', 'linkage ok']);
    const first = levels(diagnoseProgram('/x', {...elf, goVersion: 'go1.18.10'}, false));
    expect(first).toEqual(['language block', 'linkage ok']);
    const known = levels(diagnoseProgram('/x', {...elf, goVersion: 'go1.22.1'}, false));
    expect(known).toEqual(['language ok', 'linkage ok', 'tls ok']);
  });
  test('says that another machine blocks', () => {
    expect(levels(diagnoseProgram('/x', {...elf, machine: 'aarch64'}, false))).toEqual(['program block']);
  });
  test('says that a full /dev/shm limits, and a missing one', () => {
    expect(levels(diagnoseKernel({release: '6', shmFree: 1000}))).toContain('/dev/shm limit');
    expect(levels(diagnoseKernel({release: '6'}))).toContain('/dev/shm limit');
  });
  test('names who traces the process', () => {
    expect(diagnoseProcess({...proc, tracerPid: 77}, kernel, {uid: 0})[0]!.text).toContain('77');
  });
  test('says that yama and other users block attach', () => {
    expect(levels(diagnoseProcess(proc, {...kernel, yama: 1}, {uid: 1000}))).toContain('ptrace block');
    expect(levels(diagnoseProcess(proc, kernel, {uid: 5}))).toContain('ptrace block');
    expect(levels(diagnoseProcess(proc, {...kernel, yama: 1}, {uid: 0}))).toContain('ptrace ok');
  });
  test('says what io_uring, seccomp and Java TLS hide', () => {
    const found = levels(
      diagnoseProcess({...proc, ioUring: true, seccomp: 2, objects: ['/usr/lib/libjvm.so']}, kernel, {
        uid: 0,
      }),
    );
    expect(found).toEqual(expect.arrayContaining(['io_uring limit', 'seccomp limit', 'tls limit']));
  });
});

describe('facts', () => {
  test('of this kernel and this process can be read', () => {
    expect(kernelFacts().release).toMatch(/^\d+\./);
    expect(processFacts(process.pid)).toMatchObject({pid: process.pid, tracerPid: 0});
    expect(processFacts(0x7ffffff0)).toBeUndefined();
  });
});
