// SPDX-License-Identifier: Apache-2.0
/** The part of grpc-js 1.14 behind its public interface that frames.ts needs. */
declare module '@grpc/grpc-js/build/src/compression-filter.js' {
  export interface FrameWriter {
    writeMessage(message: Buffer, compress: boolean): Promise<Buffer>;
    compressMessage(message: Buffer): Promise<Buffer>;
  }
  export class CompressionFilterFactory {
    constructor(channel: undefined, options: object);
    createFilter(): {readonly sendCompression: FrameWriter};
  }
}
