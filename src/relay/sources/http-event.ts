// SPDX-License-Identifier: Apache-2.0
/**
 * http.req and http.resp of HTTP/1 as events that render their own line: what a head contributes is rendered once for
 * all messages with the same head, what a connection contributes once for the connection.
 */
import {ByteWriter} from '../../records/byte-writer.js';
import type {LineWriter, Process} from '../../records/types.js';
import type {Exchange, Seen} from './http-exchange.js';
import {type Request, type Response, schemeOf} from './http-message.js';
import {LineEvent, type LineParts, LineSource} from './line-event.js';

/** Members of `data` that a connection contributes. */
export interface Address {
  fields: Readonly<Record<string, unknown>>;
  /** Each with a comma before it. */
  bytes: Buffer;
}

export const NO_ADDRESS: Address = {fields: {}, bytes: Buffer.alloc(0)};

const END = Buffer.from('}}}\n');

/** `,"a":1,"b":2` or, without the leading comma, `"a":1,"b":2`. */
function members(fields: Readonly<Record<string, unknown>>, comma: boolean): Buffer {
  const out = new ByteWriter(512);
  out.object(fields as Record<string, unknown>);
  const inner = out.view().subarray(1, -1);
  return inner.length === 0 ? inner : Buffer.concat([comma ? Buffer.from(',') : Buffer.alloc(0), inner]);
}

export function addressOf(fields: Readonly<Record<string, unknown>>): Address {
  return {fields, bytes: members(fields, true)};
}

/** What of a request's members is not in the start line. */
function requestTail(request: Request): Record<string, unknown> {
  const tail: Record<string, unknown> = {...request.shown};
  if (request.contentLength > 0) tail.http_request_content_length = request.contentLength;
  return tail;
}

function responseTail(response: Response): Record<string, unknown> {
  const tail: Record<string, unknown> = {...response.shown};
  if (response.contentLength > 0) tail.http_response_content_length = response.contentLength;
  return tail;
}

/** `data` of an http.req. */
export function requestData(request: Request, tls: boolean, address: Address): Record<string, unknown> {
  return {
    http_method: request.method,
    http_target: request.target,
    http_flavor: request.flavor,
    http_scheme: schemeOf(request, tls),
    ...requestTail(request),
    ...address.fields,
  };
}

function responseStart(exchange: Exchange): Record<string, unknown> {
  const {message} = exchange.response;
  return {
    http_flavor: message.flavor,
    http_status_code: message.status,
    http_status_text: message.reason,
  };
}

export function durationName(exchange: Exchange): string {
  return exchange.role === 'server' ? 'http_server_duration' : 'http_client_duration';
}

/** `data` of an http.resp. */
export function responseData(
  exchange: Exchange,
  duration: number,
  address: Address,
): Record<string, unknown> {
  const request = exchange.request?.message;
  return {
    ...(request === undefined ? {} : askedFor(request, exchange.tls)),
    ...responseStart(exchange),
    [durationName(exchange)]: duration,
    ...(request === undefined ? {} : requestTail(request)),
    ...responseTail(exchange.response.message),
    ...address.fields,
  };
}

function askedFor(request: Request, tls: boolean): Record<string, unknown> {
  return {http_method: request.method, http_target: request.target, http_scheme: schemeOf(request, tls)};
}

/** Rendered parts of a request, for plain and for TLS connections. */
interface RequestParts {
  /** All members of an http.req but the address. */
  whole: Buffer;
  /** Those an http.resp begins with, and a comma. */
  asked: Buffer;
  /** Those behind its duration. */
  tail: Buffer;
}

interface ResponseParts {
  /** Up to the value of the duration. */
  start: Buffer;
  tail: Buffer;
}

const requestParts = [new WeakMap<Request, RequestParts>(), new WeakMap<Request, RequestParts>()] as const;
const responseParts = {
  server: new WeakMap<Response, ResponseParts>(),
  client: new WeakMap<Response, ResponseParts>(),
};

function partsOfRequest(request: Request, tls: boolean): RequestParts {
  const kept = requestParts[tls ? 1 : 0];
  let parts = kept.get(request);
  if (parts === undefined) {
    parts = {
      whole: members(requestData(request, tls, NO_ADDRESS), false),
      asked: Buffer.concat([members(askedFor(request, tls), false), Buffer.from(',')]),
      tail: members(requestTail(request), true),
    };
    kept.set(request, parts);
  }
  return parts;
}

function partsOfResponse(exchange: Exchange): ResponseParts {
  const {message} = exchange.response;
  const kept = responseParts[exchange.role];
  let parts = kept.get(message);
  if (parts === undefined) {
    const start = members(responseStart(exchange), false);
    parts = {
      start: Buffer.concat([start, Buffer.from(`,"${durationName(exchange)}":`)]),
      tail: members(responseTail(message), true),
    };
    kept.set(message, parts);
  }
  return parts;
}

export class HttpParts implements LineParts {
  readonly process: Process;
  readonly channelPrefix: string;
  readonly request: LineSource;
  readonly response: LineSource;

  constructor(process: Process, channelPrefix: string) {
    this.process = process;
    this.channelPrefix = channelPrefix;
    this.request = new LineSource(this, 'http', 'http.req', '{');
    this.response = new LineSource(this, 'http', 'http.resp', '{');
  }
}

abstract class HttpEvent extends LineEvent<HttpParts> {
  readonly sourcetype = 'http';
  protected readonly address: Address;

  constructor(parts: HttpParts, time: number, object: number, address: Address) {
    super(parts, time, object);
    this.address = address;
  }
}

export class RequestEvent extends HttpEvent {
  readonly source = 'http.req';
  readonly #request: Request;
  readonly #tls: boolean;

  constructor(parts: HttpParts, seen: Seen<Request>, tls: boolean, object: number, address: Address) {
    super(parts, seen.time, object, address);
    this.#request = seen.message;
    this.#tls = tls;
  }

  get data(): Record<string, unknown> {
    return requestData(this.#request, this.#tls, this.address);
  }

  writeLine(out: LineWriter): void {
    this.parts.request.begin(out, this.object, this.time);
    out.bytes(partsOfRequest(this.#request, this.#tls).whole);
    out.bytes(this.address.bytes);
    out.bytes(END);
  }
}

export class ResponseEvent extends HttpEvent {
  readonly source = 'http.resp';
  readonly #exchange: Exchange;
  readonly #duration: number;

  constructor(parts: HttpParts, exchange: Exchange, duration: number, object: number, address: Address) {
    super(parts, exchange.response.time, object, address);
    this.#exchange = exchange;
    this.#duration = duration;
  }

  get data(): Record<string, unknown> {
    return responseData(this.#exchange, this.#duration, this.address);
  }

  writeLine(out: LineWriter): void {
    const exchange = this.#exchange;
    const request = exchange.request?.message;
    const response = partsOfResponse(exchange);
    this.parts.response.begin(out, this.object, this.time);
    if (request === undefined) {
      out.bytes(response.start);
      out.number(this.#duration);
    } else {
      const asked = partsOfRequest(request, exchange.tls);
      out.bytes(asked.asked);
      out.bytes(response.start);
      out.number(this.#duration);
      out.bytes(asked.tail);
    }
    out.bytes(response.tail);
    out.bytes(this.address.bytes);
    out.bytes(END);
  }
}
