// SPDX-License-Identifier: Apache-2.0
/** Exporter `splunk`: events and metrics to the HTTP event collector, on request until the indexer acknowledges. */
import {randomUUID} from 'node:crypto';
import type {SplunkExporterConfig} from '../../config/types.js';
import type {ExporterContext} from '../../delivery/context.js';
import type {PlainExporter, SendResult} from '../../delivery/exporter.js';
import {compress} from '../../delivery/gzip.js';
import {createHttpClient, type HttpAnswer, parseUrl, refusal} from '../../delivery/http.js';
import {tlsOptions} from '../../delivery/tls.js';
import type {RelayRecord} from '../../records/types.js';
import {createHecEncoder, type Piece} from './encode.js';

/** Older collectors take a megabyte. */
const PIECE_BYTES = 800 * 1024;
/**
 * An indexer may take far longer than a request may. After this time what it should acknowledge is taken to be lost, as by its
 * restart: Splunk's own forwarders wait as long.
 */
const ACK_PATIENCE_MS = 300_000;
/** What is wrong here or there and will be mended, rather than wrong with the data. */
const MENDABLE = new Set([401, 403, 404]);

interface Progress {
  batch: readonly RelayRecord[];
  pieces: Piece[];
  rejected: number;
  reason: string | undefined;
  /** Acknowledgements still awaited. */
  acks: number[];
  /** Clock.now() when the first of them was asked for. */
  since: number;
}

interface HecAnswer {
  text?: string;
  code?: number;
  ackId?: number;
  'invalid-event-number'?: number;
  acks?: Record<string, boolean>;
}

function parseAnswer({body}: HttpAnswer): HecAnswer {
  try {
    return JSON.parse(body.toString()) as HecAnswer;
  } catch {
    return {};
  }
}

const NO_ACKS = 'the token has no indexer acknowledgement: events count as sent without it';

/** What is left of a piece after object number `index`. */
function after(piece: Piece, index: number): Piece | undefined {
  const start = piece.starts[index + 1];
  if (start === undefined) return undefined;
  return {
    bytes: piece.bytes.subarray(start),
    starts: piece.starts.slice(index + 1).map((offset) => offset - start),
  };
}

export function createExporter(config: SplunkExporterConfig, context: ExporterContext): PlainExporter {
  const endpoint = parseUrl(config.endpoint, `exporters.${context.name}.endpoint`);
  const encoder = createHecEncoder(config);
  const client = createHttpClient(tlsOptions(config.tls, endpoint.protocol === 'https:'));
  const channel = randomUUID();
  const base = endpoint.pathname.replace(/\/+$/, '').replace(/\/services\/collector(\/event)?$/, '');
  const path = (name: string): URL => new URL(`${base}/services/collector/${name}`, endpoint);
  const ackUrl = path('ack');
  ackUrl.searchParams.set('channel', channel);
  let progress: Progress | undefined;

  function post(url: URL, body: Uint8Array, signal: AbortSignal, encoding?: string): Promise<HttpAnswer> {
    const headers = {
      authorization: `Splunk ${config.token}`,
      'content-type': 'application/json',
      'user-agent': `appscope/${context.version}`,
      'x-splunk-request-channel': channel,
      ...(encoding === undefined ? {} : {'content-encoding': encoding}),
    };
    return client.post(url, headers, body, signal);
  }

  function refused(answer: HttpAnswer): Exclude<SendResult, {outcome: 'success'}> | undefined {
    const result = refusal(answer, context.clock.wall());
    if (result?.outcome === 'failure' && MENDABLE.has(answer.status))
      return {...result, outcome: 'retryable'};
    return result;
  }

  /** Sends the first piece; undefined: go on. */
  async function sendPiece(state: Progress, signal: AbortSignal): Promise<SendResult | undefined> {
    const piece = state.pieces[0]!;
    const gzipped = config.compression === 'gzip';
    const answer = await post(
      path('event'),
      gzipped ? await compress(piece.bytes) : piece.bytes,
      signal,
      gzipped ? 'gzip' : undefined,
    );
    const result = refused(answer);
    if (result?.outcome === 'retryable') return result;
    const parsed = parseAnswer(answer);
    if (result === undefined) {
      state.pieces.shift();
      if (config.acknowledge && parsed.ackId === undefined) state.reason = NO_ACKS;
      else if (config.acknowledge) {
        if (state.acks.length === 0) state.since = context.clock.now();
        state.acks.push(parsed.ackId!);
      }
      return undefined;
    }
    // Everything before the object it names was taken.
    const bad = parsed['invalid-event-number'];
    state.reason = result.reason;
    if (bad !== undefined && bad >= 0 && bad < piece.starts.length) {
      state.rejected++;
      const rest = after(piece, bad);
      state.pieces.splice(0, 1, ...(rest === undefined ? [] : [rest]));
    } else {
      state.rejected += piece.starts.length;
      state.pieces.shift();
    }
    return undefined;
  }

  async function pause(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        context.clock.cancel(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = context.clock.after(config.ack_interval, done);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
    if (signal.aborted) throw new Error('the indexer has not acknowledged yet');
  }

  async function awaitAcks(state: Progress, signal: AbortSignal): Promise<SendResult | undefined> {
    while (state.acks.length > 0) {
      const answer = await post(ackUrl, Buffer.from(JSON.stringify({acks: state.acks})), signal);
      const result = refused(answer);
      if (result !== undefined) return {...result, outcome: 'retryable'};
      const {acks = {}} = parseAnswer(answer);
      state.acks = state.acks.filter((id) => acks[String(id)] !== true);
      if (state.acks.length > 0) await pause(signal);
    }
    return undefined;
  }

  return {
    type: 'splunk',
    accepts: (record) => record.kind === 'event' || record.kind === 'metric',
    start: () => Promise.resolve(),
    async send(batch, signal): Promise<SendResult> {
      if (progress?.batch !== batch) {
        const {pieces, invalid} = encoder.encode(batch, PIECE_BYTES);
        const reason = invalid > 0 ? 'values that are no numbers' : undefined;
        progress = {batch, pieces, rejected: invalid, reason, acks: [], since: 0};
      }
      const state = progress;
      try {
        while (state.pieces.length > 0) {
          const result = await sendPiece(state, signal);
          if (result !== undefined) return result;
        }
        const result = await awaitAcks(state, signal);
        if (result !== undefined) return result;
      } catch (error) {
        return {outcome: 'retryable', reason: (error as Error).message};
      } finally {
        // Not acknowledged means not indexed: all of it once more.
        const late = context.clock.now() - state.since >= ACK_PATIENCE_MS;
        if (state.acks.length > 0 && late) progress = undefined;
      }
      progress = undefined;
      const reason = state.reason === undefined ? {} : {reason: state.reason};
      return {outcome: 'success', rejected: state.rejected, ...reason};
    },
    async check(signal) {
      try {
        const answer = await client.post(path('health'), {}, Buffer.alloc(0), signal);
        return answer.status >= 500 ? `HTTP ${answer.status}` : undefined;
      } catch (error) {
        return `cannot connect to ${endpoint.host}: ${(error as Error).message}`;
      }
    },
    stop() {
      client.close();
      return Promise.resolve();
    },
  };
}
