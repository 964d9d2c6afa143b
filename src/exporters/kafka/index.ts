// SPDX-License-Identifier: Apache-2.0
/** Exporter `kafka`: records as messages of Apache Kafka, by kafkajs, idempotent unless told otherwise. */
import kafkajs, {type KafkaConfig, type Producer} from 'kafkajs';
import type {KafkaExporterConfig} from '../../config/types.js';
import type {ExporterContext} from '../../delivery/context.js';
import type {Rendering, RenderingExporter, SendResult} from '../../delivery/exporter.js';
import {createLogRecords} from '../../delivery/log-records.js';
import {renderAll} from '../../delivery/render.js';
import {tlsOptions} from '../../delivery/tls.js';
import {ByteWriter} from '../../records/byte-writer.js';
import {isLine, tryWriteRecord} from '../../records/ndjson.js';
import type {Item} from '../../records/rendered.js';
import {loadCodec} from './codecs.js';
import {createKafkaEncoder, type KafkaEncoder, type Piece} from './encode.js';
import {halves} from './entry.js';
import {installProduce, topicMessages} from './produce.js';

const {CompressionCodecs, CompressionTypes, Kafka, logLevel, Partitioners} = kafkajs;

/**
 * All messages of a request may fall into one partition, whose batch a broker takes up to a megabyte by default.
 */
const PIECE_BYTES = 900 * 1024;
const ACKS = {all: -1, leader: 1, none: 0} as const;
const COMPRESSION = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};
/** A request is repeated by the queue around this exporter; kafkajs only gets over changes of leaders. */
const RETRIES = {retries: 4, initialRetryTime: 100, maxRetryTime: 2000};

interface Progress {
  batch: readonly Item[];
  pieces: Piece[];
  rejected: number;
  reason: string | undefined;
}

/** The innermost error: kafkajs wraps it once per layer. */
function rootOf(error: unknown): {message: string; type?: string} {
  let found = error as {message: string; type?: string; cause?: unknown; originalError?: unknown};
  for (let i = 0; i < 5; i++) {
    const inner = found.cause ?? found.originalError;
    if (!(inner instanceof Error)) break;
    found = inner;
  }
  return found;
}

function clientConfig(config: KafkaExporterConfig): KafkaConfig {
  const tls = tlsOptions(config.tls, false);
  const {sasl} = config;
  return {
    clientId: config.client_id,
    brokers: config.brokers,
    connectionTimeout: 5000,
    requestTimeout: Math.max(1000, config.timeout),
    retry: RETRIES,
    logLevel: logLevel.ERROR,
    // kafkajs writes a line per attempt; the state of the destination says the same once.
    logCreator: () => () => undefined,
    ...(tls === undefined ? {} : {ssl: tls}),
    ...(sasl === undefined ? {} : {sasl: sasl as NonNullable<KafkaConfig['sasl']>}),
  };
}

export function createExporter(config: KafkaExporterConfig, context: ExporterContext): RenderingExporter {
  installProduce();
  const kafka = new Kafka(clientConfig(config));
  let encoder: KafkaEncoder = createKafkaEncoder(config, undefined);
  const render = config.encoding === 'json' ? createLines : () => createLogRecords(context.clock);
  const rendering = encoder.perProcess ? render() : undefined;
  let producer: Producer | undefined;
  let progress: Progress | undefined;

  async function connected(signal: AbortSignal): Promise<Producer> {
    if (producer !== undefined) return producer;
    const made = kafka.producer({
      allowAutoTopicCreation: config.create_topics,
      idempotent: config.idempotent && config.acks === 'all',
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: RETRIES,
    });
    try {
      await made.connect();
      // Given up meanwhile: the next attempt has a producer of its own.
      if (signal.aborted) throw new Error('aborted');
    } catch (error) {
      await made.disconnect().catch(() => undefined);
      throw error;
    }
    producer = made;
    return made;
  }

  async function drop(): Promise<void> {
    const last = producer;
    producer = undefined;
    await last?.disconnect().catch(() => undefined);
  }

  /** Ends with the signal, although kafkajs knows none: the producer is given up, and with it what it still does. */
  async function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
    let aborted: (() => void) | undefined;
    const abort = new Promise<never>((_, reject) => {
      aborted = () => reject(new Error('aborted'));
      signal.addEventListener('abort', aborted);
      if (signal.aborted) aborted();
    });
    try {
      return await Promise.race([work, abort]);
    } finally {
      signal.removeEventListener('abort', aborted!);
      work.catch(() => undefined);
    }
  }

  async function sendPiece(piece: Piece, signal: AbortSignal): Promise<void> {
    const client = await connected(signal);
    try {
      await client.sendBatch({
        topicMessages: topicMessages(piece.entries, signal),
        acks: ACKS[config.acks],
        compression: COMPRESSION[config.compression],
        timeout: Math.max(1000, config.timeout),
      });
    } finally {
      // kafkajs connects again before it finds that it need not.
      if (signal.aborted) await client.disconnect().catch(() => undefined);
    }
  }

  /** A broker whose limit is smaller than ours: halves, and a single message is refused. */
  function split(state: Progress, reason: string): void {
    const [piece] = state.pieces.splice(0, 1);
    const {entries, bytes} = piece!;
    const parts = entries.length > 1 ? undefined : halves(entries[0]!);
    if (entries.length === 1 && parts === undefined) {
      state.rejected += entries[0]!.count;
      state.reason = reason;
      return;
    }
    const middle = entries.length >> 1;
    const [first, second] = parts
      ? parts.map((entry) => [entry])
      : [entries.slice(0, middle), entries.slice(middle)];
    state.pieces.unshift({entries: first!, bytes: bytes / 2}, {entries: second!, bytes: bytes / 2});
  }

  return {
    type: 'kafka',
    rendering,
    accepts: (record) => isLine(record) || (config.encoding === 'otlp' && record.kind === 'span'),
    async start() {
      const codec = await loadCodec(config.compression);
      if (codec !== undefined) {
        (CompressionCodecs as Record<number, () => unknown>)[COMPRESSION[config.compression]] = () => codec;
      }
      if (config.encoding !== 'otlp') return;
      const {createOtlpEncoder} = await import('../../records/otlp/encoder.js');
      encoder = createKafkaEncoder(
        config,
        createOtlpEncoder({
          form: 'protobuf',
          temporality: 'cumulative',
          maxBytes: PIECE_BYTES - 1024,
          maxSeries: 100_000,
          resource: {},
          version: context.version,
        }),
      );
    },
    async send(batch: readonly Item[], signal: AbortSignal): Promise<SendResult> {
      if (progress?.batch !== batch) {
        const {clock} = context;
        const {items, rejected} = rendering ? renderAll(batch, rendering) : {items: batch, rejected: 0};
        const encoded = encoder.encode(items, PIECE_BYTES, clock.now(), clock.wall());
        const reason = encoded.reason ?? (rejected > 0 ? 'values that cannot be written' : undefined);
        progress = {batch, pieces: encoded.pieces, rejected: encoded.rejected + rejected, reason};
      }
      const state = progress;
      while (state.pieces.length > 0) {
        try {
          await until(signal, sendPiece(state.pieces[0]!, signal));
          encoder.release(state.pieces.shift()!);
        } catch (error) {
          const root = rootOf(error);
          if (root.type === 'MESSAGE_TOO_LARGE' || root.type === 'RECORD_LIST_TOO_LARGE') {
            split(state, root.message);
            continue;
          }
          // A new producer next time: an idempotent one does not go on after a failure it has not seen the end of.
          await drop();
          return {outcome: 'retryable', reason: root.message};
        }
      }
      progress = undefined;
      const reason = state.reason === undefined ? {} : {reason: state.reason};
      return {outcome: 'success', rejected: state.rejected, ...reason};
    },
    async check(signal) {
      const admin = kafka.admin();
      try {
        await until(signal, admin.connect());
        return undefined;
      } catch (error) {
        return `cannot reach ${config.brokers.join(', ')}: ${rootOf(error).message}`;
      } finally {
        await admin.disconnect().catch(() => undefined);
      }
    },
    stop: drop,
  };
}

/** Lines, a newline behind each. */
function createLines(): Rendering {
  const out = new ByteWriter(0);
  return {out, form: 'lines', write: (record) => tryWriteRecord(out, record)};
}
