// SPDX-License-Identifier: Apache-2.0
/**
 * HPACK (RFC 7541), decoding only. Tolerant of a connection joined late: what refers to entries from before is
 * left out and counted. No I/O.
 */
import {CODE_LENGTHS, STATIC_TABLE} from './hpack-table.js';

/** A field of a header list; names are lower case on the wire. */
export type HeaderField = readonly [name: string, value: string];

/** A header block that breaks the RFC; the decoder is of no use for the connection afterwards. */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}

const EOS = 256;
const STATIC = STATIC_TABLE.length;
/** Size an entry has beyond its bytes (RFC 7541 §4.1). */
const ENTRY_OVERHEAD = 32;
/** Largest table a peer may ask for here; larger ones are followed up to this. */
const TABLE_CAP = 1 << 20;
/** Bytes of one decoded header list; the rest is left out. */
const LIST_CAP = 256 * 1024;

/**
 * Decoding tables of the Huffman code with a stride of eight bits. Each node has 256 slots; a slot holds
 * `symbol << 8 | bits used` of a leaf, or `-node` of the next table.
 */
const HUFFMAN = buildTables();

function buildTables(): Int32Array {
  const slots: number[] = new Array<number>(256).fill(0);
  const order = CODE_LENGTHS.map((_, symbol) => symbol).sort(
    (a, b) => CODE_LENGTHS[a]! - CODE_LENGTHS[b]! || a - b,
  );
  let code = 0;
  let previous = CODE_LENGTHS[order[0]!]!;
  for (const symbol of order) {
    const length = CODE_LENGTHS[symbol]!;
    code *= 2 ** (length - previous);
    previous = length;
    insertCode(slots, symbol, code, length);
    code += 1;
  }
  return Int32Array.from(slots);
}

function insertCode(slots: number[], symbol: number, code: number, length: number): void {
  let node = 0;
  let left = length;
  while (left > 8) {
    left -= 8;
    const slot = node * 256 + (Math.floor(code / 2 ** left) & 0xff);
    if (slots[slot] === 0) {
      slots[slot] = -(slots.length / 256);
      for (let i = 0; i < 256; i++) slots.push(0);
    }
    node = -slots[slot]!;
  }
  const shift = 8 - left;
  const first = (code << shift) & 0xff;
  for (let i = 0; i < 1 << shift; i++) slots[node * 256 + first + i] = (symbol << 8) | left;
}

/** Decodes a Huffman-coded string; the result has one character per byte. */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string {
  const out: number[] = [];
  let node = 0;
  let bits = 0;
  let held = 0;
  let pos = start;
  for (;;) {
    while (held < 8 && pos < end) {
      bits = ((bits << 8) | bytes[pos++]!) & 0xffff;
      held += 8;
    }
    if (held === 0) break;
    const index = held >= 8 ? (bits >> (held - 8)) & 0xff : ((bits << (8 - held)) | (0xff >> held)) & 0xff;
    const slot = HUFFMAN[node * 256 + index]!;
    if (slot < 0) {
      if (held < 8) break;
      node = -slot;
      held -= 8;
      continue;
    }
    const used = slot & 0xff;
    if (used > held) break;
    const symbol = slot >> 8;
    if (symbol === EOS) throw new HpackError('end of string inside a Huffman code');
    out.push(symbol);
    held -= used;
    node = 0;
  }
  checkPadding(node, bits, held);
  return latin1(out);
}

/** RFC 7541 §5.2: the padding is shorter than a byte and made of ones. */
function checkPadding(node: number, bits: number, held: number): void {
  if (node !== 0 || held > 7) throw new HpackError('Huffman padding too long');
  const mask = (1 << held) - 1;
  if ((bits & mask) !== mask) throw new HpackError('Huffman padding is not ones');
}

function latin1(codes: number[]): string {
  let text = '';
  for (let i = 0; i < codes.length; i += 4096) {
    text += String.fromCharCode.apply(null, codes.slice(i, i + 4096));
  }
  return text;
}

/** A header table as JSON can hold it; newest last. */
export interface SavedTable {
  entries: HeaderField[];
  limit: number;
}

/** RFC 7541 §4.1 */
function sizeOf(entry: HeaderField): number {
  return entry[0].length + entry[1].length + ENTRY_OVERHEAD;
}

/** An entry nobody here knows: it came before the connection was joined. */
const UNKNOWN: HeaderField = ['', ''];

/** The header table of one direction of a connection, and the decoder of its blocks. */
export class HpackDecoder {
  /** Fields left out because they were set before this decoder began, or exceeded a cap. */
  missing = 0;
  /** Newest last. */
  #entries: HeaderField[] = [];
  #size = 0;
  #limit = 4096;
  #bytes: Uint8Array = new Uint8Array(0);
  #pos = 0;
  #end = 0;

  /** Bytes were lost: nothing is known of the table any more, what comes from now on is. */
  forget(): void {
    this.#entries = [];
    this.#size = 0;
  }

  /** What the next decoder of this direction must know. */
  save(): SavedTable {
    return {entries: this.#entries, limit: this.#limit};
  }

  restore(saved: SavedTable): void {
    this.#entries = [...saved.entries];
    this.#size = this.#entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    this.#resize(saved.limit);
  }

  /** Entries now in the dynamic table, newest first; for tests. */
  get table(): HeaderField[] {
    return [...this.#entries].reverse();
  }

  get tableSize(): number {
    return this.#size;
  }

  /** Decodes one whole block. Throws HpackError when it breaks the RFC. */
  decode(bytes: Uint8Array, start = 0, end = bytes.length): HeaderField[] {
    this.#bytes = bytes;
    this.#pos = start;
    this.#end = end;
    const list: HeaderField[] = [];
    let size = 0;
    while (this.#pos < this.#end) {
      const field = this.#field();
      if (field === undefined) continue;
      size += field[0].length + field[1].length;
      if (field[0] === '' || size > LIST_CAP) this.missing++;
      else list.push(field);
    }
    return list;
  }

  #field(): HeaderField | undefined {
    const first = this.#bytes[this.#pos]!;
    if (first & 0x80) return this.#lookup(this.#integer(7));
    if (first & 0x40) {
      const field = this.#literal(6);
      this.#insert(field);
      return field;
    }
    if (first & 0x20) {
      this.#resize(this.#integer(5));
      return undefined;
    }
    return this.#literal(4);
  }

  #literal(prefix: number): HeaderField {
    const index = this.#integer(prefix);
    const name = index === 0 ? this.#string() : this.#lookup(index)[0];
    return [name, this.#string()];
  }

  #lookup(index: number): HeaderField {
    if (index === 0) throw new HpackError('index 0');
    if (index <= STATIC) return STATIC_TABLE[index - 1]!;
    return this.#entries[this.#entries.length - (index - STATIC)] ?? UNKNOWN;
  }

  #integer(prefix: number): number {
    const mask = (1 << prefix) - 1;
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      if (shift > 28) throw new HpackError('integer too long');
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  #string(): string {
    const huffman = (this.#peek() & 0x80) !== 0;
    const length = this.#integer(7);
    const start = this.#pos;
    if (length > this.#end - start) throw new HpackError('string beyond the end of the block');
    this.#pos += length;
    if (huffman) return decodeHuffman(this.#bytes, start, this.#pos);
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, length).toString('latin1');
  }

  #peek(): number {
    if (this.#pos >= this.#end) throw new HpackError('block ends inside a field');
    return this.#bytes[this.#pos]!;
  }

  #byte(): number {
    const byte = this.#peek();
    this.#pos++;
    return byte;
  }

  #insert(field: HeaderField): void {
    this.#entries.push(field);
    this.#size += sizeOf(field);
    this.#evict();
  }

  #resize(limit: number): void {
    this.#limit = Math.min(limit, TABLE_CAP);
    this.#evict();
  }

  #evict(): void {
    while (this.#size > this.#limit) {
      this.#size -= sizeOf(this.#entries.shift()!);
    }
  }
}
