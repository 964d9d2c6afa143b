// SPDX-License-Identifier: Apache-2.0
/**
 * grpc-js copies each message into fresh memory to put five bytes in front of it. Requests of ours have room for them.
 * One seam of the pinned version, watched by a test: the handler that frames messages which are not compressed.
 */
import {CompressionFilterFactory, type FrameWriter} from '@grpc/grpc-js/build/src/compression-filter.js';
import {REQUEST_ROOM} from '../../records/otlp/log-requests.js';

const roomy = new WeakSet<Buffer>();
let installed = false;

/** The message has REQUEST_ROOM bytes in front of it that nobody needs. */
export function hasRoom(message: Buffer): void {
  roomy.add(message);
}

function frame(message: Buffer): Buffer {
  const start = message.byteOffset - REQUEST_ROOM;
  const framed = Buffer.from(message.buffer, start, REQUEST_ROOM + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  return framed;
}

/** Other users of grpc-js in this process notice nothing. */
export function installFrames(): void {
  if (installed) return;
  installed = true;
  const handler = new CompressionFilterFactory(undefined, {}).createFilter().sendCompression;
  const identity = Object.getPrototypeOf(handler) as FrameWriter;
  const {writeMessage} = identity;
  identity.writeMessage = function write(message, compress) {
    return roomy.has(message) ? Promise.resolve(frame(message)) : writeMessage.call(this, message, compress);
  };
}
