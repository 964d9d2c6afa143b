// SPDX-License-Identifier: Apache-2.0
/** The file behind the file exporter: opened, appended to, found again when somebody moved it, rotated. */
import {constants} from 'node:fs';
import {type FileHandle, mkdir, open, stat} from 'node:fs/promises';
import {dirname} from 'node:path';
import {setTimeout as pause} from 'node:timers/promises';
import type {Clock} from '../../base/clock.js';
import {compress, setAside} from './rotate.js';

export interface OutputSettings {
  /** `stdout`, `stderr` or a path. */
  path: string;
  mode: number;
  rotate: {maxBytes: number; maxAgeMs: number; keep: number; gzip: boolean};
}

/** A file that somebody else moves or removes is noticed within this time. */
const LOOK_MS = 1000;
const STREAMS: Record<string, number> = {stdout: 1, stderr: 2};

export class Output {
  readonly #settings: OutputSettings;
  readonly #clock: Clock;
  readonly #log: (message: string) => void;
  #file: FileHandle | undefined;
  #regular = false;
  #inode = 0;
  #size = 0;
  #opened = 0;
  #looked = 0;
  #compressing: Promise<void> = Promise.resolve();

  constructor(settings: OutputSettings, clock: Clock, log: (message: string) => void) {
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
  }

  /** Bytes that may still be written before the file is full. */
  get room(): number {
    const {maxBytes} = this.#settings.rotate;
    return maxBytes > 0 && this.#regular ? maxBytes - this.#size : Infinity;
  }

  async open(): Promise<void> {
    if (this.#file !== undefined) return this.#look();
    const {path, mode} = this.#settings;
    if (path in STREAMS) {
      this.#file = await open(`/dev/fd/${STREAMS[path]}`, 'a').catch(() =>
        open(`/proc/self/fd/${STREAMS[path]}`, 'w'),
      );
    } else {
      await mkdir(dirname(path), {recursive: true, mode: 0o755});
      this.#file = await open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, mode);
    }
    const info = await this.#file.stat();
    this.#regular = info.isFile() && !(path in STREAMS);
    this.#inode = info.ino;
    this.#size = this.#regular ? info.size : 0;
    this.#opened =
      this.#clock.now() - (this.#size > 0 ? Math.max(0, this.#clock.wall() - info.birthtimeMs) : 0);
    this.#looked = this.#clock.now();
  }

  /** Opens again when the path is no longer our file; a file cut short by copy-and-truncate is found shorter. */
  async #look(): Promise<void> {
    if (!this.#regular || this.#clock.now() - this.#looked < LOOK_MS) return;
    this.#looked = this.#clock.now();
    const info = await stat(this.#settings.path).catch(() => undefined);
    if (info?.ino === this.#inode) {
      this.#size = info.size;
      return;
    }
    await this.close();
    await this.open();
  }

  /** All bytes, or an error and nothing of them in a regular file. `written` tells how far a stream got. */
  async write(buffers: readonly Buffer[], signal: AbortSignal): Promise<{written: number; error?: Error}> {
    const size = buffers.reduce((sum, bytes) => sum + bytes.length, 0);
    let rest = buffers;
    let written = 0;
    try {
      while (written < size) {
        if (signal.aborted) throw new Error('aborted');
        const some = await this.#some(rest, signal);
        written += some;
        if (written < size) rest = behind(rest, some);
      }
    } catch (error) {
      if (this.#regular && written > 0) {
        await this.#file!.truncate(this.#size).catch(() => undefined);
        written = 0;
      }
      return {written, error: error as Error};
    }
    this.#size += size;
    return {written};
  }

  async #some(buffers: readonly Buffer[], signal: AbortSignal): Promise<number> {
    try {
      const {bytesWritten} = await this.#file!.writev(buffers);
      if (bytesWritten === 0) throw Object.assign(new Error('no space left on device'), {code: 'ENOSPC'});
      return bytesWritten;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      // A pipe that is full and does not block: its reader needs a moment.
      await pause(5, undefined, {signal});
      return 0;
    }
  }

  async sync(): Promise<void> {
    if (this.#regular) await this.#file?.datasync();
  }

  /** Sets the file aside when `next` bytes would not fit or it is too old. */
  async rotateFor(next: number): Promise<void> {
    const {maxBytes, maxAgeMs, keep, gzip} = this.#settings.rotate;
    if (!this.#regular || this.#size === 0) return;
    const full = maxBytes > 0 && this.#size + next > maxBytes;
    const old = maxAgeMs > 0 && this.#clock.now() - this.#opened >= maxAgeMs;
    if (!full && !old) return;
    const {path, mode} = this.#settings;
    await this.#compressing;
    await this.close();
    await setAside(path, keep);
    if (gzip && keep > 0) {
      this.#compressing = compress(`${path}.1`, mode).catch((error: Error) =>
        this.#log(`cannot compress ${path}.1: ${error.message}`),
      );
    }
    await this.open();
  }

  /** Closes the file; compression goes on. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async end(): Promise<void> {
    await this.close();
    await this.#compressing;
  }
}

/** What is left of buffers whose first bytes are done with. */
export function behind(buffers: readonly Buffer[], done: number): Buffer[] {
  let skip = done;
  return buffers.flatMap((bytes) => {
    const from = Math.min(skip, bytes.length);
    skip -= from;
    return from === bytes.length ? [] : [bytes.subarray(from)];
  });
}
