// SPDX-License-Identifier: Apache-2.0
/** One request with its response, and the sinks that turn it into events, metrics and spans. */

import {TargetLabels} from '../../protocol/path-template.js';
import type {Attributes, Buckets} from '../../records/types.js';
import {addressFields} from './address.js';
import {addTo, millis, newBuckets} from './durations.js';
import {
  type Address,
  addressOf,
  HttpParts,
  NO_ADDRESS,
  RequestEvent,
  ResponseEvent,
  requestData,
  responseData,
} from './http-event.js';
import type {Request, Response} from './http-message.js';
import {addShare, durationParts, Servers, type Share, sizeParts} from './http-shares.js';
import {SpanMaker} from './http-span.js';
import {http2RequestData, http2ResponseData} from './http2-event.js';
import type {Image} from './source.js';

export type Role = 'server' | 'client';

/** A message with what the record says about it. */
export interface Seen<T> {
  message: T;
  /** Seconds since the epoch: sent when the call began, received when it returned. */
  time: number;
}

export interface Exchange {
  object: number;
  role: Role;
  tls: boolean;
  /** HTTP/2 only. */
  stream: number | undefined;
  request: Seen<Request> | undefined;
  response: Seen<Response>;
  /** Bytes of the response's body, when they are known. */
  body: number | undefined;
  /** When its body ended, if that was seen. */
  endTime: number | undefined;
}

/** Status codes told apart per target. */
const STATUS_CAP = 64;

interface TargetSums {
  statuses: Map<number, number>;
  durations: Partial<Record<Role, Buckets>>;
  requestBytes: number;
  requestOps: number;
  responseBytes: number;
  responseOps: number;
  /** The same told apart further; empty when nobody wants that. */
  shares: Share[];
}

/** Duration of an exchange in milliseconds; 0 when the request was not seen. */
export function durationOf(exchange: Exchange): number {
  const {request, response} = exchange;
  return request === undefined ? 0 : millis(response.time - request.time);
}

/** The sums of a period, as JSON can hold them. */
export interface SavedSums {
  since: number;
  targets: [
    target: string,
    sums: Omit<TargetSums, 'statuses'>,
    statuses: [status: number, count: number][],
  ][];
}

/** Everything of one process image that exchanges end in. */
export class ExchangeSink {
  readonly #image: Image;
  readonly #labels = new TargetLabels();
  readonly #sums = new Map<string, TargetSums>();
  readonly #addresses = new Map<number, Address>();
  readonly #parts: HttpParts | undefined;
  readonly #events: boolean;
  readonly #metrics: boolean;
  readonly #spans: SpanMaker | undefined;
  readonly #servers: Servers | undefined;
  #since: number;

  constructor(image: Image) {
    this.#image = image;
    this.#events = image.wantsEvent('http');
    this.#metrics = image.wantsSum('http.req');
    this.#parts = image.plain('http') ? new HttpParts(image.process, image.channelPrefix) : undefined;
    this.#spans = image.settings.spans ? new SpanMaker(image) : undefined;
    this.#servers = image.settings.conventions ? new Servers() : undefined;
    this.#since = image.process.startTime;
  }

  /** Whether the end of a body matters to anyone. */
  get wantsEnd(): boolean {
    return this.#spans !== undefined;
  }

  /** Addresses of a connection as members of `data`; they may become known only after its first message. */
  #address(object: number): Address {
    const known = this.#addresses.get(object);
    if (known !== undefined) return known;
    const connection = this.#image.connection(object);
    if (connection === undefined) return NO_ADDRESS;
    const address = addressOf(addressFields(connection));
    this.#addresses.set(object, address);
    return address;
  }

  forget(object: number): void {
    this.#addresses.delete(object);
  }

  /** http.req */
  request(object: number, stream: number | undefined, tls: boolean, seen: Seen<Request>): void {
    if (!this.#events) return;
    const address = this.#address(object);
    const image = this.#image;
    if (stream !== undefined) {
      image.event(
        'http',
        'http.req',
        seen.time,
        object,
        http2RequestData(seen.message, stream, tls, address),
      );
    } else if (this.#parts !== undefined) {
      image.put(new RequestEvent(this.#parts, seen, tls, object, address));
    } else {
      image.event('http', 'http.req', seen.time, object, requestData(seen.message, tls, address));
    }
  }

  /** http.resp, the metrics, and the span when the body's end is known or does not matter. */
  response(exchange: Exchange): void {
    const duration = durationOf(exchange);
    if (this.#events) this.#respond(exchange, duration);
    if (this.#metrics) this.#count(exchange, duration);
  }

  /** The exchange is over. */
  end(exchange: Exchange): void {
    this.#spans?.exchange(exchange, this.#image.connection(exchange.object));
  }

  #respond(exchange: Exchange, duration: number): void {
    const {object, stream, response} = exchange;
    const address = this.#address(object);
    const image = this.#image;
    if (stream === undefined && this.#parts !== undefined) {
      image.put(new ResponseEvent(this.#parts, exchange, duration, object, address));
      return;
    }
    const data = (stream === undefined ? responseData : http2ResponseData)(exchange, duration, address);
    image.event('http', 'http.resp', response.time, object, data);
  }

  #count(exchange: Exchange, duration: number): void {
    const response = exchange.response.message;
    const request = exchange.request?.message;
    const sums = this.#target(request === undefined ? '' : this.#labels.label(request.target));
    const known = sums.statuses.get(response.status);
    if (known !== undefined || sums.statuses.size < STATUS_CAP) {
      sums.statuses.set(response.status, (known ?? 0) + 1);
    }
    if (request !== undefined) {
      sums.durations[exchange.role] ??= newBuckets();
      addTo(sums.durations[exchange.role]!, duration);
      if (this.#servers !== undefined) {
        const connection = this.#image.connection(exchange.object);
        const server = this.#servers.of(exchange.role, request, connection);
        addShare(sums.shares, exchange, request, server, duration);
      }
      if (request.contentLength > 0) {
        sums.requestBytes += request.contentLength;
        sums.requestOps += 1;
      }
    }
    if (response.contentLength > 0) {
      sums.responseBytes += response.contentLength;
      sums.responseOps += 1;
    }
  }

  #target(label: string): TargetSums {
    let sums = this.#sums.get(label);
    if (sums === undefined) {
      sums = {
        statuses: new Map(),
        durations: {},
        requestBytes: 0,
        requestOps: 0,
        responseBytes: 0,
        responseOps: 0,
        shares: [],
      };
      this.#sums.set(label, sums);
    }
    return sums;
  }

  save(): SavedSums {
    const targets: SavedSums['targets'] = [];
    for (const [target, {statuses, ...sums}] of this.#sums) targets.push([target, sums, [...statuses]]);
    return {since: this.#since, targets};
  }

  restore(saved: SavedSums): void {
    this.#since = saved.since;
    for (const [target, sums, statuses] of saved.targets) {
      // Admitted again, so that the cap holds over both lives.
      this.#labels.label(target);
      this.#sums.set(target, {...sums, shares: sums.shares ?? [], statuses: new Map(statuses)});
    }
  }

  /** Sends the sums of the period and begins the next. */
  report(now: number): void {
    const startTime = this.#since;
    this.#since = now;
    for (const [target, sums] of this.#sums) {
      for (const [status, value] of sums.statuses) {
        const attributes: Attributes = {http_target: target, http_status_code: status};
        this.#image.sum({name: 'http.req', value, attributes, time: now, startTime});
      }
      for (const role of ['server', 'client'] as const) {
        const buckets = sums.durations[role];
        if (buckets === undefined) continue;
        const attributes: Attributes = {http_target: target, numops: buckets.count};
        const value = Math.round(buckets.sum * 1e3) / 1e3;
        const parts = durationParts(sums.shares, role);
        this.#image.sum({
          name: `http.duration.${role}`,
          value,
          attributes,
          time: now,
          startTime,
          buckets,
          parts,
        });
      }
      this.#bytes('request', target, sums, now, startTime);
      this.#bytes('response', target, sums, now, startTime);
    }
    this.#sums.clear();
  }

  #bytes(
    which: 'request' | 'response',
    target: string,
    sums: TargetSums,
    time: number,
    startTime: number,
  ): void {
    const request = which === 'request';
    const numops = request ? sums.requestOps : sums.responseOps;
    if (numops === 0) return;
    this.#image.sum({
      name: request ? 'http.req.content_length' : 'http.resp.content_length',
      value: request ? sums.requestBytes : sums.responseBytes,
      attributes: {http_target: target, numops},
      time,
      startTime,
      parts: sizeParts(sums.shares, which),
    });
  }
}
