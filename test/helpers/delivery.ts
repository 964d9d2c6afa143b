// SPDX-License-Identifier: Apache-2.0
/** The parts of an exporter's configuration that tests of exporters have in common, and small servers. */
import {createServer, type Server, type Socket} from 'node:net';
import {systemClock} from '../../src/base/clock.js';
import type {DeliveryConfig} from '../../src/delivery/config.js';
import type {ExporterContext} from '../../src/delivery/context.js';

export function makeDelivery(): DeliveryConfig {
  return {
    queue: {type: 'memory', max_bytes: 32 << 20, max_age: 0, when_full: 'drop_oldest', sync: 0},
    batch: {max_records: 1000, max_bytes: 1 << 20, interval: 5},
    retry: {initial: 10, max: 50, multiplier: 2, max_elapsed: 0},
    timeout: 10_000,
  };
}

export function makeContext(change: Partial<ExporterContext> = {}): ExporterContext {
  return {
    name: 'here',
    clock: systemClock,
    version: '2.0.0',
    host: 'relayhost',
    log: () => undefined,
    ...change,
  };
}

/** A signal that is never given. */
export const NEVER = new AbortController().signal;

/** Polls until `check` holds; for what arrives by the kernel, never for time to pass. */
export async function until(check: () => boolean, what = 'condition', ms = 30_000): Promise<void> {
  const end = Date.now() + ms;
  while (!check()) {
    if (Date.now() > end) throw new Error(`gave up waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Collects what arrives on stream connections. */
export interface Collector {
  /** Text of each connection, in order of connecting. */
  readonly texts: string[];
  readonly port: number;
  /** Ends connections and listener. */
  close(): Promise<void>;
}

export async function collect(listen: {port?: number; path?: string}, server?: Server): Promise<Collector> {
  const texts: string[] = [];
  const sockets = new Set<Socket>();
  const made = server ?? createServer();
  made.on(server === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    sockets.add(socket);
    const index = texts.push('') - 1;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      texts[index] += text;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    made.once('error', reject);
    made.listen(
      listen.path === undefined ? {port: listen.port ?? 0, host: '127.0.0.1'} : {path: listen.path},
      () => resolve(),
    );
  });
  const address = made.address();
  return {
    texts,
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: () =>
      new Promise((resolve) => {
        made.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
