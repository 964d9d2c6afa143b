// SPDX-License-Identifier: Apache-2.0
/**
 * What a relay leaves for the next one in case it is killed: how far it read, which images were announced, what was
 * reported of them. One file per commit of the session, named by the number that the session's commit holds: so the
 * state and the session's files change in one step.
 */
import {readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {ScopeError} from '../base/errors.js';
import {ByteWriter} from '../records/byte-writer.js';
import type {OpenState} from './image.js';
import type {ProcessState} from './sources/process.js';

export interface ImageState {
  open: OpenState;
  process: ProcessState;
  /** Counters and losses that were reported. */
  counters: number[];
  lost: number[];
  /** Reported one by one, by metric. */
  singles: [string, number][];
  /** Seconds since the epoch. */
  reportedAt: number;
  /** Of sources that keep something, by the name of their kind. */
  sources?: Record<string, unknown>;
}

export interface RelayState {
  /** By path of the channel. */
  images: Record<string, ImageState>;
  /** Paths of channels whose last report was made, and which may be there still. */
  over: string[];
  /** Images seen so far. */
  seen: number;
  /** Losses of images that are over, by cause. */
  lost: Record<string, number>;
  /** What is not seen and why. */
  notes: string[];
}

export const NEW_STATE: Readonly<RelayState> = {images: {}, over: [], seen: 0, lost: {}, notes: []};

/** A state and the position of the channel folder it belongs to. */
export interface Saved {
  position: number;
  state: RelayState;
}

/** Most images are the same from one commit to the next, and so is their object: its member of the state's JSON. */
const members = new WeakMap<ImageState, Buffer>();

function memberOf(path: string, image: ImageState): Buffer {
  let bytes = members.get(image);
  if (bytes === undefined) {
    bytes = Buffer.from(`${JSON.stringify(path)}:${JSON.stringify(image)}`);
    members.set(image, bytes);
  }
  return bytes;
}

const COMMA = 0x2c;

/** Writes what JSON.stringify makes of an object with the members of `first` and then these. */
export function writeSaved(out: ByteWriter, {position, state}: Saved, first: object = {}): void {
  const {images, ...rest} = state;
  const head = JSON.stringify({...first, position});
  out.bytes(Buffer.from(`${head.slice(0, -1)},"state":{"images":{`));
  let more = false;
  for (const path in images) {
    if (more) out.byte(COMMA);
    more = true;
    out.bytes(memberOf(path, images[path]!));
  }
  out.bytes(Buffer.from(`},${JSON.stringify(rest).slice(1)}}`));
}

const NAME = /^relay-(\d+)\.json$/;

/** The states of one session. */
export class StateFiles {
  readonly #dir: string;
  /** One memory for all commits. */
  readonly #out = new ByteWriter(4096);

  /** `dir`: a folder of ours that exists. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /** The state of a commit; undefined for 0, before any. */
  read(number: number): Saved | undefined {
    if (number === 0) return undefined;
    try {
      return JSON.parse(readFileSync(this.#path(number), 'utf8')) as Saved;
    } catch (cause) {
      throw new ScopeError('SCOPE_SESSION_INVALID', `${this.#path(number)}: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  /** Before the session's commit with this number. */
  write(number: number, saved: Saved): void {
    this.#out.length = 0;
    writeSaved(this.#out, saved);
    writeFileSync(this.#path(number), this.#out.view());
  }

  /** After it: the others are of no use any more. */
  keepOnly(number: number): void {
    for (const name of readdirSync(this.#dir)) {
      const found = NAME.exec(name);
      if (found && Number(found[1]) !== number) rmSync(join(this.#dir, name), {force: true});
    }
  }

  #path(number: number): string {
    return join(this.#dir, `relay-${number}.json`);
  }
}
