// SPDX-License-Identifier: Apache-2.0
/**
 * grpc-js copies each message into fresh memory to put five bytes in front of it. Requests of ours have room for them. And it
 * compresses with gzip's level 6, for three times the processor time of ours. Two seams of the pinned version, watched by
 * tests: the handlers that frame messages, with gzip and without.
 */
import {compressionAlgorithms} from '@grpc/grpc-js';
import {CompressionFilterFactory, type FrameWriter} from '@grpc/grpc-js/build/src/compression-filter.js';
import {compress} from '../../delivery/gzip.js';
import {REQUEST_ROOM} from '../../records/otlp/log-requests.js';

const own = new WeakSet<Buffer>();
const roomy = new WeakSet<Buffer>();
let installed = false;

/** A message of ours; `room`: it has REQUEST_ROOM bytes in front of it that nobody needs. */
export function ownMessage(message: Buffer, room: boolean): void {
  own.add(message);
  if (room) roomy.add(message);
}

function frame(message: Buffer): Buffer {
  const start = message.byteOffset - REQUEST_ROOM;
  const framed = Buffer.from(message.buffer, start, REQUEST_ROOM + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  return framed;
}

function handlerOf(options: object): FrameWriter {
  const handler = new CompressionFilterFactory(undefined, options).createFilter().sendCompression;
  return Object.getPrototypeOf(handler) as FrameWriter;
}

/** Other users of grpc-js in this process notice nothing. */
export function installFrames(): void {
  if (installed) return;
  installed = true;
  const identity = handlerOf({});
  const {writeMessage} = identity;
  identity.writeMessage = function write(message, gzipped) {
    return roomy.has(message) ? Promise.resolve(frame(message)) : writeMessage.call(this, message, gzipped);
  };
  const gzip = handlerOf({'grpc.default_compression_algorithm': compressionAlgorithms.gzip});
  const {compressMessage} = gzip;
  gzip.compressMessage = function pack(message) {
    return own.has(message) ? compress(message) : compressMessage.call(this, message);
  };
}
