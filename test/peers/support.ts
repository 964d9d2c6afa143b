// SPDX-License-Identifier: Apache-2.0
/** Real servers for tests: found in the cache that install.sh fills, started in process groups, always killed. */
import {type ChildProcess, spawn} from 'node:child_process';
import {closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync} from 'node:fs';
import {connect, createServer} from 'node:net';
import {homedir, tmpdir} from 'node:os';
import {join} from 'node:path';
import {systemClock} from '../../src/base/clock.js';
import type {ExporterConfig} from '../../src/config/types.js';
import {deliverySettings} from '../../src/delivery/config.js';
import {createDestination, type Destination} from '../../src/delivery/destination.js';
import type {RelayRecord} from '../../src/records/types.js';
import {loadExporter} from '../../src/relay/exporters.js';
import {makeContext, until} from '../helpers/delivery.js';
import {makeEvent, makeMetric, makeProcess} from '../helpers/records.js';

const CACHE = process.env.APPSCOPE_TEST_PEERS ?? join(homedir(), '.cache/appscope-test-peers');

/** Path of something installed; undefined: it is not there. */
export function installed(name: string): string | undefined {
  const path = join(CACHE, name);
  return existsSync(path) ? path : undefined;
}

export interface Server {
  readonly pid: number;
  /** What it wrote so far. */
  output(): string;
  /** Stops and continues it: a peer that is there and does not answer. */
  freeze(): void;
  thaw(): void;
  /** Ends it and what it started; resolves when it is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** One per test file: everything it starts or makes ends with it. */
export class Bench {
  readonly folder = mkdtempSync(join(tmpdir(), 'scope-peers-'));
  readonly #servers = new Set<ChildProcess>();
  readonly #destinations = new Set<Destination>();
  #logs = 0;

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Starts a server in a group of its own, output in a file. */
  start(command: string, args: string[], env: Record<string, string> = {}): Server {
    const log = this.path(`log-${this.#logs++}`);
    const fd = openSync(log, 'a', 0o600);
    const child = spawn(command, args, {
      cwd: this.folder,
      detached: true,
      stdio: ['ignore', fd, fd],
      env: {...process.env, ...env},
    });
    closeSync(fd);
    this.#servers.add(child);
    const gone = new Promise<void>((resolve) => {
      child.on('error', () => resolve());
      child.on('exit', () => resolve());
    });
    return {
      pid: child.pid ?? 0,
      output: () => readFileSync(log, 'utf8'),
      freeze: () => killGroup(child, 'SIGSTOP'),
      thaw: () => killGroup(child, 'SIGCONT'),
      kill: async (signal = 'SIGKILL') => {
        killGroup(child, signal);
        const timer = setTimeout(() => killGroup(child, 'SIGKILL'), 15_000);
        await gone;
        clearTimeout(timer);
        this.#servers.delete(child);
      },
    };
  }

  /** A started destination around the exporter that the configuration describes. */
  async destination(config: ExporterConfig): Promise<Destination> {
    const exporter = await loadExporter(config, makeContext());
    const settings = {...deliverySettings(config, this.path('queue')), name: 'here'};
    const destination = createDestination(settings, exporter, systemClock);
    this.#destinations.add(destination);
    await destination.start();
    return destination;
  }

  async end(): Promise<void> {
    for (const child of this.#servers) killGroup(child, 'SIGKILL');
    await Promise.all([...this.#destinations].map((destination) => destination.stop(0)));
    rmSync(this.folder, {recursive: true, force: true});
  }
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // Gone already.
  }
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const {port} = server.address() as {port: number};
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

/** Resolves when something listens there. */
export async function listening(port: number, server: Server, ms = 60_000): Promise<void> {
  const end = Date.now() + ms;
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect({port, host: '127.0.0.1'});
      socket.on('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    if (Date.now() > end) throw new Error(`nothing listens on ${port}:\n${server.output().slice(-2000)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Polls an answer until it is one. */
export async function eventually<T>(
  ask: () => Promise<T | undefined>,
  what: string,
  ms = 30_000,
): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const found = await ask().catch(() => undefined);
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`gave up waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export const drained = (destination: Destination, ms = 60_000) =>
  until(() => destination.status().queued === 0, `an empty queue: ${destination.status().reason ?? ''}`, ms);

export const shop = makeProcess({
  uuid: '8b0a0a48-5a3f-4c53-9a6e-1f2d3c4b5a69',
  proc: 'shop',
  pid: 77,
  env: {OTEL_SERVICE_NAME: 'shop'},
  tags: {team: 'blue'},
});

/** Events `n=FROM;` to `n=TO-1;`. */
export function events(from: number, to: number): RelayRecord[] {
  return Array.from({length: to - from}, (_, i) =>
    makeEvent({process: shop, time: Date.now() / 1000, data: {message: `n=${from + i};`}}),
  );
}

/** Counters of 1, `count` in each of `series` series. */
export function counters(series: number, count: number): RelayRecord[] {
  return Array.from({length: series * count}, (_, i) =>
    makeMetric({
      process: shop,
      name: 'fs.read',
      unit: 'byte',
      value: 1,
      time: Date.now() / 1000,
      startTime: Date.now() / 1000 - 10,
      attributes: {file: `/f${i % series}`},
    }),
  );
}

export function numbersIn(text: string): number[] {
  return Array.from(text.matchAll(/n=(\d+);/g), (match) => Number(match[1]));
}
