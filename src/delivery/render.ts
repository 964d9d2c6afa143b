// SPDX-License-Identifier: Apache-2.0
/**
 * Records as bytes in lent memory, cut into runs of one process and kind. The memory comes in slabs, which are used again
 * when the peer has taken what was in them: fresh memory costs a page fault each 4 KiB.
 *
 *   slab |run of process a|run of process b|run of a ......| free |
 */
import type {ByteWriter} from '../records/byte-writer.js';
import {fieldEnd} from '../records/otlp/proto.js';
import type {Item, Rendered} from '../records/rendered.js';
import type {RelayRecord} from '../records/types.js';
import type {Rendering} from './exporter.js';
import {recordSize} from './size.js';

const SLAB_BYTES = 512 * 1024;
/** A slab with less room than this is full: few records are longer, and those grow it. */
const MARGIN = 8 * 1024;
const NEWLINE = 0x0a;
/** Slabs kept for the next records. */
const FREE_KEPT = 16;

export interface RenderLimits {
  /** Of one run: a batch does not cut runs. */
  maxRecords: number;
  maxBytes: number;
}

/** Items that were made together. */
export interface Made {
  items: Item[];
  /** Records in them. */
  count: number;
  bytes: number;
}

class Run implements Rendered {
  readonly kind = 'rendered';

  constructor(
    readonly first: RelayRecord,
    readonly count: number,
    readonly bytes: Buffer,
  ) {}
}

export class Renderer {
  readonly #rendering: Rendering;
  readonly #out: ByteWriter;
  readonly #limits: RenderLimits;
  readonly #free: Buffer[] = [];
  /** Runs in a slab that were not given back yet; what a queue drops never is, and its slab goes to the collector. */
  readonly #uses = new WeakMap<ArrayBufferLike, number>();
  /** Slabs that somebody may read although their runs were given back. */
  readonly #lost = new WeakSet<ArrayBufferLike>();
  #items: Item[] = [];
  #total = 0;
  #bytes = 0;
  /** The run that is being written. */
  #first: RelayRecord | undefined;
  #count = 0;
  #from = 0;

  constructor(rendering: Rendering, limits: RenderLimits) {
    this.#rendering = rendering;
    this.#out = rendering.out;
    this.#limits = limits;
  }

  /** Records made since take(). */
  get count(): number {
    return this.#total;
  }

  get bytes(): number {
    return this.#bytes + (this.#first === undefined ? 0 : this.#out.length - this.#from);
  }

  /** Before add() is called for records that came together. */
  begin(): void {
    this.#rendering.begin?.();
  }

  /** False: the record has no form. */
  add(record: RelayRecord): boolean {
    const out = this.#out;
    const first = this.#first;
    if (first !== undefined && (record.process !== first.process || record.kind !== first.kind))
      this.#close();
    if (this.#first === undefined && out.buffer.length - out.length < MARGIN) this.#renew();
    const before = out.length;
    const done = this.#rendering.write(record);
    if (done === false) return false;
    this.#total++;
    if (done === undefined) {
      this.#close();
      this.#items.push(record);
      this.#bytes += recordSize(record);
      return true;
    }
    if (this.#first === undefined) {
      this.#first = record;
      this.#from = before;
    }
    this.#count++;
    const {maxRecords, maxBytes} = this.#limits;
    const full = out.buffer.length - out.length < MARGIN;
    if (full || this.#count >= maxRecords || out.length - this.#from >= maxBytes) this.#close();
    return true;
  }

  /** What somebody else made of consecutive records of one process and kind, in the rendering's form; it is copied. */
  addMade(bytes: Buffer, count: number, first: RelayRecord): void {
    const {maxRecords, maxBytes} = this.#limits;
    if (count > 1 && (count > maxRecords || bytes.length > maxBytes)) {
      this.#addEach(bytes, first);
      return;
    }
    const out = this.#out;
    const same = this.#first?.process === first.process && this.#first.kind === first.kind;
    const fits = this.#count + count <= maxRecords && out.length - this.#from + bytes.length <= maxBytes;
    const room = out.buffer.length - out.length >= bytes.length;
    if (!same || !fits || !room) this.#close();
    if (!room) this.#renew();
    if (this.#first === undefined) {
      this.#first = first;
      this.#from = out.length;
    }
    out.bytes(bytes);
    this.#count += count;
    this.#total += count;
  }

  #addEach(bytes: Buffer, first: RelayRecord): void {
    const logs = this.#rendering.form === 'logs';
    for (let at = 0; at < bytes.length; ) {
      const end = logs ? fieldEnd(bytes, at) : bytes.indexOf(NEWLINE, at) + 1 || bytes.length;
      this.addMade(bytes.subarray(at, end), 1, first);
      at = end;
    }
  }

  #close(): void {
    const first = this.#first;
    if (first === undefined) return;
    const {buffer, length} = this.#out;
    this.#items.push(new Run(first, this.#count, buffer.subarray(this.#from, length)));
    this.#bytes += length - this.#from;
    this.#uses.set(buffer.buffer, (this.#uses.get(buffer.buffer) ?? 0) + 1);
    this.#first = undefined;
    this.#count = 0;
  }

  #renew(): void {
    const {buffer} = this.#out;
    if (!this.#reusable(buffer.buffer))
      this.#out.buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.#out.length = 0;
  }

  #reusable(slab: ArrayBufferLike): boolean {
    return slab.byteLength === SLAB_BYTES && this.#uses.get(slab) === 0 && !this.#lost.has(slab);
  }

  /** What was made since the last call. */
  take(): Made {
    this.#close();
    const made = {items: this.#items, count: this.#total, bytes: this.#bytes};
    this.#items = [];
    this.#total = 0;
    this.#bytes = 0;
    return made;
  }

  /** Nobody reads these items any more. `reuse` false: perhaps somebody does, their memory is left to the collector. */
  release(items: readonly Item[], reuse: boolean): void {
    for (const item of items) {
      if (item.kind !== 'rendered') continue;
      const slab = item.bytes.buffer;
      this.#uses.set(slab, (this.#uses.get(slab) ?? 0) - 1);
      if (!reuse) this.#lost.add(slab);
      const current = slab === this.#out.buffer.buffer;
      if (!current && this.#free.length < FREE_KEPT && this.#reusable(slab))
        this.#free.push(Buffer.from(slab));
    }
  }
}

/** Renders what of a batch is records still; what is to stay one stays, and `rejected` have no form. */
export function renderAll(batch: readonly Item[], rendering: Rendering): {items: Item[]; rejected: number} {
  const items: Item[] = [];
  let rejected = 0;
  const {out} = rendering;
  const {buffer, length} = out;
  // The memory in use may be that of a renderer, whose books would not know of ours.
  out.buffer = Buffer.alloc(0);
  out.length = 0;
  const renderer = new Renderer(rendering, {maxRecords: Infinity, maxBytes: SLAB_BYTES});
  renderer.begin();
  for (const item of batch) {
    if (item.kind === 'rendered') items.push(...renderer.take().items, item);
    else if (!renderer.add(item)) rejected++;
  }
  items.push(...renderer.take().items);
  out.buffer = buffer;
  out.length = length;
  return {items, rejected};
}
