// SPDX-License-Identifier: Apache-2.0
/** Compression, which kafkajs leaves to its users; each library is loaded by who wants it. */
import {promisify} from 'node:util';
import {gunzip} from 'node:zlib';
import type {KafkaExporterConfig} from '../../config/types.js';
import {compress as gzipped} from '../../delivery/gzip.js';

interface Codec {
  compress(encoder: {buffer: Buffer}): Promise<Buffer>;
  decompress<T>(buffer: Buffer): Promise<T>;
}

/** Head of the blocks that Kafka's Java clients write and expect: magic, version 1, compatible with 1. */
const XERIAL_HEAD = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
const XERIAL_BLOCK = 32 * 1024;
const ZSTD_LEVEL = 3;

/** We only produce. */
function refuse<T>(): Promise<T> {
  return Promise.reject(new Error('not made for reading'));
}

async function snappy(): Promise<Codec> {
  const {compress} = await import('snappyjs');
  return {
    compress({buffer}) {
      const parts: Uint8Array[] = [XERIAL_HEAD];
      for (let at = 0; at < buffer.length; at += XERIAL_BLOCK) {
        const block = compress(buffer.subarray(at, at + XERIAL_BLOCK));
        const length = Buffer.alloc(4);
        length.writeUInt32BE(block.length);
        parts.push(length, block);
      }
      return Promise.resolve(Buffer.concat(parts));
    },
    decompress: refuse,
  };
}

async function lz4(): Promise<Codec> {
  const {compressFrame} = await import('lz4-napi');
  return {compress: ({buffer}) => compressFrame(buffer), decompress: refuse};
}

/** A second initialisation breaks what the first one made. */
let zstdReady: Promise<void> | undefined;

async function zstd(): Promise<Codec> {
  const {init, compress} = await import('@bokuweb/zstd-wasm');
  zstdReady ??= init();
  await zstdReady;
  return {
    compress: ({buffer}) => Promise.resolve(Buffer.from(compress(buffer, ZSTD_LEVEL))),
    decompress: refuse,
  };
}

/** Undefined: none is wanted. kafkajs has gzip built in, but of a level that costs three times as much. */
export async function loadCodec(name: KafkaExporterConfig['compression']): Promise<Codec | undefined> {
  switch (name) {
    case 'gzip':
      return {compress: ({buffer}) => gzipped(buffer), decompress: promisify(gunzip) as Codec['decompress']};
    case 'snappy':
      return snappy();
    case 'lz4':
      return lz4();
    case 'zstd':
      return zstd();
    default:
      return undefined;
  }
}
