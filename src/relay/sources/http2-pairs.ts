// SPDX-License-Identifier: Apache-2.0
/** One HTTP/2 connection: requests and responses by stream; gRPC answers end with their trailers. */
import {MESSAGE_FLAG, REC_FLAG, type RecordCursor} from '../../channel/index.js';
import {
  type Direction,
  Http2Connection,
  type Http2Headers,
  type Http2Message,
  type SavedTables,
} from '../../protocol/http2.js';
import type {Matcher} from '../settings.js';
import type {Exchange, ExchangeSink, Role, Seen} from './http-exchange.js';
import {grpcStatusOf, http2Request, http2Response, type Request} from './http-message.js';

/** Streams that may be open at once; the oldest is given up beyond. */
const STREAM_CAP = 4096;

interface Stream {
  request: Seen<Request> | undefined;
  exchange: Exchange | undefined;
  /** The event waits for the trailers. */
  held: boolean;
  /** The answer came before the record of its request, which another thread makes. */
  early: boolean;
  /** An early answer has ended. */
  over: boolean;
  bytes: number;
}

/** A connection as JSON can hold it. */
export interface SavedHttp2 {
  tables: SavedTables;
  streams: [id: number, stream: Stream][];
}

export class Http2Pairs {
  readonly #object: number;
  readonly #sink: ExchangeSink;
  readonly #headers: readonly Matcher[];
  readonly #connection = new Http2Connection();
  readonly #streams = new Map<number, Stream>();
  /** Streams whose answer is early, the earliest first. */
  readonly #early = new Set<number>();

  constructor(object: number, sink: ExchangeSink, headers: readonly Matcher[], upgraded?: Seen<Request>) {
    this.#object = object;
    this.#sink = sink;
    this.#headers = headers;
    if (upgraded !== undefined) this.#stream(1).request = upgraded;
  }

  frames(record: RecordCursor, time: number): void {
    const direction: Direction = record.flags & REC_FLAG.TX ? 'tx' : 'rx';
    const tls = (record.flags & REC_FLAG.TLS) !== 0;
    const server = (record.flags & REC_FLAG.SERVER) !== 0;
    const client = (record.flags & REC_FLAG.CLIENT) !== 0;
    if (record.message().flags & MESSAGE_FLAG.SYNC) this.#connection.lost(direction);
    for (const message of this.#connection.feed(record.data(), direction)) {
      const role = server || client ? (server ? 'server' : 'client') : guessRole(message, direction);
      this.#message(message, role, tls, time);
    }
  }

  /** What is in the tables and streams, in bytes and number: both are bounded by who saves. */
  get weight(): {bytes: number; streams: number} {
    return {bytes: this.#connection.tableSize, streams: this.#streams.size};
  }

  save(): SavedHttp2 {
    return {tables: this.#connection.save(), streams: [...this.#streams]};
  }

  restore(saved: SavedHttp2): void {
    this.#connection.restore(saved.tables);
    for (const [id, stream] of saved.streams) {
      this.#streams.set(id, stream);
      if (stream.early) this.#early.add(id);
    }
  }

  /** Answers whose request did not come within a while are given alone. True: others wait still. */
  giveUp(before: number): boolean {
    for (const id of this.#early) {
      const stream = this.#streams.get(id)!;
      if (stream.exchange!.response.time >= before) break;
      this.#settle(id, stream);
    }
    return this.#early.size > 0;
  }

  close(): void {
    for (const id of this.#early) this.#settle(id, this.#streams.get(id)!);
    for (const [id, stream] of this.#streams) this.#end(id, stream, undefined);
  }

  #message(message: Http2Message, role: Role, tls: boolean, time: number): void {
    switch (message.kind) {
      case 'headers':
        this.#fields(message, role, tls, time);
        break;
      case 'data': {
        const stream = this.#streams.get(message.stream);
        if (stream?.exchange === undefined || !isAnswer(message.direction, role)) break;
        stream.bytes += message.bytes;
        if (message.end) this.#end(message.stream, stream, time);
        break;
      }
      case 'reset': {
        const stream = this.#streams.get(message.stream);
        if (stream === undefined) break;
        if (stream.held) stream.exchange!.response.message.grpcStatus ??= statusOfReset(message.code);
        this.#end(message.stream, stream, time);
        break;
      }
    }
  }

  #fields(message: Http2Headers, role: Role, tls: boolean, time: number): void {
    if (message.role === 'request') {
      const request: Seen<Request> = {message: http2Request(message, this.#headers), time};
      const stream = this.#stream(message.onStream);
      stream.request = request;
      this.#sink.request(this.#object, message.onStream, tls, request);
      if (stream.early) this.#settle(message.onStream, stream);
    } else if (message.role === 'response') {
      this.#response(message, role, tls, time);
    } else if (message.role === 'trailers') {
      const stream = this.#streams.get(message.stream);
      if (stream?.exchange === undefined || !isAnswer(message.direction, role)) return;
      stream.exchange.response.message.grpcStatus ??= grpcStatusOf(message);
      if (message.end) this.#end(message.stream, stream, time);
    }
  }

  #response(message: Http2Headers, role: Role, tls: boolean, time: number): void {
    const stream = this.#stream(message.stream);
    const exchange: Exchange = {
      object: this.#object,
      role,
      tls,
      stream: message.stream,
      request: stream.request,
      response: {message: http2Response(message, this.#headers), time},
      body: undefined,
      endTime: undefined,
    };
    stream.exchange = exchange;
    if (stream.request === undefined) {
      stream.early = true;
      this.#early.add(message.stream);
    } else {
      stream.held = stream.request.message.grpc && !message.end;
      if (!stream.held) this.#sink.response(exchange);
    }
    if (message.end) this.#end(message.stream, stream, time);
  }

  /** An early answer waits no longer: its request is there, or will not come. */
  #settle(id: number, stream: Stream): void {
    const {request, over} = stream;
    const exchange = stream.exchange!;
    this.#early.delete(id);
    stream.early = false;
    if (request !== undefined) {
      exchange.request = {message: request.message, time: Math.min(request.time, exchange.response.time)};
      stream.held = request.message.grpc && !over;
    }
    if (!stream.held) this.#sink.response(exchange);
    if (!over) return;
    this.#streams.delete(id);
    this.#sink.end(exchange);
  }

  #end(id: number, stream: Stream, time: number | undefined): void {
    const {exchange} = stream;
    if (exchange !== undefined && stream.early) {
      stream.over = true;
      exchange.body = stream.bytes;
      exchange.endTime = time;
      return;
    }
    this.#streams.delete(id);
    if (exchange === undefined) return;
    if (stream.held) {
      // The answer of an RPC is its last message: it is timed to its end.
      if (time !== undefined) exchange.response.time = time;
      this.#sink.response(exchange);
    }
    exchange.body = stream.bytes;
    exchange.endTime = time;
    this.#sink.end(exchange);
  }

  #stream(id: number): Stream {
    let stream = this.#streams.get(id);
    if (stream === undefined) {
      if (this.#streams.size >= STREAM_CAP) {
        const [oldest, given] = this.#streams.entries().next().value!;
        if (given.early) this.#settle(oldest, given);
        if (this.#streams.has(oldest)) this.#end(oldest, given, undefined);
      }
      stream = {request: undefined, exchange: undefined, held: false, early: false, over: false, bytes: 0};
      this.#streams.set(id, stream);
    }
    return stream;
  }
}

/** What gRPC says of a call that ended with RST_STREAM, by its error code: CANCELLED, UNAVAILABLE … else INTERNAL. */
const RESET_STATUS: ReadonlyMap<number, number> = new Map([
  [7, 14],
  [8, 1],
  [11, 8],
  [12, 7],
]);

function statusOfReset(code: number): number {
  return RESET_STATUS.get(code) ?? 13;
}

/** Whether bytes of this direction are of responses. */
function isAnswer(direction: Direction, role: Role): boolean {
  return (direction === 'tx') === (role === 'server');
}

/** A request that is sent is a client's. Only used when the socket did not tell. */
function guessRole(message: Http2Message, direction: Direction): Role {
  const isRequest = message.kind === 'headers' && message.role === 'request';
  return isRequest === (direction === 'tx') ? 'client' : 'server';
}
