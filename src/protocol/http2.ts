// SPDX-License-Identifier: Apache-2.0
/**
 * HTTP/2 (RFC 9113): frames of both directions of one connection → header lists, data lengths, resets.
 * The frames come without the payload of DATA. Tolerant of connections joined late. No I/O.
 */
import {type HeaderField, HpackDecoder, HpackError, type SavedTable} from './hpack.js';

/** Sender's side of the connection as seen by the observed process. */
export type Direction = 'rx' | 'tx';

export interface Http2Headers {
  kind: 'headers';
  direction: Direction;
  stream: number;
  /** By pseudo fields: a request has `:method`, a response `:status`; 1xx are `informational`. */
  role: 'request' | 'response' | 'informational' | 'trailers';
  frame: 'HEADERS' | 'PUSH_PROMISE';
  /** PUSH_PROMISE: the stream its response will come on; otherwise `stream`. */
  onStream: number;
  fields: HeaderField[];
  end: boolean;
}

export interface Http2Data {
  kind: 'data';
  direction: Direction;
  stream: number;
  /** Payload bytes of the frame, padding included. */
  bytes: number;
  end: boolean;
}

export interface Http2Reset {
  kind: 'reset';
  direction: Direction;
  stream: number;
  code: number;
}

export interface Http2GoAway {
  kind: 'goaway';
  direction: Direction;
  lastStream: number;
  code: number;
}

export type Http2Message = Http2Headers | Http2Data | Http2Reset | Http2GoAway;

const FRAME_HEADER = 9;
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const PUSH_PROMISE = 5;
const GOAWAY = 7;
const CONTINUATION = 9;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;
const PADDED = 0x8;
const PRIORITY = 0x20;
/** Bytes of one header block, CONTINUATION frames included. */
const BLOCK_CAP = 256 * 1024;

/** A header block that goes on in CONTINUATION frames. */
interface OpenBlock {
  stream: number;
  onStream: number;
  frame: 'HEADERS' | 'PUSH_PROMISE';
  end: boolean;
  parts: Buffer[];
  size: number;
}

interface Side {
  hpack: HpackDecoder;
  open?: OpenBlock;
}

/** Header tables of a connection, as JSON can hold them. */
export type SavedTables = Partial<Record<Direction, SavedTable>>;

/** The two header tables and the open header blocks of one connection. */
export class Http2Connection {
  readonly #sides: Record<Direction, Side> = {
    rx: {hpack: new HpackDecoder()},
    tx: {hpack: new HpackDecoder()},
  };
  /** Frames or blocks that broke the RFC; the connection is read on as if joined late. */
  errors = 0;

  /** Bytes of this direction were lost: its table starts anew. */
  lost(direction: Direction): void {
    const side = this.#sides[direction];
    side.hpack.forget();
    side.open = undefined;
  }

  /** Bytes of the two header tables. */
  get tableSize(): number {
    return this.#sides.rx.hpack.tableSize + this.#sides.tx.hpack.tableSize;
  }

  /** The header tables. A direction that is inside a header block is left out: it goes on as after a loss. */
  save(): SavedTables {
    const saved: SavedTables = {};
    for (const direction of ['rx', 'tx'] as const) {
      const {hpack, open} = this.#sides[direction];
      if (open === undefined) saved[direction] = hpack.save();
    }
    return saved;
  }

  restore(saved: SavedTables): void {
    for (const direction of ['rx', 'tx'] as const) {
      const table = saved[direction];
      if (table !== undefined) this.#sides[direction].hpack.restore(table);
    }
  }

  /** Takes whole frames, those of DATA cut to their header. */
  feed(bytes: Buffer, direction: Direction): Http2Message[] {
    const messages: Http2Message[] = [];
    let at = 0;
    while (at + FRAME_HEADER <= bytes.length) {
      const length = bytes.readUIntBE(at, 3);
      const type = bytes[at + 3]!;
      const start = at + FRAME_HEADER;
      const end = type === DATA ? start : start + length;
      if (end > bytes.length) {
        this.#fail(direction);
        break;
      }
      this.#frame(messages, direction, {
        type,
        flags: bytes[at + 4]!,
        stream: bytes.readUInt32BE(at + 5) & 0x7fffffff,
        length,
        payload: bytes.subarray(start, end),
      });
      at = end;
    }
    return messages;
  }

  #frame(out: Http2Message[], direction: Direction, frame: Frame): void {
    const {stream, flags} = frame;
    switch (frame.type) {
      case DATA:
        if (stream === 0) break;
        out.push({kind: 'data', direction, stream, bytes: frame.length, end: (flags & END_STREAM) !== 0});
        break;
      case HEADERS:
      case PUSH_PROMISE:
        this.#begin(out, direction, frame);
        break;
      case CONTINUATION:
        this.#continue(out, direction, frame);
        break;
      case RST_STREAM:
        if (frame.payload.length === 4) {
          out.push({kind: 'reset', direction, stream, code: frame.payload.readUInt32BE(0)});
        }
        break;
      case GOAWAY:
        if (frame.payload.length >= 8) {
          const lastStream = frame.payload.readUInt32BE(0) & 0x7fffffff;
          out.push({kind: 'goaway', direction, lastStream, code: frame.payload.readUInt32BE(4)});
        }
        break;
    }
  }

  #begin(out: Http2Message[], direction: Direction, frame: Frame): void {
    const block = headerBlock(frame);
    if (block === undefined || frame.stream === 0) {
      this.#fail(direction);
      return;
    }
    const open: OpenBlock = {
      stream: frame.stream,
      onStream: block.promised ?? frame.stream,
      frame: frame.type === HEADERS ? 'HEADERS' : 'PUSH_PROMISE',
      end: frame.type === HEADERS && (frame.flags & END_STREAM) !== 0,
      parts: [block.bytes],
      size: block.bytes.length,
    };
    if (frame.flags & END_HEADERS) this.#finish(out, direction, open);
    else this.#sides[direction].open = copyOf(open);
  }

  #continue(out: Http2Message[], direction: Direction, frame: Frame): void {
    const side = this.#sides[direction];
    const open = side.open;
    if (open === undefined || open.stream !== frame.stream) {
      this.#fail(direction);
      return;
    }
    open.size += frame.payload.length;
    if (open.size > BLOCK_CAP) {
      this.#fail(direction);
      return;
    }
    open.parts.push(Buffer.from(frame.payload));
    if (frame.flags & END_HEADERS) this.#finish(out, direction, open);
  }

  #finish(out: Http2Message[], direction: Direction, open: OpenBlock): void {
    const side = this.#sides[direction];
    side.open = undefined;
    let fields: HeaderField[];
    try {
      fields = side.hpack.decode(open.parts.length === 1 ? open.parts[0]! : Buffer.concat(open.parts));
    } catch (error) {
      if (!(error instanceof HpackError)) throw error;
      this.#fail(direction);
      return;
    }
    const {stream, onStream, frame, end} = open;
    out.push({kind: 'headers', direction, stream, onStream, frame, role: roleOf(fields), fields, end});
  }

  #fail(direction: Direction): void {
    this.errors++;
    this.lost(direction);
  }
}

interface Frame {
  type: number;
  flags: number;
  stream: number;
  length: number;
  payload: Buffer;
}

/** The block that outlives the call owns its bytes. */
function copyOf(open: OpenBlock): OpenBlock {
  return {...open, parts: open.parts.map((part) => Buffer.from(part))};
}

function headerBlock(frame: Frame): {bytes: Buffer; promised?: number} | undefined {
  const {payload, flags} = frame;
  let start = 0;
  let padding = 0;
  if (flags & PADDED) {
    if (payload.length === 0) return undefined;
    padding = payload[0]!;
    start = 1;
  }
  let promised: number | undefined;
  if (frame.type === PUSH_PROMISE) {
    if (payload.length < start + 4) return undefined;
    promised = payload.readUInt32BE(start) & 0x7fffffff;
    start += 4;
  } else if (flags & PRIORITY) {
    start += 5;
  }
  const end = payload.length - padding;
  if (start > end) return undefined;
  return {bytes: payload.subarray(start, end), promised};
}

function roleOf(fields: readonly HeaderField[]): Http2Headers['role'] {
  for (const [name, value] of fields) {
    if (name[0] !== ':') break;
    if (name === ':method') return 'request';
    if (name === ':status') return value[0] === '1' ? 'informational' : 'response';
  }
  return 'trailers';
}
