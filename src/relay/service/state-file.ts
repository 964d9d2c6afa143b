// SPDX-License-Identifier: Apache-2.0
/**
 * How far a service came: position in the channel folder and state of its images, so that the next one goes on after
 * kill -9. Only valid for the very folder it was written for: a hub made anew starts from its beginning.
 */
import {closeSync, constants, ftruncateSync, openSync, readFileSync, statSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {ByteWriter} from '../../records/byte-writer.js';
import {type Saved, writeSaved} from '../state.js';

/** Written in turn, so that one is always whole. A rename per save would make the file system write it out each time. */
const NAMES = ['position-0.json', 'position-1.json'] as const;

interface Slot extends Saved {
  hub: string;
  number: number;
}

/** Names a hub: its inode and the time it was made differ for every other one. */
export function hubIdentity(dir: string): string {
  const {dev, ino, birthtimeMs} = statSync(join(dir, 'hub'));
  return `${dev}:${ino}:${Math.round(birthtimeMs)}`;
}

function readSlot(path: string): Slot | undefined {
  try {
    const slot = JSON.parse(readFileSync(path, 'utf8')) as Slot;
    return typeof slot.number === 'number' ? slot : undefined;
  } catch {
    return undefined; // none yet, or torn: the other one is whole
  }
}

/** The saves of one state folder. */
export class Positions {
  readonly #dir: string;
  readonly #hub: string;
  #number = 0;
  /** What the last service left for this hub; undefined: nothing usable, records are read from the folder's own mark. */
  readonly saved: Saved | undefined;
  #fds: number[] = [];
  /** One memory for all saves: with hundreds of processes they are of some hundred kilobytes. */
  readonly #out = new ByteWriter(4096);

  constructor(dir: string, hub: string) {
    this.#dir = dir;
    this.#hub = hub;
    const slots = NAMES.flatMap((name) => readSlot(join(dir, name)) ?? []);
    this.#number = Math.max(0, ...slots.map((slot) => slot.number));
    const last = slots.filter((slot) => slot.hub === hub).sort((a, b) => b.number - a.number)[0];
    this.saved = last && {position: last.position, state: last.state};
  }

  save(saved: Saved): void {
    this.#number += 1;
    const slot = this.#number % NAMES.length;
    this.#fds[slot] ??= openSync(join(this.#dir, NAMES[slot]!), constants.O_RDWR | constants.O_CREAT, 0o600);
    const out = this.#out;
    out.length = 0;
    writeSaved(out, saved, {number: this.#number, hub: this.#hub});
    // Over what was there: to give the pages back and get others costs more. What is left behind it is cut off last.
    writeSync(this.#fds[slot], out.view(), 0, out.length, 0);
    ftruncateSync(this.#fds[slot], out.length);
  }

  close(): void {
    for (const fd of this.#fds) if (fd !== undefined) closeSync(fd);
    this.#fds = [];
  }
}
