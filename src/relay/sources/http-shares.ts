// SPDX-License-Identifier: Apache-2.0
/**
 * The exchanges of one target told apart by what OpenTelemetry's conventions ask of HTTP metrics: method, scheme, status,
 * version and server. For destinations that use the conventions.
 */
import type {Attributes, Buckets, MetricPart} from '../../records/types.js';
import {type Connection, isInet} from './address.js';
import {addTo, newBuckets} from './durations.js';
import type {Exchange, Role} from './http-exchange.js';
import {type Request, schemeOf} from './http-message.js';
import {hostOf, knownMethod} from './http-span.js';

/** Shares of one target; further ones are one share without attributes of their own. */
const SHARES = 64;
/** Servers that one process is a client of, told apart in metrics. */
const SERVERS = 100;
/** Bytes: powers of four from 1 KiB to 1 GiB. */
const SIZES: readonly number[] = Array.from({length: 11}, (_, i) => 1024 * 4 ** i);

export interface Share {
  role: Role;
  /** `_OTHER`: none of the conventions' methods. */
  method: string;
  scheme: string;
  status: number;
  version: string;
  /** Empty and 0: not known. */
  address: string;
  port: number;
  overflow: boolean;
  durations: Buckets;
  requestSizes?: Buckets;
  responseSizes?: Buckets;
}

type Key = Omit<Share, 'durations' | 'requestSizes' | 'responseSizes'>;

/** The servers of one process: names that a client asks for come from the application. */
export class Servers {
  readonly #known = new Set<string>();

  /** Of a server its own end of the connection, of a client whom it asked. */
  of(role: Role, request: Request, connection: Connection | undefined): {address: string; port: number} {
    const inet = connection !== undefined && isInet(connection) ? connection : undefined;
    if (role === 'server') return {address: inet?.localIp ?? '', port: inet?.localPort ?? 0};
    const host = hostOf(request);
    const address = host.address || inet?.remoteIp || '';
    const port = host.port || inet?.remotePort || 0;
    const key = `${address} ${port}`;
    if (!this.#known.has(key)) {
      if (this.#known.size >= SERVERS) return {address: '', port: 0};
      this.#known.add(key);
    }
    return {address, port};
  }
}

function same(share: Share, key: Key): boolean {
  return (
    share.status === key.status &&
    share.method === key.method &&
    share.role === key.role &&
    share.scheme === key.scheme &&
    share.version === key.version &&
    share.port === key.port &&
    share.address === key.address
  );
}

function shareOf(shares: Share[], key: Key): Share {
  let share = shares.find((one) => same(one, key));
  if (share === undefined && shares.length >= SHARES) {
    share = shares.find((one) => one.overflow && one.role === key.role);
    if (share === undefined) {
      share = {...key, overflow: true, durations: newBuckets()};
      shares.push(share);
    }
  } else if (share === undefined) {
    share = {...key, durations: newBuckets()};
    shares.push(share);
  }
  return share;
}

/** Adds an exchange whose request was seen. */
export function addShare(
  shares: Share[],
  exchange: Exchange,
  request: Request,
  server: {address: string; port: number},
  duration: number,
): void {
  const {message} = exchange.response;
  const share = shareOf(shares, {
    role: exchange.role,
    method: knownMethod(request.method),
    scheme: schemeOf(request, exchange.tls),
    status: message.status,
    version: request.flavor === '2.0' ? '2' : request.flavor,
    ...server,
    overflow: false,
  });
  addTo(share.durations, duration);
  if (request.contentLength > 0) {
    share.requestSizes ??= newBuckets(SIZES);
    addTo(share.requestSizes, request.contentLength);
  }
  if (message.contentLength > 0) {
    share.responseSizes ??= newBuckets(SIZES);
    addTo(share.responseSizes, message.contentLength);
  }
}

function attributesOf(share: Share): Attributes {
  if (share.overflow) return {'otel.metric.overflow': true};
  const {role, status, address, port} = share;
  const attributes: Attributes = {
    'http.request.method': share.method,
    'url.scheme': share.scheme,
    'http.response.status_code': status,
    'network.protocol.name': 'http',
    'network.protocol.version': share.version,
  };
  if (status >= 500 || (status >= 400 && role === 'client')) attributes['error.type'] = String(status);
  if (address !== '') attributes['server.address'] = address;
  if (port !== 0) attributes['server.port'] = port;
  return attributes;
}

/** Parts of http.duration.ROLE. */
export function durationParts(shares: readonly Share[], role: Role): MetricPart[] {
  return shares
    .filter((share) => share.role === role)
    .map((share) => ({
      attributes: attributesOf(share),
      value: share.durations.sum,
      buckets: share.durations,
    }));
}

/** Parts of http.req.content_length and http.resp.content_length: histograms of each role. */
export function sizeParts(shares: readonly Share[], which: 'request' | 'response'): MetricPart[] {
  return shares.flatMap((share) => {
    const buckets = which === 'request' ? share.requestSizes : share.responseSizes;
    if (buckets === undefined) return [];
    const name = `http.${share.role}.${which}.size`;
    return [{name, attributes: attributesOf(share), value: buckets.sum, buckets}];
  });
}
