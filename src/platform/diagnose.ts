// SPDX-License-Identifier: Apache-2.0
/** What AppScope will see of a program and what not, and why. Pure: facts in, findings out. */
import type {ElfFacts} from './elf.js';
import type {KernelFacts, ProcessFacts} from './kernel.js';

/** `block`: it cannot be observed at all; `limit`: part of it stays unseen; `note`: worth knowing. */
export type Level = 'ok' | 'note' | 'limit' | 'block';

export interface Finding {
  /** What was looked at: `linkage`, `yama`, … */
  subject: string;
  level: Level;
  text: string;
}

const MIB = 1024 * 1024;

export function diagnoseKernel(kernel: KernelFacts): Finding[] {
  const found: Finding[] = [{subject: 'kernel', level: 'ok', text: `Linux ${kernel.release}`}];
  if (kernel.shmFree === undefined)
    found.push({
      subject: '/dev/shm',
      level: 'limit',
      text: 'not there: channels lie in the session folder on disk, which is slower',
    });
  else if (kernel.shmFree < 4 * MIB)
    found.push({
      subject: '/dev/shm',
      level: 'limit',
      text: `${Math.round(kernel.shmFree / 1024)} KiB free: a process needs up to 2 MiB, those that find no room run unscoped`,
    });
  else
    found.push({
      subject: '/dev/shm',
      level: 'ok',
      text: `${Math.round(kernel.shmFree / MIB)} MiB free; a process takes at most 2 MiB`,
    });
  if (kernel.procMem && kernel.procMem !== 'always')
    found.push({
      subject: 'proc_mem',
      level: 'note',
      text: `writes to /proc/self/mem are restricted (${kernel.procMem}): the library uses mprotect`,
    });
  if (kernel.mdwe)
    found.push({
      subject: 'mdwe',
      level: 'note',
      text: 'memory here never becomes executable (PR_SET_MDWE): code is changed through /proc/self/mem, or a page at a time',
    });
  if (kernel.yama)
    found.push({
      subject: 'yama',
      level: kernel.yama > 2 ? 'limit' : 'note',
      text: `kernel.yama.ptrace_scope=${kernel.yama}: attach to a running process needs ${kernel.yama > 2 ? 'a reboot with another setting' : 'root'}; launching is not affected`,
    });
  return found;
}

const isOldGo = (elf: ElfFacts): boolean => /before/.test(elf.goVersion ?? '');

/** Why the kernel will make the loader ignore LD_PRELOAD. */
export interface Rights {
  setuid?: boolean;
  capabilities?: boolean;
}

/** Of an executable file that would be launched. */
export function diagnoseProgram(path: string, elf: ElfFacts, rights: Rights = {}): Finding[] {
  const found: Finding[] = [];
  const add = (subject: string, level: Level, text: string) => found.push({subject, level, text});
  if (elf.kind === 'script') {
    add('program', 'ok', `${path} is a script for ${elf.interpreterLine}: its interpreter is observed`);
    return found;
  }
  if (elf.kind === 'other') {
    add('program', 'block', `${path} is not a 64-bit ELF program`);
    return found;
  }
  if (elf.machine !== 'x86_64') {
    add('program', 'block', `${path} is for ${elf.machine}; this version observes x86-64 programs`);
    return found;
  }
  if (elf.goVersion && isOldGo(elf))
    add('language', 'block', `${elf.goVersion}: its code is not patched; the program runs as always`);
  else if (elf.goVersion)
    add(
      'language',
      'ok',
      `${elf.goVersion}: system calls of its runtime are patched where their bytes are known`,
    );
  else if (elf.rust) add('language', 'ok', 'Rust');
  if (!elf.loader) add('linkage', 'ok', 'static: the library is put in at exec by ptrace');
  else if (elf.loader.includes('musl')) add('linkage', 'ok', `dynamic, musl (${elf.loader})`);
  else add('linkage', 'ok', `dynamic, glibc (${elf.loader})`);
  if (rights.setuid)
    add(
      'setuid',
      'block',
      'the file is setuid or setgid: the kernel drops LD_PRELOAD unless scope runs as that user',
    );
  if (rights.capabilities)
    add(
      'capabilities',
      'block',
      'the file has capabilities of its own (getcap): the kernel drops LD_PRELOAD unless root starts it; attach to it as root',
    );
  found.push(...diagnoseTls(elf.needed, elf));
  return found;
}

/** TLS libraries by the names of what is linked or mapped. */
export function diagnoseTls(objects: string[], elf?: ElfFacts): Finding[] {
  const found: Finding[] = [];
  const has = (part: string) => objects.some((name) => name.includes(part));
  const seen = (what: string) =>
    found.push({subject: 'tls', level: 'ok', text: `${what}: plaintext is seen`});
  if (has('libssl')) seen('OpenSSL');
  if (has('libgnutls')) seen('GnuTLS');
  if (has('libnspr4') || has('libssl3.so')) seen('NSS');
  if (elf?.exportsSsl) seen('OpenSSL inside the executable');
  if (elf?.goVersion && !isOldGo(elf)) seen('crypto/tls of Go');
  if (has('libjvm'))
    found.push({
      subject: 'tls',
      level: 'limit',
      text: 'Java (JSSE): TLS stays ciphertext; plain HTTP is seen',
    });
  if (elf?.rust && found.length === 0)
    found.push({
      subject: 'tls',
      level: 'limit',
      text: 'rustls, if it is used, is not readable: TLS stays ciphertext',
    });
  return found;
}

/** Of a /dev/shm of its own: attach puts the channels there, or else where it may write. */
function diagnoseShm({free, noexec}: NonNullable<ProcessFacts['shm']>): Finding {
  const subject = 'its /dev/shm';
  if (free === undefined)
    return {subject, level: 'note', text: 'it has none: channels lie in another place where it may write'};
  if (free < 4 * MIB)
    return {
      subject,
      level: 'limit',
      text: `${Math.round(free / 1024)} KiB free: attach looks for another place`,
    };
  const code = noexec ? ', noexec: the library for its children goes where code is allowed' : '';
  return {subject, level: 'ok', text: `${Math.round(free / MIB)} MiB free${code}`};
}

/** Of a running process that would be attached to. */
export function diagnoseProcess(p: ProcessFacts, kernel: KernelFacts, we: {uid: number}): Finding[] {
  const found: Finding[] = [];
  const add = (subject: string, level: Level, text: string) => found.push({subject, level, text});
  if (p.scoped) add('scoped', 'ok', 'the library is in this process already');
  if (p.tracerPid) add('ptrace', 'block', `traced by process ${p.tracerPid}: end that debugger first`);
  else if (we.uid !== 0 && we.uid !== p.uid)
    add('ptrace', 'block', `belongs to user ${p.uid}: run scope as that user or as root`);
  else if (we.uid !== 0 && kernel.yama)
    add(
      'ptrace',
      'block',
      `kernel.yama.ptrace_scope=${kernel.yama}: run scope as root, or start the program with scope`,
    );
  else
    add(
      'ptrace',
      'ok',
      `attach is allowed (${p.threads} thread${p.threads === 1 ? '' : 's'} will stand for some milliseconds)`,
    );
  if (p.seccomp === 1)
    add('seccomp', 'block', 'strict seccomp: nothing but read, write and exit may be called');
  else if (p.seccomp === 2)
    add(
      'seccomp',
      we.uid === 0 ? 'limit' : 'block',
      we.uid === 0
        ? 'a filter is set: attach suspends it meanwhile; where it would end the program for calls of the library, children are not seen'
        : 'a filter is set: to suspend it meanwhile attach needs CAP_SYS_ADMIN, unless scope runs under the same filter',
    );
  if (p.ioUring) add('io_uring', 'limit', 'uses io_uring: I/O through the ring is unseen');
  if (p.otherNamespaces.length)
    add(
      'namespaces',
      'note',
      `lives in other namespaces: ${p.otherNamespaces.join(', ')}${p.otherNamespaces.includes('pid') ? '; events have the pid that it sees itself' : ''}`,
    );
  if (p.shm) found.push(diagnoseShm(p.shm));
  found.push(...diagnoseTls(p.objects));
  return found;
}
