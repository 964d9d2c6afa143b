// SPDX-License-Identifier: Apache-2.0
/** HTTP messages as the relay keeps them, whatever the version: what events, metrics and spans are made of. */
import {fieldOf, type Head, type RequestHead, type ResponseHead, responseBody} from '../../protocol/http1.js';
import type {Http2Headers} from '../../protocol/http2.js';
import {statusText} from '../../protocol/status.js';
import type {Matcher} from '../settings.js';

/** Members of `data` that stand for header fields, in the order of the message. */
export type ShownFields = Readonly<Record<string, string>>;

export interface Request {
  method: string;
  target: string;
  /** `1.0`, `1.1`, `2.0` */
  flavor: string;
  /** HTTP/2 says it itself; HTTP/1 knows by whether the bytes came from TLS. */
  scheme: string | undefined;
  shown: ShownFields;
  /** 0: none was sent. */
  contentLength: number;
  /** Names of an RPC: content type application/grpc. */
  grpc: boolean;
  traceparent: string | undefined;
  b3: string | undefined;
  /** HTTP/2: `HEADERS` or `PUSH_PROMISE`. */
  frame: string | undefined;
}

export interface Response {
  status: number;
  reason: string;
  flavor: string;
  shown: ShownFields;
  contentLength: number;
  /** Its length is only known at its end. */
  openEnd: boolean;
  grpcStatus: number | undefined;
  upgrade: string | undefined;
}

/** Scheme of a request: what it says itself, else what the connection is. */
export function schemeOf(request: Request, tls: boolean): string {
  return request.scheme ?? (tls ? 'https' : 'http');
}

/** Header fields that are shown under a name of their own, by their lower-case name. */
const REQUEST_NAMES: Readonly<Record<string, string>> = {
  host: 'http_host',
  ':authority': 'http_host',
  'user-agent': 'http_user_agent',
  'x-forwarded-for': 'http_client_ip',
  'x-appscope': 'x-appscope',
};
const RESPONSE_NAMES: Readonly<Record<string, string>> = {'x-appscope': 'x-appscope'};

/** Bytes that came as one character each, as the text they are when they are UTF-8. */
function readable(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 127) return Buffer.from(text, 'latin1').toString('utf8');
  }
  return text;
}

function addShown(
  shown: Record<string, string>,
  name: string,
  value: string,
  names: Readonly<Record<string, string>>,
  headers: readonly Matcher[],
): void {
  const own = names[name.toLowerCase()];
  if (own !== undefined) shown[own] ??= readable(value);
  else if (name[0] !== ':' && headers.length > 0 && headers.some((header) => header(`${name}: ${value}`))) {
    shown[name] = readable(value);
  }
}

function shownOf(
  fields: readonly string[],
  names: Readonly<Record<string, string>>,
  headers: readonly Matcher[],
): ShownFields {
  const shown: Record<string, string> = {};
  for (let i = 0; i < fields.length; i += 2) addShown(shown, fields[i]!, fields[i + 1]!, names, headers);
  return shown;
}

function isGrpc(contentType: string | undefined): boolean {
  return contentType?.startsWith('application/grpc') ?? false;
}

/** X-B3-* fields as the single `b3` value they are short for. */
function b3Of(get: (name: string) => string | undefined): string | undefined {
  const single = get('b3');
  if (single !== undefined) return single;
  const trace = get('x-b3-traceid');
  const span = get('x-b3-spanid');
  return trace === undefined || span === undefined ? undefined : `${trace}-${span}`;
}

export function requestOf(head: RequestHead, headers: readonly Matcher[]): Request {
  const get = (name: string) => fieldOf(head, name);
  return {
    method: head.method,
    target: readable(head.target),
    flavor: head.version,
    scheme: undefined,
    shown: shownOf(head.fields, REQUEST_NAMES, headers),
    contentLength: head.contentLength ?? 0,
    grpc: isGrpc(get('content-type')),
    traceparent: get('traceparent'),
    b3: b3Of(get),
    frame: undefined,
  };
}

export function responseOf(head: ResponseHead, headers: readonly Matcher[]): Response {
  const body = responseBody(head, undefined);
  return {
    status: head.status,
    reason: readable(head.reason),
    flavor: head.version,
    shown: shownOf(head.fields, RESPONSE_NAMES, headers),
    contentLength: head.contentLength ?? 0,
    openEnd: body === 'chunked' || body === 'close',
    grpcStatus: undefined,
    upgrade: head.status === 101 ? fieldOf(head, 'upgrade')?.toLowerCase() : undefined,
  };
}

/** One head, parsed and ready for events. */
export type Parsed = {request: Request} | {response: Response};

export function parsedOf(head: Head, headers: readonly Matcher[]): Parsed {
  return head.kind === 'request'
    ? {request: requestOf(head, headers)}
    : {response: responseOf(head, headers)};
}

/** Value of a field of an HTTP/2 header list. */
export function http2Field(message: Http2Headers, name: string): string | undefined {
  for (const field of message.fields) if (field[0] === name) return field[1];
  return undefined;
}

function http2Length(message: Http2Headers): number {
  const text = http2Field(message, 'content-length');
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : 0;
}

function http2Shown(
  message: Http2Headers,
  names: Readonly<Record<string, string>>,
  headers: readonly Matcher[],
): ShownFields {
  const shown: Record<string, string> = {};
  for (const [name, value] of message.fields) addShown(shown, name, value, names, headers);
  return shown;
}

export function http2Request(message: Http2Headers, headers: readonly Matcher[]): Request {
  const get = (name: string) => http2Field(message, name);
  const method = get(':method') ?? '';
  return {
    method,
    target: readable(get(':path') ?? (method === 'CONNECT' ? (get(':authority') ?? '') : '')),
    flavor: '2.0',
    scheme: get(':scheme'),
    shown: http2Shown(message, REQUEST_NAMES, headers),
    contentLength: http2Length(message),
    grpc: isGrpc(get('content-type')),
    traceparent: get('traceparent'),
    b3: b3Of(get),
    frame: message.frame,
  };
}

export function http2Response(message: Http2Headers, headers: readonly Matcher[]): Response {
  const status = Number(http2Field(message, ':status')) || 0;
  return {
    status,
    reason: statusText(status),
    flavor: '2.0',
    shown: http2Shown(message, RESPONSE_NAMES, headers),
    contentLength: http2Length(message),
    openEnd: !message.end,
    grpcStatus: grpcStatusOf(message),
    upgrade: undefined,
  };
}

/** `grpc-status` of a header list or of trailers. */
export function grpcStatusOf(message: Http2Headers): number | undefined {
  const text = http2Field(message, 'grpc-status');
  return text !== undefined && /^[0-9]{1,3}$/.test(text) ? Number(text) : undefined;
}
