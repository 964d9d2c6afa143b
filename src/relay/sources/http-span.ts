// SPDX-License-Identifier: Apache-2.0
/** Spans of exchanges: trace context from the headers, names and attributes of OpenTelemetry's conventions 1.44.0. */
import {randomFillSync} from 'node:crypto';
import type {Attributes} from '../../records/types.js';
import {type Connection, isInet} from './address.js';
import type {Exchange} from './http-exchange.js';
import type {Request} from './http-message.js';
import type {Image} from './source.js';

const METHODS = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
  'QUERY',
]);
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}/;
const B3 = /^([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-|$)/i;
const GRPC_ERRORS_OF_SERVER = new Set([2, 4, 12, 13, 14, 15]);

const POOL = Buffer.alloc(4096);
let poolAt = POOL.length;

/** Random lower-case hex of so many bytes, never all zero. */
export function randomId(bytes: number): string {
  if (poolAt + bytes > POOL.length) {
    randomFillSync(POOL);
    poolAt = 0;
  }
  const id = POOL.toString('hex', poolAt, poolAt + bytes);
  poolAt += bytes;
  return /^0+$/.test(id) ? randomId(bytes) : id;
}

export interface TraceContext {
  traceId: string;
  parentSpanId?: string;
}

/** W3C trace context, else b3, else a new trace. */
export function traceContext(traceparent: string | undefined, b3: string | undefined): TraceContext {
  const w3c = traceparent === undefined ? null : TRACEPARENT.exec(traceparent.trim());
  const found = w3c ?? (b3 === undefined ? null : B3.exec(b3.trim()));
  if (found === null || /^0+$/.test(found[1]!) || /^0+$/.test(found[2]!)) return {traceId: randomId(16)};
  return {traceId: found[1]!.toLowerCase().padStart(32, '0'), parentSpanId: found[2]!.toLowerCase()};
}

export class SpanMaker {
  readonly #image: Image;

  constructor(image: Image) {
    this.#image = image;
  }

  exchange(exchange: Exchange, connection: Connection | undefined): void {
    const {request, response} = exchange;
    if (request === undefined) return;
    const context = traceContext(request.message.traceparent, request.message.b3);
    const grpc = request.message.grpc;
    const error = grpc ? grpcFailed(exchange) : httpFailed(exchange);
    this.#image.span({
      name: grpc ? request.message.target.slice(1) : spanName(request.message),
      role: exchange.role,
      traceId: context.traceId,
      spanId: randomId(8),
      ...(context.parentSpanId === undefined ? {} : {parentSpanId: context.parentSpanId}),
      startTime: request.time,
      endTime: Math.max(request.time, exchange.endTime ?? response.time),
      attributes: attributesOf(exchange, request.message, connection, error),
      error,
    });
  }
}

/** As the conventions name methods: those they know, else `_OTHER`. */
export function knownMethod(method: string): string {
  return METHODS.has(method) ? method : '_OTHER';
}

const hosts = new WeakMap<Request, {address: string; port: number}>();

/** Whom the Host field names; empty and 0: it does not say. */
export function hostOf(request: Request): {address: string; port: number} {
  let host = hosts.get(request);
  if (host === undefined) {
    const found = /^(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?$/.exec(request.shown.http_host ?? '');
    host = {address: found?.[1] ?? '', port: Number(found?.[2] ?? 0)};
    hosts.set(request, host);
  }
  return host;
}

/** Never the path: names must be few. */
function spanName(request: Request): string {
  return METHODS.has(request.method) ? request.method : 'HTTP';
}

function httpFailed(exchange: Exchange): boolean {
  const {status} = exchange.response.message;
  return status >= 500 || (status >= 400 && exchange.role === 'client');
}

function grpcFailed(exchange: Exchange): boolean {
  const status = exchange.response.message.grpcStatus ?? 0;
  return exchange.role === 'client' ? status !== 0 : GRPC_ERRORS_OF_SERVER.has(status);
}

function attributesOf(
  exchange: Exchange,
  request: Request,
  connection: Connection | undefined,
  error: boolean,
): Attributes {
  const response = exchange.response.message;
  const attributes: Attributes = {
    'http.request.method': knownMethod(request.method),
  };
  if (!METHODS.has(request.method)) attributes['http.request.method_original'] = request.method;
  addTarget(attributes, request);
  attributes['url.scheme'] = request.scheme ?? (exchange.tls ? 'https' : 'http');
  addServer(attributes, exchange, request, connection);
  attributes['http.response.status_code'] = response.status;
  attributes['network.protocol.name'] = 'http';
  attributes['network.protocol.version'] = request.flavor === '2.0' ? '2' : request.flavor;
  if (request.shown.http_user_agent !== undefined)
    attributes['user_agent.original'] = request.shown.http_user_agent;
  if (request.shown.http_client_ip !== undefined && exchange.role === 'server') {
    attributes['client.address'] = request.shown.http_client_ip.split(',')[0]!.trim();
  }
  if (request.contentLength > 0) attributes['http.request.body.size'] = request.contentLength;
  const size = exchange.body ?? response.contentLength;
  if (size > 0) attributes['http.response.body.size'] = size;
  if (request.grpc) addGrpc(attributes, request, response.grpcStatus);
  if (error) attributes['error.type'] = String(request.grpc ? (response.grpcStatus ?? '') : response.status);
  return attributes;
}

function addTarget(attributes: Attributes, request: Request): void {
  const question = request.target.indexOf('?');
  attributes['url.path'] = question < 0 ? request.target : request.target.slice(0, question);
  if (question >= 0) attributes['url.query'] = request.target.slice(question + 1);
}

/** Who was asked: what the Host field says, else the server's end of the connection. */
function addServer(
  attributes: Attributes,
  exchange: Exchange,
  request: Request,
  connection: Connection | undefined,
): void {
  const host = hostOf(request);
  const inet = connection !== undefined && isInet(connection) ? connection : undefined;
  const server = exchange.role === 'server';
  const address = host.address || (server ? inet?.localIp : inet?.remoteIp);
  if (address) attributes['server.address'] = address;
  const port = host.port || (server ? inet?.localPort : inet?.remotePort);
  if (port) attributes['server.port'] = port;
  if (inet === undefined) return;
  attributes['network.peer.address'] = inet.remoteIp;
  attributes['network.peer.port'] = inet.remotePort;
}

function addGrpc(attributes: Attributes, request: Request, status: number | undefined): void {
  attributes['rpc.system'] = 'grpc';
  const [, service, method] = request.target.split('/');
  if (service) attributes['rpc.service'] = service;
  if (method) attributes['rpc.method'] = method;
  if (status !== undefined) attributes['rpc.grpc.status_code'] = status;
}
