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
import type {RenderingExporter, SendResult} from '../../delivery/exporter.js';
import {renderAll} from '../../delivery/render.js';
import {createStream, type Stream} from '../../delivery/stream.js';
import {tlsOptions} from '../../delivery/tls.js';
import {isLine, type StartOptions} from '../../records/ndjson.js';
import type {Item} from '../../records/rendered.js';
import type {Process} from '../../records/types.js';
import {createIntroductions, createLines, type Introductions, payloadBytes} from './encode.js';

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

export function createExporter(config: SocketExporterConfig, context: ExporterContext): RenderingExporter {
  if (config.protocol === 'unix' && !config.path) {
    throw new ScopeError('SCOPE_CONFIG_INVALID', `exporters.${context.name}.path: needed for protocol unix`);
  }
  const auth: StartOptions = config.authtoken ? {authToken: config.authtoken} : {};
  return config.protocol === 'udp' ? overUdp(config, context, auth) : overStream(config, context, auth);
}

function overStream(
  config: SocketExporterConfig,
  context: ExporterContext,
  auth: StartOptions,
): RenderingExporter {
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
  const rendering = createLines();

  /** The start message of each process that the connection does not know, and what its process says. */
  async function write(
    line: Line,
    items: readonly Item[],
    bytesOf: (item: Item) => Buffer[],
    signal: AbortSignal,
  ): Promise<void> {
    await line.stream.open(signal);
    if (line.stream.generation !== line.generation) {
      line.generation = line.stream.generation;
      line.introductions.forgetPeer();
    }
    const buffers: Buffer[] = [];
    for (const item of items) {
      const start = line.introductions.of(processOf(item), line.options);
      if (start !== undefined) buffers.push(start);
      buffers.push(...bytesOf(item));
    }
    if (buffers.length > 0) await line.stream.write(buffers, signal);
  }

  return {
    type: 'socket',
    rendering,
    accepts: (record) => isLine(record) || record.kind === 'payload',
    start: () => Promise.resolve(),
    async send(batch, signal): Promise<SendResult> {
      const {items, rejected} = renderAll(batch, rendering);
      try {
        records.introductions.learn(items);
        payloads.introductions.learn(items);
        const lines = items.filter((item) => item.kind !== 'payload');
        const raw = items.filter((item) => item.kind === 'payload');
        // Of a start message nothing is left to say: introductions said it, now or earlier on this connection.
        if (lines.length > 0)
          await write(records, lines, (item) => (item.kind === 'rendered' ? [item.bytes] : []), signal);
        if (raw.length > 0)
          await write(payloads, raw, (item) => (item.kind === 'payload' ? payloadBytes(item) : []), signal);
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

/** A line, or none where a process is to be introduced only. */
interface Datagram {
  process: Process;
  bytes: Buffer | undefined;
}

function overUdp(
  config: SocketExporterConfig,
  context: ExporterContext,
  auth: StartOptions,
): RenderingExporter {
  const datagrams = createDatagrams(config.host, portOf(config, context));
  const introductions = createIntroductions(config.start_message);
  const rendering = createLines();
  let progress: {batch: readonly Item[]; lines: Datagram[]; next: number; rejected: number} | undefined;

  function begin(batch: readonly Item[]) {
    const {items, rejected} = renderAll(batch, rendering);
    introductions.learn(items);
    const lines = items.flatMap((item): Datagram[] => {
      const process = processOf(item);
      if (item.kind !== 'rendered') return [{process, bytes: undefined}];
      return Array.from(splitLines(item.bytes), (bytes) => ({process, bytes}));
    });
    return {batch, lines, next: 0, rejected};
  }

  async function send({process, bytes}: Datagram): Promise<boolean> {
    const start = introductions.of(process, auth);
    if (start !== undefined && start.length <= LARGEST_DATAGRAM) await datagrams.send(start);
    if (bytes === undefined) return true;
    if (bytes.length > LARGEST_DATAGRAM) return false;
    await datagrams.send(bytes);
    return true;
  }

  return {
    type: 'socket',
    rendering,
    accepts: isLine,
    start: () => Promise.resolve(),
    async send(batch, signal): Promise<SendResult> {
      if (progress?.batch !== batch) progress = begin(batch);
      try {
        await datagrams.open(signal);
        for (; progress.next < progress.lines.length; progress.next++) {
          if (signal.aborted) throw new Error('aborted');
          if (!(await send(progress.lines[progress.next]!))) progress.rejected++;
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

const processOf = (item: Item): Process => (item.kind === 'rendered' ? item.first.process : item.process);

function* splitLines(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at) + 1 || bytes.length;
    yield bytes.subarray(at, end);
    at = end;
  }
}
