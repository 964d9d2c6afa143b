// SPDX-License-Identifier: Apache-2.0
/** HTTP: pairs requests and responses of each connection, in order (HTTP/1) or by stream (HTTP/2). */
import {MESSAGE_FLAG, REC, REC_FLAG, type RecordCursor} from '../../channel/index.js';
import {parseHeadText} from '../../protocol/http1.js';
import {detected} from './detect.js';
import {type Exchange, ExchangeSink, type Role, type SavedSums, type Seen} from './http-exchange.js';
import {type Parsed, parsedOf, type Request} from './http-message.js';
import {Http1Pairs} from './http1-pairs.js';
import {Http2Pairs, type SavedHttp2} from './http2-pairs.js';
import type {Image, Source, SourceKind} from './source.js';

/** Heads of this length at most are remembered by their bytes: a busy server sends the same few. */
const CACHED_HEAD = 2048;
const CACHED_HEADS = 1024;

/** Connections of one image that are remembered. */
const CONNECTIONS = 100_000;
/** So long a response waits for the record of its request. */
const EARLY_SECONDS = 2;

/** HTTP/2 connections of one image that are saved, the bytes of their header tables, and their open streams: at most. */
const SAVED = {connections: 256, bytes: 512 * 1024, streams: 4096};

/** What is beyond SAVED is read on as if joined late. */
interface Saved {
  sums: SavedSums;
  pending: [object: number, requests: readonly Seen<Request>[]][];
  early: [object: number, exchanges: readonly Exchange[]][];
  http2: [object: number, connection: SavedHttp2][];
}

const NO_BYTES = new DataView(new ArrayBuffer(0));

interface LastHead {
  bytes: DataView;
  parsed: Parsed | undefined;
}

class HttpSource implements Source {
  readonly #image: Image;
  readonly #sink: ExchangeSink;
  readonly #http1 = new Map<number, Http1Pairs>();
  readonly #http2 = new Map<number, Http2Pairs>();
  /** Head → what it says; undefined: no head. */
  readonly #heads = new Map<string, Parsed | undefined>();

  readonly #sent: LastHead = {bytes: NO_BYTES, parsed: undefined};
  readonly #received: LastHead = {bytes: NO_BYTES, parsed: undefined};

  constructor(image: Image) {
    this.#image = image;
    this.#sink = new ExchangeSink(image);
  }

  record(record: RecordCursor): void {
    switch (record.type) {
      case REC.HTTP1:
        this.#head(record);
        break;
      case REC.HTTP1_END:
        this.#http1.get(record.object)?.bodyEnd(record, this.#time(record));
        break;
      case REC.HTTP2:
        this.#frames(record);
        break;
      case REC.WEBSOCKET:
        this.#image.protocols.set(record.object, 'WEBSOCKET');
        break;
      case REC.CONN_CLOSE:
        this.#close(record.object);
        break;
    }
  }

  flush(now: number): boolean {
    let waiting = false;
    for (const pairs of this.#http1.values()) waiting = pairs.giveUp(now - EARLY_SECONDS) || waiting;
    for (const pairs of this.#http2.values()) waiting = pairs.giveUp(now - EARLY_SECONDS) || waiting;
    return waiting;
  }

  save(): Saved {
    const pending: Saved['pending'] = [];
    const early: Saved['early'] = [];
    for (const [object, pairs] of this.#http1) {
      if (pairs.pending.length > 0) pending.push([object, pairs.pending]);
      if (pairs.early.length > 0) early.push([object, pairs.early]);
    }
    return {sums: this.#sink.save(), pending, early, http2: this.#saveHttp2()};
  }

  /** The connections that lived longest: they are the ones with much to lose. */
  #saveHttp2(): Saved['http2'] {
    const saved: Saved['http2'] = [];
    let [bytes, streams] = [0, 0];
    for (const [object, pairs] of this.#http2) {
      const {weight} = pairs;
      bytes += weight.bytes;
      streams += weight.streams;
      if (saved.length >= SAVED.connections || bytes > SAVED.bytes || streams > SAVED.streams) break;
      saved.push([object, pairs.save()]);
    }
    return saved;
  }

  restore(saved: unknown): void {
    const {sums, pending, early = [], http2 = []} = saved as Partial<Saved> & Pick<Saved, 'sums' | 'pending'>;
    this.#sink.restore(sums);
    for (const [object, requests] of pending) this.#restored(object).pending = requests;
    for (const [object, exchanges] of early) this.#restored(object).early = exchanges;
    for (const [object, connection] of http2) {
      const pairs = new Http2Pairs(object, this.#sink, this.#image.settings.events.headers);
      pairs.restore(connection);
      this.#http2.set(object, pairs);
      this.#image.protocols.set(object, 'HTTP');
    }
  }

  #restored(object: number): Http1Pairs {
    let pairs = this.#http1.get(object);
    if (pairs === undefined) {
      pairs = new Http1Pairs(object, this.#sink);
      this.#http1.set(object, pairs);
      this.#image.protocols.set(object, 'HTTP');
    }
    return pairs;
  }

  report(now: number, final: boolean): void {
    if (final) for (const object of [...this.#http1.keys(), ...this.#http2.keys()]) this.#close(object);
    this.#sink.report(now);
  }

  /** What is sent counts from the call's begin, what is received from its return. */
  #time(record: RecordCursor): number {
    if (record.flags & REC_FLAG.TX && record.ticks > 0) {
      return this.#image.channel.seconds(record.tsc - record.ticks);
    }
    return this.#image.time(record);
  }

  #head(record: RecordCursor): void {
    const parsed = this.#parse(record);
    if (parsed === undefined) return;
    let pairs = this.#http1.get(record.object);
    if (pairs === undefined) {
      this.#makeRoom(this.#http1);
      pairs = new Http1Pairs(record.object, this.#sink);
      this.#http1.set(record.object, pairs);
      detected(this.#image, record, 'HTTP');
    }
    const isRequest = 'request' in parsed;
    const tls = (record.flags & REC_FLAG.TLS) !== 0;
    const time = this.#time(record);
    const role = roleOf(record, isRequest);
    if (isRequest) pairs.request(parsed.request, role, tls, time);
    else {
      const message = record.message();
      const whole = (message.flags & MESSAGE_FLAG.END) !== 0;
      const late = (message.flags & MESSAGE_FLAG.SYNC) !== 0;
      pairs.response(parsed.response, role, tls, time, late, whole ? message.body : undefined);
    }
  }

  /** The head before often comes again: comparing its bytes is faster than finding its text. */
  #parse(record: RecordCursor): Parsed | undefined {
    const last = record.flags & REC_FLAG.TX ? this.#sent : this.#received;
    if (record.holds(last.bytes)) return last.parsed;
    last.parsed = this.#find(record);
    last.bytes = new DataView(Uint8Array.from(record.data()).buffer);
    return last.parsed;
  }

  #find(record: RecordCursor): Parsed | undefined {
    const text = record.data().toString('latin1');
    const known = this.#heads.get(text);
    if (known !== undefined) return known;
    const head = parseHeadText(text);
    const parsed = head === undefined ? undefined : parsedOf(head, this.#image.settings.events.headers);
    if (text.length <= CACHED_HEAD) {
      if (this.#heads.size >= CACHED_HEADS) this.#heads.clear();
      this.#heads.set(text, parsed);
    }
    return parsed;
  }

  #frames(record: RecordCursor): void {
    let pairs = this.#http2.get(record.object);
    if (pairs === undefined) {
      const upgraded = this.#http1.get(record.object)?.upgraded;
      this.#makeRoom(this.#http2);
      pairs = new Http2Pairs(record.object, this.#sink, this.#image.settings.events.headers, upgraded);
      this.#http2.set(record.object, pairs);
      detected(this.#image, record, 'HTTP');
    }
    pairs.frames(record, this.#time(record));
  }

  /** Connections whose close was lost must not pile up: the oldest goes. */
  #makeRoom(map: ReadonlyMap<number, unknown>): void {
    if (map.size >= CONNECTIONS) this.#close(map.keys().next().value!);
  }

  #close(object: number): void {
    this.#http1.get(object)?.close();
    this.#http2.get(object)?.close();
    this.#http1.delete(object);
    this.#http2.delete(object);
    this.#sink.forget(object);
  }
}

/** By what the socket did, else by the way the message went. */
export function roleOf(record: RecordCursor, isRequest: boolean): Role {
  if (record.flags & REC_FLAG.SERVER) return 'server';
  if (record.flags & REC_FLAG.CLIENT) return 'client';
  return isRequest === ((record.flags & REC_FLAG.TX) !== 0) ? 'client' : 'server';
}

export const httpSource: SourceKind = {
  name: 'http',
  types: () => [REC.HTTP1, REC.HTTP1_END, REC.HTTP2, REC.WEBSOCKET, REC.CONN_CLOSE],
  create: (image) =>
    image.wantsEvent('http') || image.wantsSum('http.req') || image.settings.spans
      ? new HttpSource(image)
      : undefined,
};
