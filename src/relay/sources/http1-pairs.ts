// SPDX-License-Identifier: Apache-2.0
/** One HTTP/1 connection: responses answer requests in order. */
import type {RecordCursor} from '../../channel/index.js';
import type {Exchange, ExchangeSink, Role, Seen} from './http-exchange.js';
import type {Request, Response} from './http-message.js';

/** Requests that may wait for their responses; older ones are given up. */
const PENDING_CAP = 1024;
/**
 * Plaintext has the time when the TLS library's call returned, the response that of its arrival: another thread can have
 * received it so many seconds before, at most. Without this, every later response got the request before its own.
 */
const TLS_RETURN = 0.5;

export class Http1Pairs {
  readonly #object: number;
  readonly #sink: ExchangeSink;
  #pending: Seen<Request>[] = [];
  /** Responses whose request another thread has not recorded yet. */
  #early: Exchange[] = [];
  /** The last response, while its body goes on. */
  #open: Exchange | undefined;
  /** Set when the connection went over to h2c: the request that HTTP/2's stream 1 answers. */
  upgraded: Seen<Request> | undefined;

  constructor(object: number, sink: ExchangeSink) {
    this.#object = object;
    this.#sink = sink;
  }

  request(message: Request, role: Role, tls: boolean, time: number): void {
    const seen: Seen<Request> = {message, time};
    this.#sink.request(this.#object, undefined, tls, seen);
    const early = this.#earlyFor(tls ? time - TLS_RETURN : time);
    if (early !== undefined) {
      early.request = {message, time: Math.min(time, early.response.time)};
      early.role = role;
      this.#answer(early, early.body !== undefined);
      return;
    }
    if (this.#pending.length >= PENDING_CAP) this.#pending.shift();
    this.#pending.push(seen);
  }

  /** `late`: records before this one are missing; `body`: its length, when the whole message was seen. */
  response(
    message: Response,
    role: Role,
    tls: boolean,
    time: number,
    late: boolean,
    body: number | undefined,
  ): void {
    if (message.status < 200 && message.status !== 101) return;
    this.#finish(time);
    // Which of several this answers is unknown after a loss: the newest is the best guess.
    if (late && this.#pending.length > 1) this.#pending.splice(0, this.#pending.length - 1);
    const request = this.#pending.shift();
    if (message.status === 101 && message.upgrade === 'h2c') {
      this.upgraded = request;
      return;
    }
    const exchange: Exchange = {
      object: this.#object,
      role,
      tls,
      stream: undefined,
      request,
      response: {message, time},
      body,
      endTime: undefined,
    };
    if (request === undefined && !late) this.#early.push(exchange);
    else this.#answer(exchange, body !== undefined);
    if (this.#early.length > PENDING_CAP) this.#answer(this.#early.shift()!, true);
  }

  /** A response that came before the record of its request, which was sent before the response was received. */
  #earlyFor(asked: number): Exchange | undefined {
    let early = this.#early.shift();
    while (early !== undefined && early.response.time < asked) {
      this.#answer(early, true);
      early = this.#early.shift();
    }
    return early;
  }

  /** Responses whose request did not come within a while are given alone. True: others wait still. */
  giveUp(before: number): boolean {
    while (this.#early.length > 0 && this.#early[0]!.response.time < before)
      this.#answer(this.#early.shift()!, true);
    return this.#early.length > 0;
  }

  get pending(): readonly Seen<Request>[] {
    return this.#pending;
  }

  set pending(requests: readonly Seen<Request>[]) {
    this.#pending = [...requests];
  }

  get early(): readonly Exchange[] {
    return this.#early;
  }

  set early(exchanges: readonly Exchange[]) {
    this.#early = [...exchanges];
  }

  bodyEnd(record: RecordCursor, time: number): void {
    if (this.#open === undefined) return;
    this.#open.body = record.message().body;
    this.#finish(time);
  }

  close(): void {
    for (const exchange of this.#early) this.#answer(exchange, true);
    this.#early = [];
    this.#finish(undefined);
    this.#pending = [];
  }

  #answer(exchange: Exchange, whole: boolean): void {
    this.#sink.response(exchange);
    if (!this.#sink.wantsEnd) return;
    if (whole || !exchange.response.message.openEnd) this.#sink.end(exchange);
    else this.#open = exchange;
  }

  #finish(time: number | undefined): void {
    if (this.#open === undefined) return;
    this.#open.endTime = time;
    this.#sink.end(this.#open);
    this.#open = undefined;
  }
}
