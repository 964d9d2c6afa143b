// SPDX-License-Identifier: Apache-2.0
/** Exporter `statsd`: metrics as StatsD lines over UDP, TCP or unix sockets, packed and paced. */
import {getSystemErrorName} from 'node:util';
import type {Clock} from '../../base/clock.js';
import {ScopeError} from '../../base/errors.js';
import type {StatsdExporterConfig} from '../../config/types.js';
import type {ExporterContext} from '../../delivery/context.js';
import {createDatagrams, type Datagrams} from '../../delivery/datagram.js';
import type {PlainExporter, SendResult} from '../../delivery/exporter.js';
import {createStream} from '../../delivery/stream.js';
import {statsdPrefix} from '../../records/statsd.js';
import type {RelayRecord} from '../../records/types.js';
import {createPace, linesOf, packLines} from './pack.js';

/** Pieces of a stream: small, so that little is sent twice after a broken connection. */
const STREAM_PIECE = 64 * 1024;

/** How packets leave. */
interface Transport {
  open(signal: AbortSignal): Promise<void>;
  send(packet: Buffer, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

function overStream(settings: {host?: string; port?: number; path?: () => string}): Transport {
  const stream = createStream(settings);
  const newline = Buffer.from('\n');
  return {
    open: (signal) => stream.open(signal),
    send: (packet, signal) => stream.write([packet, newline], signal),
    close: () => stream.close(),
  };
}

function overDatagrams(datagrams: Datagrams): Transport {
  return {
    open: (signal) => datagrams.open(signal),
    send: (packet) => datagrams.send(packet),
    close() {
      datagrams.close();
      return Promise.resolve();
    },
  };
}

/** A full receiver is asked again after this time. */
const FULL_PAUSE_MS = 2;

function overUnixgram(path: string, clock: Clock): Transport {
  let fd: number | undefined;
  return {
    // The addon is loaded only by who needs it.
    async open() {
      if (fd !== undefined) return;
      const {openUnixgram} = await import('../../channel/unixgram.js');
      try {
        fd = openUnixgram(path);
      } catch (error) {
        throw new Error(`${path}: ${(error as Error).message}`, {cause: error});
      }
    },
    async send(packet, signal) {
      const {sendUnixgram} = await import('../../channel/unixgram.js');
      for (;;) {
        const error = sendUnixgram(fd!, packet);
        if (error === 0) return;
        const name = getSystemErrorName(-error);
        if (name !== 'EAGAIN' && name !== 'ENOBUFS') throw new Error(`${path}: ${name}`);
        await new Promise<void>((resolve) => clock.after(FULL_PAUSE_MS, resolve));
        if (signal.aborted) throw new Error('aborted');
      }
    },
    async close() {
      if (fd !== undefined) (await import('../../channel/unixgram.js')).closeUnixgram(fd);
      fd = undefined;
    },
  };
}

function transportOf(config: StatsdExporterConfig, context: ExporterContext): Transport {
  const port = Number(config.port);
  switch (config.protocol) {
    case 'udp':
      return overDatagrams(createDatagrams(config.host, port));
    case 'tcp':
      return overStream({host: config.host, port});
    case 'unix':
    case 'unixgram': {
      const {path} = config;
      if (!path) {
        const key = `exporters.${context.name}.path`;
        throw new ScopeError('SCOPE_CONFIG_INVALID', `${key}: needed for protocol ${config.protocol}`);
      }
      return config.protocol === 'unix' ? overStream({path: () => path}) : overUnixgram(path, context.clock);
    }
  }
}

export function createExporter(config: StatsdExporterConfig, context: ExporterContext): PlainExporter {
  const options = {
    prefix: statsdPrefix(config.prefix),
    dialect: config.dialect,
    maxLength: config.max_length,
    verbosity: config.verbosity,
  };
  const transport = transportOf(config, context);
  const datagrams = config.protocol === 'udp' || config.protocol === 'unixgram';
  const pace = createPace(datagrams ? config.max_packets_per_second : 0, context.clock);
  /** Counters must not be sent twice: a batch that is offered again goes on where it stood. */
  let progress:
    | {batch: readonly RelayRecord[]; packets: Buffer[]; next: number; rejected: number}
    | undefined;

  function encode(batch: readonly RelayRecord[]): NonNullable<typeof progress> {
    const {lines, rejected} = linesOf(batch, options);
    const packets = packLines(lines, datagrams ? config.max_packet : STREAM_PIECE);
    return {batch, packets, next: 0, rejected};
  }

  return {
    type: 'statsd',
    accepts: (record) => record.kind === 'metric',
    start: () => Promise.resolve(),
    async send(batch, signal): Promise<SendResult> {
      if (progress?.batch !== batch) progress = encode(batch);
      const state = progress;
      try {
        await transport.open(signal);
        for (; state.next < state.packets.length; state.next++) {
          await pace(signal);
          if (signal.aborted) throw new Error('aborted');
          await transport.send(state.packets[state.next]!, signal);
        }
      } catch (error) {
        await transport.close();
        return {outcome: 'retryable', reason: (error as Error).message};
      }
      progress = undefined;
      return state.rejected > 0
        ? {
            outcome: 'success',
            rejected: state.rejected,
            reason: 'lines too long or values that are no numbers',
          }
        : {outcome: 'success'};
    },
    async check(signal) {
      try {
        await transport.open(signal);
        return undefined;
      } catch (error) {
        return (error as Error).message;
      }
    },
    stop: () => transport.close(),
  };
}
