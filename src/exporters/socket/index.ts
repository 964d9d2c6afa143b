// SPDX-License-Identifier: Apache-2.0
/**
 * Exporter `socket`: the NDJSON wire of AppScope 1.x over TCP, TLS, UDP or a unix socket. The wire has no
 * acknowledgement: a batch counts as sent when the system has taken all of its bytes.
 */
import {accessSync, constants} from 'node:fs';
import {ScopeError} from '../../base/errors.js';
import type {SocketExporterConfig} from '../../config/types.js';
import type {ExporterContext} from '../../delivery/context.js';
import {createDatagrams, LARGEST_DATAGRAM} from '../../delivery/datagram.js';
import type {Exporter, SendResult} from '../../delivery/exporter.js';
import {createStream, type Stream} from '../../delivery/stream.js';
import {tlsOptions} from '../../delivery/tls.js';
import {ByteWriter} from '../../records/byte-writer.js';
import {isLine, type StartOptions} from '../../records/ndjson.js';
import type {RelayRecord} from '../../records/types.js';
import {createIntroductions, type Introductions} from './encode.js';

const DEFAULT_PORT = 9109;
const EDGE_SOCKETS = ['/var/run/appscope/appscope.sock', '/opt/cribl/state/appscope.sock'];

function edgeSocket(): string {
  for (const path of EDGE_SOCKETS) {
    try {
      accessSync(path, constants.R_OK | constants.W_OK);
      return path;
    } catch {
      // The next one, then.
    }
  }
  return EDGE_SOCKETS[0]!;
}

function portOf(config: SocketExporterConfig, context: ExporterContext): number {
  const port = Number(config.port ?? DEFAULT_PORT);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new ScopeError(
    'SCOPE_CONFIG_INVALID',
    `exporters.${context.name}.port: "${config.port}" is not a port`,
  );
}

/** One connection and who was introduced on it. */
interface Line {
  stream: Stream;
  introductions: Introductions;
  generation: number;
  options: StartOptions;
}

export function createExporter(config: SocketExporterConfig, context: ExporterContext): Exporter {
  if (config.protocol === 'unix' && !config.path) {
    throw new ScopeError('SCOPE_CONFIG_INVALID', `exporters.${context.name}.path: needed for protocol unix`);
  }
  const auth: StartOptions = config.authtoken ? {authToken: config.authtoken} : {};
  return config.protocol === 'udp' ? overUdp(config, context, auth) : overStream(config, context, auth);
}

function overStream(config: SocketExporterConfig, context: ExporterContext, auth: StartOptions): Exporter {
  const tls = tlsOptions(config.tls, false);
  const where =
    config.protocol === 'tcp'
      ? {host: config.host, port: portOf(config, context)}
      : {path: config.protocol === 'edge' ? edgeSocket : () => config.path!};
  const settings = {...where, ...(tls === undefined ? {} : {tls})};
  const makeLine = (options: StartOptions): Line => ({
    stream: createStream(settings),
    introductions: createIntroductions(config.start_message),
    generation: 0,
    options: {...auth, ...options},
  });
  const records = makeLine({format: 'ndjson'});
  // Payloads go over a connection of their own, as the original sends them.
  const payloads = makeLine({format: 'scope'});
  const out = new ByteWriter();

  /** Returns how many of the records have no line. */
  async function write(line: Line, batch: readonly RelayRecord[], signal: AbortSignal): Promise<number> {
    await line.stream.open(signal);
    if (line.stream.generation !== line.generation) {
      line.generation = line.stream.generation;
      line.introductions.forgetPeer();
    }
    out.length = 0;
    const rejected = line.introductions.write(out, batch, line.options);
    if (out.length > 0) await line.stream.write(out.view(), signal);
    return rejected;
  }

  return {
    type: 'socket',
    accepts: (record) => isLine(record) || record.kind === 'payload',
    start: () => Promise.resolve(),
    async send(batch, signal): Promise<SendResult> {
      try {
        records.introductions.learn(batch);
        payloads.introductions.learn(batch);
        const raw = batch.filter((record) => record.kind === 'payload');
        const lines = raw.length === 0 ? batch : batch.filter((record) => record.kind !== 'payload');
        const rejected = lines.length > 0 ? await write(records, lines, signal) : 0;
        if (raw.length > 0) await write(payloads, raw, signal);
        return rejected > 0
          ? {outcome: 'success', rejected, reason: 'values that cannot be written'}
          : {outcome: 'success'};
      } catch (error) {
        // What was written of a batch before the break is written again: at least once.
        await Promise.all([records.stream.close(), payloads.stream.close()]);
        return {outcome: 'retryable', reason: (error as Error).message};
      }
    },
    async check(signal) {
      try {
        await records.stream.open(signal);
        return undefined;
      } catch (error) {
        return (error as Error).message;
      }
    },
    async stop() {
      await Promise.all([records.stream.close(), payloads.stream.close()]);
    },
  };
}

function overUdp(config: SocketExporterConfig, context: ExporterContext, auth: StartOptions): Exporter {
  const datagrams = createDatagrams(config.host, portOf(config, context));
  const introductions = createIntroductions(config.start_message);
  const out = new ByteWriter(LARGEST_DATAGRAM);
  let progress: {batch: readonly RelayRecord[]; next: number; rejected: number} | undefined;

  return {
    type: 'socket',
    accepts: isLine,
    start: () => Promise.resolve(),
    async send(batch, signal): Promise<SendResult> {
      if (progress?.batch !== batch) {
        progress = {batch, next: 0, rejected: 0};
        introductions.learn(batch);
      }
      try {
        await datagrams.open(signal);
        for (; progress.next < batch.length; progress.next++) {
          if (signal.aborted) throw new Error('aborted');
          out.length = 0;
          progress.rejected += introductions.write(out, [batch[progress.next]!], auth);
          for (const line of splitLines(out.view())) {
            if (line.length > LARGEST_DATAGRAM) progress.rejected++;
            else await datagrams.send(line);
          }
        }
      } catch (error) {
        datagrams.close();
        introductions.forgetPeer();
        return {outcome: 'retryable', reason: (error as Error).message};
      }
      const {rejected} = progress;
      progress = undefined;
      return rejected > 0
        ? {outcome: 'success', rejected, reason: `lines longer than a datagram (${LARGEST_DATAGRAM} bytes)`}
        : {outcome: 'success'};
    },
    stop() {
      datagrams.close();
      return Promise.resolve();
    },
  };
}

function* splitLines(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at) + 1 || bytes.length;
    yield bytes.subarray(at, end);
    at = end;
  }
}
