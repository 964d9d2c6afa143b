// SPDX-License-Identifier: Apache-2.0
/** Protobuf by hand where it must be fast (logs), and the few messages of answers. */
import {ByteWriter} from '../byte-writer.js';

/** Bytes of a length that is written before what it measures is known; four of them hold 2^28. */
const LENGTH_BYTES = 4;
/** Texts up to this length are copied by a loop, longer ones by Buffer. */
const SHORT = 96;

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** The bytes of an attribute's key field, for ProtoWriter.attribute. */
export function encodeKey(key: string): Buffer {
  const text = Buffer.from(key);
  const out = new ProtoWriter(text.length + 8);
  out.byte(0x0a);
  out.varint(text.length);
  out.bytes(text);
  return Buffer.from(out.view());
}

/** Any value as text: JSON where that is possible. */
export function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

export class ProtoWriter extends ByteWriter {
  /** Whole number from 0 to 2^53; what is none becomes 0. */
  varint(value: number): void {
    if (value >= 0 && value < 128 && (value | 0) === value) {
      this.reserve(1);
      this.buffer[this.length++] = value;
      return;
    }
    this.reserve(8);
    let rest = Number.isSafeInteger(value) ? value : 0;
    while (rest >= 128) {
      this.buffer[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.buffer[this.length++] = rest;
  }

  /** Two's complement of any whole number up to 2^53. */
  int64(value: number): void {
    if (value >= 0 || !Number.isSafeInteger(value)) {
      this.varint(value);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    this.reserve(10);
    while (rest >= 128n) {
      this.buffer[this.length++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.buffer[this.length++] = Number(rest);
  }

  /** A message or other field of a length known only at end(). */
  begin(tag: number): number {
    this.byte(tag);
    this.reserve(LENGTH_BYTES);
    this.length += LENGTH_BYTES;
    return this.length;
  }

  end(start: number): void {
    let rest = this.length - start;
    for (let i = LENGTH_BYTES; i > 1; i--) {
      this.buffer[start - i] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.buffer[start - 1] = rest & 127;
  }

  /** Seconds since the epoch as nanoseconds, fixed64. */
  nanoseconds(tag: number, seconds: number): void {
    const micros = Math.max(0, Math.round(seconds * 1e6)) || 0;
    const high = Math.floor(micros / 4294967296);
    const low = (micros - high * 4294967296) * 1000;
    const carry = Math.floor(low / 4294967296);
    this.reserve(9);
    this.buffer[this.length++] = tag;
    this.#fixed32(low - carry * 4294967296);
    this.#fixed32((high * 1000 + carry) % 4294967296);
  }

  #fixed32(value: number): void {
    const bits = value | 0;
    const {buffer, length} = this;
    buffer[length] = bits;
    buffer[length + 1] = bits >>> 8;
    buffer[length + 2] = bits >>> 16;
    buffer[length + 3] = bits >>> 24;
    this.length = length + 4;
  }

  double(tag: number, value: number): void {
    this.reserve(9);
    this.buffer[this.length] = tag;
    this.buffer.writeDoubleLE(value, this.length + 1);
    this.length += 9;
  }

  /** Bytes of `text` in UTF-8; the length of the text when all of it is ASCII. */
  static utf8Size(text: string): number {
    const n = text.length;
    if (n > SHORT) return Buffer.byteLength(text);
    for (let i = 0; i < n; i++) if (text.charCodeAt(i) > 127) return Buffer.byteLength(text);
    return n;
  }

  /** The characters of a text whose size is known. */
  utf8(text: string, size: number): void {
    this.reserve(size);
    if (size === text.length && size <= SHORT) {
      for (let i = 0; i < size; i++) this.buffer[this.length + i] = text.charCodeAt(i);
    } else this.buffer.write(text, this.length, size, 'utf8');
    this.length += size;
  }

  /** A string field. */
  text(tag: number, text: string): void {
    const size = ProtoWriter.utf8Size(text);
    this.byte(tag);
    this.varint(size);
    this.utf8(text, size);
  }

  /** AnyValue, without its tag and length. */
  #any(value: unknown): void {
    switch (typeof value) {
      case 'string':
        this.text(0x0a, value);
        return;
      case 'boolean':
        this.byte(0x10);
        this.byte(value ? 1 : 0);
        return;
      case 'number':
        if (Number.isSafeInteger(value)) {
          this.byte(0x18);
          this.int64(value);
        } else this.double(0x21, value);
        return;
      case 'bigint':
        this.text(0x0a, String(value));
        return;
      default:
        if (Array.isArray(value)) this.#list(value);
        else if (typeof value === 'object' && value !== null) this.text(0x0a, textOf(value));
    }
  }

  #list(values: readonly unknown[]): void {
    const list = this.begin(0x2a);
    for (const value of values) {
      const item = this.begin(0x0a);
      this.#any(value);
      this.end(item);
    }
    this.end(list);
  }

  /** An AnyValue field that holds a string. */
  stringField(tag: number, text: string): void {
    const size = ProtoWriter.utf8Size(text);
    this.byte(tag);
    this.varint(1 + varintSize(size) + size);
    this.byte(0x0a);
    this.varint(size);
    this.utf8(text, size);
  }

  /** A KeyValue field; `key` is from encodeKey. */
  attribute(tag: number, key: Buffer, value: unknown): void {
    if (typeof value === 'number' && value >= 0 && Number.isSafeInteger(value)) {
      const any = 1 + varintSize(value);
      this.byte(tag);
      this.varint(key.length + 2 + any);
      this.bytes(key);
      this.byte(0x12);
      this.varint(any);
      this.byte(0x18);
      this.varint(value);
      return;
    }
    if (typeof value === 'string') {
      if (value.length <= SHORT && this.#shortAttribute(tag, key, value)) return;
      const size = ProtoWriter.utf8Size(value);
      const any = 1 + varintSize(size) + size;
      this.byte(tag);
      this.varint(key.length + 1 + varintSize(any) + any);
      this.bytes(key);
      this.byte(0x12);
      this.varint(any);
      this.byte(0x0a);
      this.varint(size);
      this.utf8(value, size);
      return;
    }
    const pair = this.begin(tag);
    this.bytes(key);
    this.anyField(0x12, value);
    this.end(pair);
  }

  /** A short text, taken for ASCII until a character shows that it is none: false then, and nothing is written. */
  #shortAttribute(tag: number, key: Buffer, text: string): boolean {
    const n = text.length;
    const before = this.length;
    // Lengths up to SHORT take one byte each.
    this.reserve(n + 16);
    this.buffer[this.length++] = tag;
    this.varint(key.length + n + 4);
    this.bytes(key);
    this.reserve(n + 4);
    const {buffer} = this;
    let at = this.length;
    buffer[at++] = 0x12;
    buffer[at++] = n + 2;
    buffer[at++] = 0x0a;
    buffer[at++] = n;
    let all = 0;
    for (let i = 0; i < n; i++) {
      const c = text.charCodeAt(i);
      all |= c;
      buffer[at++] = c;
    }
    this.length = all < 128 ? at : before;
    return all < 128;
  }

  /** An AnyValue field. */
  anyField(tag: number, value: unknown): void {
    const any = this.begin(tag);
    this.#any(value);
    this.end(any);
  }
}

/** Where the field that begins at `at`, of a length written by ProtoWriter.begin, ends. */
export function fieldEnd(bytes: Uint8Array, at: number): number {
  let length = 0;
  for (let i = LENGTH_BYTES; i > 0; i--) length = length * 128 + (bytes[at + i]! & 127);
  return at + 1 + LENGTH_BYTES + length;
}

/** Fields of a message: number -> values, lengths as bytes, the rest as numbers. Stops at damage. */
export function readMessage(bytes: Uint8Array): Map<number, (number | Uint8Array)[]> {
  const fields = new Map<number, (number | Uint8Array)[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; at < bytes.length; shift *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
    return value;
  };
  while (at < bytes.length) {
    const tag = varint();
    const wire = tag & 7;
    let value: number | Uint8Array;
    if (wire === 0) value = varint();
    else if (wire === 2) {
      const length = varint();
      if (at + length > bytes.length) break;
      value = bytes.subarray(at, at + length);
      at += length;
    } else if (wire === 1 || wire === 5) {
      const size = wire === 1 ? 8 : 4;
      value = bytes.subarray(at, at + size);
      at += size;
    } else break;
    const field = Math.floor(tag / 8);
    const list = fields.get(field);
    if (list === undefined) fields.set(field, [value]);
    else list.push(value);
  }
  return fields;
}
