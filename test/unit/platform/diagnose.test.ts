// SPDX-License-Identifier: Apache-2.0
import {spawnSync} from 'node:child_process';
import {copyFileSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {NATIVE} from '../../../src/base/root.js';
import {diagnoseKernel, diagnoseProcess, diagnoseProgram} from '../../../src/platform/diagnose.js';
import type {ElfFacts} from '../../../src/platform/elf.js';
import {hasCapabilities, kernelFacts, processFacts} from '../../../src/platform/kernel.js';

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
    expect(levels(diagnoseProgram('/x', elf))).toEqual(['linkage ok']);
  });
  test('says that a setuid program blocks', () => {
    expect(levels(diagnoseProgram('/x', elf, {setuid: true}))).toContain('setuid block');
  });
  test('says that a Go version that is not known blocks, and promises no plaintext of it', () => {
    const old = levels(diagnoseProgram('/x', {...elf, goVersion: 'go (before 1.18)'}));
    expect(old).toEqual(['language block', 'linkage ok']);
    for (const goVersion of ['go1.18.10', 'go1.22.1'])
      expect(levels(diagnoseProgram('/x', {...elf, goVersion}))).toEqual([
        'language ok',
        'linkage ok',
        'tls ok',
      ]);
  });
  test('says that capabilities of the file block', () => {
    expect(levels(diagnoseProgram('/x', elf, {capabilities: true}))).toContain('capabilities block');
  });
  test('says what its own /dev/shm has room for', () => {
    const found = (shm: {free?: number; noexec: boolean}) =>
      levels(diagnoseProcess({...proc, shm}, kernel, {uid: 0}));
    expect(found({free: 1 << 26, noexec: true})).toContain('its /dev/shm ok');
    expect(found({free: 1000, noexec: false})).toContain('its /dev/shm limit');
    expect(found({noexec: false})).toContain('its /dev/shm note');
  });
  test('says that a filter must be suspended, which takes root', () => {
    const found = (uid: number) => levels(diagnoseProcess({...proc, seccomp: 2}, kernel, {uid}));
    expect(found(0)).toContain('seccomp limit');
    expect(found(1000)).toContain('seccomp block');
  });
  test('says that memory never becomes executable', () => {
    expect(levels(diagnoseKernel({...kernel, mdwe: true}))).toContain('mdwe note');
  });
  test('says that another machine blocks', () => {
    expect(levels(diagnoseProgram('/x', {...elf, machine: 'aarch64'}))).toEqual(['program block']);
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

/** A command under PR_SET_MDWE. */
const MDWE =
  'import ctypes,os,sys; ctypes.CDLL(None).prctl(65,1,0,0,0) == 0 or sys.exit(77); os.execv(sys.argv[1],sys.argv[1:])';

describe('facts', () => {
  test('of a file with capabilities and of one without', (context) => {
    const dir = mkdtempSync(join(tmpdir(), 'appscope-doctor-'));
    try {
      const file = join(dir, 'cat');
      copyFileSync('/bin/cat', file);
      expect(hasCapabilities(file)).toBe(false);
      if (spawnSync('setcap', ['cap_net_raw+ep', file]).status !== 0) context.skip();
      expect(hasCapabilities(file)).toBe(true);
    } finally {
      rmSync(dir, {recursive: true});
    }
  });
  test('of memory that never becomes executable', (context) => {
    const {status, stdout} = spawnSync('python3', ['-c', MDWE, NATIVE.launcher, 'facts-of'], {
      encoding: 'utf8',
    });
    if (status === 77) context.skip();
    expect(stdout).toBe('mdwe\n');
    expect(kernelFacts().mdwe).toBeUndefined();
  });

  test('of this kernel and this process can be read', () => {
    expect(kernelFacts().release).toMatch(/^\d+\./);
    expect(processFacts(process.pid)).toMatchObject({pid: process.pid, tracerPid: 0});
    expect(processFacts(0x7ffffff0)).toBeUndefined();
  });
});
