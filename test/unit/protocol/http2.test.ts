// SPDX-License-Identifier: Apache-2.0
/** HTTP/2 frames: blocks over several frames, padding, pushes, interleaved streams, lost bytes, hostile input. */
import {describe, expect, it} from 'vitest';
import {Http2Connection} from '../../../src/protocol/http2.js';
import {random} from './random.js';

/** One frame; `length` differs from the payload's for DATA, whose payload is cut. */
function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer | string,
  length?: number,
): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload.replaceAll(' ', ''), 'hex') : payload;
  const out = Buffer.alloc(9 + body.length);
  out.writeUIntBE(length ?? body.length, 0, 3);
  out[3] = type;
  out[4] = flags;
  out.writeUInt32BE(stream, 5);
  body.copy(out, 9);
  return out;
}

const GET = '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d';

describe('Http2Connection', () => {
  it('gives request, response and data of a stream', () => {
    const h2 = new Http2Connection();
    expect(h2.feed(frame(1, 5, 1, GET), 'tx')).toMatchObject([
      {kind: 'headers', role: 'request', stream: 1, end: true, frame: 'HEADERS', direction: 'tx'},
    ]);
    const answer = Buffer.concat([frame(1, 4, 1, '88'), frame(0, 0, 1, '', 16384), frame(0, 1, 1, '', 100)]);
    expect(h2.feed(answer, 'rx')).toMatchObject([
      {kind: 'headers', role: 'response', fields: [[':status', '200']], end: false},
      {kind: 'data', bytes: 16384, end: false},
      {kind: 'data', bytes: 100, end: true},
    ]);
    expect(h2.errors).toBe(0);
  });

  it('joins CONTINUATION frames, also over two calls', () => {
    const h2 = new Http2Connection();
    expect(h2.feed(Buffer.concat([frame(1, 1, 3, '8286'), frame(9, 0, 3, '84')]), 'rx')).toEqual([]);
    const [message] = h2.feed(frame(9, 4, 3, '41 0161'), 'rx');
    expect(message).toMatchObject({
      stream: 3,
      end: true,
      fields: [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', 'a'],
      ],
    });
  });

  it('removes padding and priority', () => {
    const h2 = new Http2Connection();
    const [message] = h2.feed(frame(1, 0x2c, 1, '02 0000 0000 10 82 0000'), 'rx');
    expect(message).toMatchObject({fields: [[':method', 'GET']]});
  });

  it('names the stream of a pushed response', () => {
    const h2 = new Http2Connection();
    const [message] = h2.feed(frame(5, 4, 1, `0000 0002 ${GET}`), 'rx');
    expect(message).toMatchObject({frame: 'PUSH_PROMISE', role: 'request', stream: 1, onStream: 2});
  });

  it('tells informational responses and trailers from responses', () => {
    const h2 = new Http2Connection();
    const roles = h2
      .feed(
        Buffer.concat([
          frame(1, 4, 1, '0007 3a73 7461 7475 7303 3130 33'),
          frame(1, 4, 1, '88'),
          frame(1, 5, 1, '000b 6772 7063 2d73 7461 7475 7301 30'),
        ]),
        'rx',
      )
      .map((message) => (message.kind === 'headers' ? message.role : message.kind));
    expect(roles).toEqual(['informational', 'response', 'trailers']);
  });

  it('gives resets and goodbyes', () => {
    const h2 = new Http2Connection();
    const bytes = Buffer.concat([frame(3, 0, 5, '0000 0008'), frame(7, 0, 0, '0000 0005 0000 0000')]);
    expect(h2.feed(bytes, 'rx')).toMatchObject([
      {kind: 'reset', stream: 5, code: 8},
      {kind: 'goaway', lastStream: 5, code: 0},
    ]);
  });

  it('goes on after lost bytes with what is known from then on', () => {
    const h2 = new Http2Connection();
    h2.feed(frame(1, 4, 1, GET), 'rx');
    h2.lost('rx');
    const [message] = h2.feed(frame(1, 4, 3, '82be'), 'rx');
    expect(message).toMatchObject({fields: [[':method', 'GET']]});
  });

  it.each([
    ['a frame longer than its bytes', frame(1, 4, 1, '82', 50)],
    ['padding longer than the frame', frame(1, 0x0c, 1, '09 82')],
    ['HEADERS on stream 0', frame(1, 4, 0, '82')],
    ['CONTINUATION of nothing', frame(9, 4, 1, '82')],
    ['a block that breaks HPACK', frame(1, 4, 1, '80')],
    ['PUSH_PROMISE without a stream', frame(5, 4, 1, '0000')],
  ])('%s is an error and gives no message', (_, bytes) => {
    const h2 = new Http2Connection();
    expect(h2.feed(bytes, 'rx')).toEqual([]);
    expect(h2.errors).toBe(1);
    expect(h2.feed(frame(1, 5, 7, '82'), 'rx')).toHaveLength(1);
  });

  it('bounds a header block that never ends', () => {
    const h2 = new Http2Connection();
    h2.feed(frame(1, 0, 1, '82'), 'rx');
    for (let i = 0; i < 20; i++) h2.feed(frame(9, 0, 1, Buffer.alloc(16384)), 'rx');
    expect(h2.errors).toBeGreaterThan(0);
  });

  it('never throws on random frames', () => {
    const next = random(9113);
    const h2 = new Http2Connection();
    for (let round = 0; round < 5000; round++) {
      const payload = Buffer.from(Array.from({length: next(40)}, () => next(256)));
      const bytes = frame(next(12), next(256), next(4), payload, next(8) === 0 ? next(1000) : undefined);
      h2.feed(bytes, next(2) ? 'rx' : 'tx');
    }
    expect(h2.errors).toBeGreaterThan(0);
  });
});
