// SPDX-License-Identifier: Apache-2.0
/** What survives a restart by name only: the boot whose clock an entry's time is of, and the processes of its records. */
import {readFileSync} from 'node:fs';
import type {Process} from '../../records/types.js';

/** Processes remembered so that records of one share one object. */
const INTERNED = 10_000;

/** 16 bytes, zeros when the system does not tell. */
export function bootId(): Buffer {
  try {
    return Buffer.from(
      readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').replaceAll('-', '').trim(),
      'hex',
    );
  } catch {
    return Buffer.alloc(16);
  }
}

/** Gives records that were read back one object per process. */
export function createIntern(): (process: Process) => Process {
  const known = new Map<string, Process>();
  return (process) => {
    const id = `${process.uuid}/${process.key}/${process.pid}`;
    const first = known.get(id);
    if (first !== undefined) return first;
    if (known.size >= INTERNED) known.clear();
    known.set(id, process);
    return process;
  };
}
