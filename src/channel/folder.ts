// SPDX-License-Identifier: Apache-2.0
/** A folder of channels over the addon's Folder. */
import {readFileSync, statSync} from 'node:fs';
import {constants} from 'node:os';
import {join, resolve} from 'node:path';
import {ScopeError} from '../base/errors.js';
import {addon, CONTROL_FIELDS, type NativeFolder, STATS_FIELDS} from './addon.js';
import {MappedChannel} from './channel.js';
import {readControl, writeControl} from './control.js';
import {OFFSETS} from './layout.js';
import type {Batch, Channel, ChannelFolder, Control, FolderOptions, FolderStats} from './types.js';

const {EACCES, EBUSY, EALREADY, ENOENT, EPROTO} = constants.errno;
const SPOOL_MAX = 256 * 1024 * 1024;
const QUIET_SECONDS = 24 * 3600;

const LOSING_AT_ONCE = 256;
/** Room for a batch at the beginning. */
const BATCH_BYTES = 64 * 1024;

/** Key of the hub in the addon's calls. */
const HUB = 0;

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').replace(/[^0-9a-f]/g, '');
  } catch {
    return '';
  }
}

function errorName(errno: number): string {
  for (const [name, value] of Object.entries(constants.errno)) if (value === -errno) return name;
  return `errno ${-errno}`;
}

function openError(dir: string, rc: number): ScopeError {
  if (rc === -ENOENT)
    return new ScopeError('SCOPE_NOT_FOUND', `${dir}: no channel folder (its hub is missing)`);
  if (rc === -EPROTO)
    return new ScopeError('SCOPE_CHANNEL_INVALID', `${dir}/hub: made by another version, or damaged`);
  if (rc === -EACCES) return new ScopeError('SCOPE_IO', `${dir}/hub: ${notShared(dir)}`);
  return new ScopeError('SCOPE_IO', `${dir}: ${errorName(rc)}`);
}

function notShared(dir: string): string {
  const owner = statSync(join(dir, 'hub'), {throwIfNoEntry: false})?.uid;
  return `belongs to user ${owner ?? '?'}: run as that user or as root, or share the folder with a group (chgrp and chmod g+rws before its first use)`;
}

class NativeChannelFolder implements ChannelFolder {
  readonly dir: string;
  readonly #native: NativeFolder = new addon.Folder();
  readonly #channels = new Map<number, MappedChannel>();
  readonly #key = new Uint32Array(1);
  readonly #losing = new Uint32Array(LOSING_AT_ONCE);
  /** What next() gave last. One memory for all batches: fresh one each time is what the collector would run for. */
  #batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
  readonly #stats = new Float64Array(STATS_FIELDS);
  readonly #bootId = bootId();
  #position = 0;
  #closed = false;

  constructor(dir: string, options: FolderOptions) {
    this.dir = resolve(dir);
    if (options.fileWatch) checkFileWatch(options.fileWatch);
    const rc = this.#native.open(this.dir, {
      create: false,
      ...options,
      spoolMax: options.spoolMax ?? SPOOL_MAX,
      quietSeconds: options.quietSeconds ?? QUIET_SECONDS,
    });
    if (rc !== 0) {
      this.#native.close();
      throw openError(this.dir, rc);
    }
    // A hub that was there keeps what is not asked for; the channels in it follow.
    if (options.control) this.setControl(options.control);
    else this.#learn();
  }

  get channels(): ReadonlyMap<number, Channel> {
    return this.#channels;
  }

  get position(): number {
    return this.#closed ? this.#position : this.#native.position();
  }

  start(onWake: () => void): void {
    const rc = this.#native.start(() => {
      this.#learn();
      onWake();
    });
    if (rc === -EBUSY)
      throw new ScopeError('SCOPE_CHANNEL_INVALID', `${this.dir}: another relay reads this folder`);
    if (rc === -EALREADY) throw new ScopeError('SCOPE_INTERNAL', `${this.dir}: started twice`);
    if (rc !== 0) throw new ScopeError('SCOPE_IO', `${this.dir}/spool: ${errorName(rc)}`);
    this.#learn();
  }

  next(): Batch | undefined {
    let length = this.#native.next(this.#key, this.#batch);
    if (length < 0) {
      this.#batch = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(-length)));
      length = this.#native.next(this.#key, this.#batch);
    }
    if (length === 0) return undefined;
    let channel = this.#channels.get(this.#key[0]!);
    if (!channel) {
      this.#learn();
      channel = this.#channels.get(this.#key[0]!)!;
    }
    return {channel, bytes: this.#batch.subarray(0, length)};
  }

  commit(): void {
    this.#native.commit();
  }

  scan(): void {
    this.#native.scan();
    this.#learn();
  }

  control(): Control {
    const values = new Float64Array(CONTROL_FIELDS);
    this.#native.control(HUB, values);
    return readControl(values);
  }

  setControl(change: Partial<Control>): void {
    const values = writeControl(change);
    // The hub first: a channel made meanwhile copies it, one made before is found by the scan.
    this.#native.setControl(HUB, values);
    this.scan();
    for (const channel of this.#channels.values()) if (!channel.ended) channel.setControl(change);
  }

  setFileWatch(dfa: Uint8Array): void {
    checkFileWatch(dfa);
    this.#native.setFileWatch(dfa);
  }

  release(channel: Channel): void {
    const mapped = this.#channels.get(channel.key);
    if (!mapped) return;
    mapped.detach();
    if (!this.#native.release(channel.key)) {
      mapped.attach();
      throw new ScopeError('SCOPE_INTERNAL', `${channel.path}: released before it was drained`);
    }
    this.#channels.delete(channel.key);
  }

  stats(): FolderStats {
    const n = this.#stats;
    if (!this.#closed) this.#native.stats(n);
    return {
      spooled: n[0]!,
      spoolBytes: n[1]!,
      spoolMax: n[2]!,
      spoolFull: n[3]!,
      records: n[4]!,
      passes: n[5]!,
      orphans: n[6]!,
      spoolError: n[7]!,
      passNs: n[8]!,
      refused: n[9]!,
    };
  }

  get endings(): number {
    return this.#closed ? 0 : this.#native.endings();
  }

  losing(): Channel[] {
    if (this.#closed) return [];
    const count = this.#native.losing(this.#losing);
    const found: Channel[] = [];
    for (const key of this.#losing.subarray(0, count)) {
      const channel = this.#channels.get(key);
      if (channel !== undefined) found.push(channel);
    }
    return found;
  }

  get channelDir(): string {
    return (this.#closed ? undefined : this.#native.far()) ?? this.dir;
  }

  removeFar(): void {
    if (!this.#closed) this.#native.removeFar();
  }

  close(): void {
    if (this.#closed) return;
    this.stats();
    this.#position = this.#native.position();
    for (const channel of this.#channels.values()) channel.detach();
    this.#closed = true;
    this.#native.close();
  }

  #learn(): void {
    for (const found of this.#native.arrivals())
      this.#channels.set(found.key, new MappedChannel(this.#native, this.dir, found, this.#bootId));
  }
}

function checkFileWatch(dfa: Uint8Array): void {
  if (dfa.length !== OFFSETS.dfa.size)
    throw new ScopeError('SCOPE_INTERNAL', `file watch: ${dfa.length} bytes, expected ${OFFSETS.dfa.size}`);
}

/**
 * Opens a channel folder. Throws ScopeError: SCOPE_NOT_FOUND without a hub (unless `create`), SCOPE_CHANNEL_INVALID
 * when the hub is of another version, SCOPE_IO otherwise.
 */
export function openFolder(dir: string, options: FolderOptions = {}): ChannelFolder {
  return new NativeChannelFolder(dir, options);
}
