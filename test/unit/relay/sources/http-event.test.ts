// SPDX-License-Identifier: Apache-2.0
/** Events that render their own line: the line is the one that their data gives. */
import {describe, expect, it} from 'vitest';
import {parseHeadText} from '../../../../src/protocol/http1.js';
import {ByteWriter} from '../../../../src/records/byte-writer.js';
import {lineOf, writeEvent} from '../../../../src/records/ndjson.js';
import type {Event} from '../../../../src/records/types.js';
import {
  addressOf,
  HttpParts,
  NO_ADDRESS,
  RequestEvent,
  ResponseEvent,
} from '../../../../src/relay/sources/http-event.js';
import type {Exchange} from '../../../../src/relay/sources/http-exchange.js';
import {
  type Request,
  type Response,
  requestOf,
  responseOf,
} from '../../../../src/relay/sources/http-message.js';
import {makeProcess} from '../../../helpers/records.js';

const parts = new HttpParts(makeProcess(), '572922201');
const address = addressOf({net_transport: 'IP.TCP', net_peer_ip: '127.0.0.1', net_peer_port: 80});

function request(text: string): Request {
  const head = parseHeadText(text);
  if (head?.kind !== 'request') throw new Error('no request');
  return requestOf(head, [(field) => field.startsWith('X-')]);
}

function response(text: string): Response {
  const head = parseHeadText(text);
  if (head?.kind !== 'response') throw new Error('no response');
  return responseOf(head, [(field) => field.startsWith('X-')]);
}

function rendered(event: Event): string {
  const out = new ByteWriter();
  writeEvent(out, event);
  return out.view().toString();
}

/** The line by way of `data`. */
function generic(event: Event): string {
  const {kind, sourcetype, source, time, channel, data, process} = event;
  return lineOf({kind, sourcetype, source, time, channel, data, process});
}

const GET = request('GET /a"b?c=\u00ff HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nContent-Length: 7\r\n\r\n');
const BARE = request('GET / HTTP/1.0\r\n\r\n');
const OK = response('HTTP/1.1 200 All "right"\r\nX-Two: 2\r\nContent-Length: 9\r\n\r\n');
const EMPTY = response('HTTP/1.1 204\r\n\r\n');

describe('RequestEvent', () => {
  it.each([
    ['full', GET, true, address],
    ['bare', BARE, false, NO_ADDRESS],
  ])('%s', (_, message, tls, ends) => {
    const event = new RequestEvent(parts, {message, time: 1795375578.25}, tls, 42, ends);
    expect(rendered(event)).toBe(generic(event));
  });
});

describe('ResponseEvent', () => {
  it.each([
    ['full', GET, OK, 'server' as const],
    ['client', GET, EMPTY, 'client' as const],
    ['bare', BARE, EMPTY, 'server' as const],
    ['alone', undefined, OK, 'server' as const],
  ])('%s', (_, asked, message, role) => {
    const exchange: Exchange = {
      object: 1,
      role,
      tls: false,
      stream: undefined,
      body: undefined,
      endTime: undefined,
      request: asked === undefined ? undefined : {message: asked, time: 1},
      response: {message, time: 1795375578.5},
    };
    for (const ends of [address, NO_ADDRESS]) {
      const event = new ResponseEvent(parts, exchange, 0.125, 42, ends);
      expect(rendered(event)).toBe(generic(event));
    }
  });
});
