// SPDX-License-Identifier: Apache-2.0
// The seam of grpc-js through which a request gets its head without being copied, and the memory of requests.
import {gunzipSync, gzipSync} from 'node:zlib';
import {compressionAlgorithms} from '@grpc/grpc-js';
import {CompressionFilterFactory} from '@grpc/grpc-js/build/src/compression-filter.js';
import {afterEach, expect, test} from 'vitest';
import type {OtlpExporterConfig} from '../../../../src/config/types.js';
import {installFrames, ownMessage} from '../../../../src/exporters/otlp/frames.js';
import {createExporter} from '../../../../src/exporters/otlp/index.js';
import {createOtlpEncoder} from '../../../../src/records/otlp/encoder.js';
import {makeContext, makeDelivery, NEVER} from '../../../helpers/delivery.js';
import {decodeOtlp, grpcPeer} from '../../../helpers/otlp.js';
import {makeEvent} from '../../../helpers/records.js';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const framesOf = (options: object) =>
  new CompressionFilterFactory(undefined, options).createFilter().sendCompression;

test('a message with room is framed where it stands, another one is copied', async () => {
  installFrames();
  installFrames();
  const identity = framesOf({});
  const memory = Buffer.alloc(15);
  memory.write('.....message...');
  const message = memory.subarray(5, 12);
  const copied = await identity.writeMessage(message, false);
  expect(copied.buffer).not.toBe(memory.buffer);
  ownMessage(message, true);
  const framed = await identity.writeMessage(message, false);
  expect(framed.buffer).toBe(memory.buffer);
  expect(framed).toEqual(copied);
  expect(framed.toString('latin1')).toBe('\0\0\0\0\x07message');
  expect(memory.toString('latin1', 12)).toBe('...');
});

test('a message of ours is compressed at the first level, another one as grpc-js does', async () => {
  installFrames();
  const gzip = framesOf({'grpc.default_compression_algorithm': compressionAlgorithms.gzip});
  const text = Array.from({length: 5000}, (_, i) => `line ${i} ${i * 7919}`).join();
  const [ours, other] = [Buffer.from(text), Buffer.from(text)];
  ownMessage(ours, false);
  for (const [message, level] of [
    [ours, 1],
    [other, 6],
  ] as const) {
    const framed = await gzip.writeMessage(message, true);
    expect(framed[0]).toBe(1);
    expect(framed.readUInt32BE(1)).toBe(framed.length - 5);
    expect(framed.length - 5).toBe(gzipSync(message, {level}).length);
    expect(gunzipSync(framed.subarray(5)).toString()).toBe(text);
  }
});

const encoder = () =>
  createOtlpEncoder({
    ...{form: 'protobuf', temporality: 'cumulative', maxBytes: 3 << 20, maxSeries: 1},
    ...{resource: {}, version: '2.0.0'},
  });

test('memory of a request is used again after its release, and not before', () => {
  const {encode, release} = encoder();
  const make = (text: string) => encode([makeEvent({data: {message: text}})], 0, 0).requests[0]!;
  const held = ['first', 'second', 'third'].map(make);
  expect(new Set(held.map(({bytes}) => bytes.buffer)).size).toBe(3);
  for (const [i, text] of ['first', 'second', 'third'].entries())
    expect(JSON.stringify(decodeOtlp('logs', held[i]!.bytes))).toContain(text);
  release(held[1]!);
  const later = [make('fourth'), make('fifth')];
  expect(later.map(({bytes}) => bytes.buffer)).toContain(held[1]!.bytes.buffer);
  expect(new Set([held[0]!, held[2]!, ...later].map(({bytes}) => bytes.buffer)).size).toBe(4);
  expect(JSON.stringify(decodeOtlp('logs', held[0]!.bytes))).toContain('first');
});

test.each(['none', 'gzip'] as const)(
  'what arrives is what was sent, request after request: %s',
  async (compression) => {
    const peer = await grpcPeer();
    ends.push(() => peer.close());
    const config: OtlpExporterConfig = {
      ...makeDelivery(),
      ...{type: 'otlp', endpoint: `http://127.0.0.1:${peer.port}`, protocol: 'grpc', signals: ['logs']},
      ...{temporality: 'cumulative', compression, max_request_bytes: 100_000, max_series: 1, headers: {}},
    };
    const exporter = createExporter(config, makeContext());
    ends.push(() => exporter.stop());
    for (let n = 0; n < 5; n++) {
      const batch = Array.from({length: 300}, (_, i) =>
        makeEvent({data: {message: `${n}.${i};${'x'.repeat(900)}`}}),
      );
      if (n === 2) peer.answers.push({rejected: 0, message: ''}, {status: 14});
      let result = await exporter.send(batch, NEVER);
      if (n === 2) {
        expect(result).toMatchObject({outcome: 'retryable'});
        result = await exporter.send(batch, NEVER);
      }
      expect(result).toEqual({outcome: 'success', rejected: 0});
    }
    const numbers = peer.requests.flatMap(({body}) => JSON.stringify(body).match(/\d+\.\d+(?=;)/g) ?? []);
    expect(numbers).toEqual(Array.from({length: 1500}, (_, i) => `${Math.floor(i / 300)}.${i % 300}`));
    expect(peer.requests.length).toBeGreaterThan(10);
  },
);
