// SPDX-License-Identifier: Apache-2.0
/**
 * All remote destinations of a relay behind one door: router, then one destination per exporter. The session relay (when
 * its configuration has exporters) and the service use it alike.
 *
 *   append(records) -> redact -> routes -> transforms -> destination a: queue -> batch -> send
 *                                                     -> destination b: queue -> batch -> send
 */
import {join} from 'node:path';
import type {Clock, Timer} from '../base/clock.js';
import type {LineSpan} from '../channel/index.js';
import type {Config, ExporterConfig} from '../config/index.js';
import {deliverySettings} from '../delivery/config.js';
import {createDestination, type Destination, type DestinationStatus} from '../delivery/destination.js';
import type {Exporter, MadeForm} from '../delivery/exporter.js';
import type {Event, Process, RelayRecord} from '../records/types.js';
import {RELEASE} from '../records/version.js';
import {
  createRouter,
  type Deliveries,
  fileEvent,
  type LinePlan,
  type Router,
  type RouterStatus,
} from '../routing/index.js';
import {loadExporter} from './exporters.js';
import type {Log} from './log.js';
import {fileLogs} from './sources/file-logs.js';

export type OutputsConfig = Pick<Config, 'exporters' | 'routes' | 'default' | 'relay'>;

export interface OutputsContext {
  clock: Clock;
  log: Log;
  host: string;
  /** Folder for disk queues that name none. */
  queues: string;
}

export interface OutputsStatus {
  router: RouterStatus;
  destinations: DestinationStatus[];
}

/** What a reload did. */
export interface Difference {
  added: string[];
  changed: string[];
  removed: string[];
  kept: string[];
}

interface Running {
  config: ExporterConfig;
  destination: Destination;
  /** Last state that was logged. */
  said: string;
}

export class Outputs {
  readonly #context: OutputsContext;
  readonly #running = new Map<string, Running>();
  #router: Router;
  #config: OutputsConfig;
  readonly #retiring = new Set<Promise<void>>();
  /** Records that came during a reload. */
  #held: RelayRecord[] | undefined;
  #reloading: Promise<void> | undefined;

  private constructor(config: OutputsConfig, context: OutputsContext) {
    this.#config = config;
    this.#context = context;
    this.#router = createRouter(config, () => context.clock.now());
  }

  /** Makes every destination; none is started. Throws what an exporter has against its configuration. */
  static async create(config: OutputsConfig, context: OutputsContext): Promise<Outputs> {
    const outputs = new Outputs(config, context);
    for (const [name, exporter] of Object.entries(config.exporters)) {
      outputs.#running.set(name, outputs.#wrap(name, exporter, await outputs.#exporter(name, exporter)));
    }
    return outputs;
  }

  #exporter(name: string, config: ExporterConfig): Promise<Exporter> {
    const {clock, log, host} = this.#context;
    const say = (text: string): void => log.info(`exporters.${name}: ${text}`);
    return loadExporter(config, {name, clock, host, version: RELEASE.replace(/^v/, ''), log: say});
  }

  /** With its queue: opens the folder of a disk queue. */
  #wrap(name: string, config: ExporterConfig, exporter: Exporter): Running {
    const settings = {...deliverySettings(config, join(this.#context.queues, name)), name};
    return {
      config,
      destination: createDestination(settings, exporter, this.#context.clock),
      said: 'starting',
    };
  }

  /** Opens the destinations. One that cannot be opened is an error: a peer that is down is not. */
  async start(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({destination}) => destination.start()));
  }

  /** Routes the records and hands them to the queues; the list is not kept. */
  append(records: readonly RelayRecord[]): void {
    if (this.#held) this.#held.push(...records);
    else this.#deliver(this.#router.route(records));
  }

  /** Whether opens and closes of a process may come as lines: no route changes them, and all destinations take them made. */
  takesLines(process: Process): boolean {
    return this.#plan(process) !== undefined;
  }

  /** How log records of them are made beside their lines; undefined: no destination takes those. */
  logsOf(process: Process): typeof fileLogs | undefined {
    return this.#plan(process)?.to.some((name) => this.#form(name) === 'logs') ? fileLogs : undefined;
  }

  #form(name: string): MadeForm | undefined {
    return this.#running.get(name)?.destination.form;
  }

  #plan(process: Process): LinePlan | undefined {
    const plan = this.#router.linePlan(process);
    const taken = plan?.to.every((name) => !this.#running.has(name) || this.#form(name) !== undefined);
    return taken ? plan : undefined;
  }

  /** Opens and closes of a process, made already. What cannot go on so becomes events again. */
  appendLines(span: Readonly<LineSpan>, process: Process): void {
    const {bytes, ends, doubts, from, to, logs} = span;
    let plan = this.#held ? undefined : this.#plan(process);
    // Since they were made a destination came that takes log records.
    if (logs === undefined && plan?.to.some((name) => this.#form(name) === 'logs')) plan = undefined;
    const first = fileEvent(process);
    let start = from;
    let count = 0;
    const hand = (until: number): void => {
      if (count === 0) return;
      plan!.count(count);
      for (const name of plan!.to) {
        const made = this.#form(name) === 'logs' ? logs! : span;
        const some = made.bytes.subarray(startOf(made.ends, start), startOf(made.ends, until));
        this.#running.get(name)?.destination.pushMade(some, count, first);
      }
      count = 0;
    };
    for (let i = from; i < to; i++) {
      const at = startOf(ends, i);
      if (ends[i] === at) continue;
      if (plan !== undefined && !(plan.redacts && doubts[i] === 1)) {
        count++;
        continue;
      }
      hand(i);
      this.append([eventOf(bytes.subarray(at, ends[i]), process)]);
      start = i + 1;
    }
    hand(to);
  }

  /** False: a destination that must not drop is full; `whenReady` tells when it has room. */
  ready(): boolean {
    if (this.#held) return false;
    for (const {destination} of this.#running.values()) if (destination.blocked) return false;
    return true;
  }

  /** A destination that takes records is behind: more waits than is good for the memory of short-lived objects. */
  pressed(): boolean {
    for (const {destination} of this.#running.values()) if (destination.behind) return true;
    return false;
  }

  /** A destination that takes records is not behind, and waits for more. */
  waits(): boolean {
    for (const {destination} of this.#running.values())
      if (destination.state === 'ok' && !destination.behind) return true;
    return false;
  }

  async whenReady(): Promise<void> {
    await this.#reloading;
    await Promise.all([...this.#running.values()].map(({destination}) => destination.ready()));
  }

  /** About once a second: aggregates that are due, states that changed. */
  tick(): void {
    this.#deliver(this.#router.due(this.#context.clock.now()));
    for (const [name, running] of this.#running) {
      const {state, reason} = running.destination.status();
      if (state === running.said) continue;
      const {log} = this.#context;
      if (state === 'ok') {
        if (running.said !== 'starting') log.info(`exporters.${name}: reachable again`);
      } else if (state !== 'starting')
        log.warning(`exporters.${name}: ${state}: ${reason ?? 'no reason given'}`);
      running.said = state;
    }
  }

  #deliver(deliveries: Deliveries): void {
    for (const [name, records] of deliveries) this.#running.get(name)?.destination.push(records);
  }

  status(): OutputsStatus {
    return {
      router: this.#router.status(),
      destinations: [...this.#running.values()].map(({destination}) => destination.status()),
    };
  }

  /**
   * Takes over another configuration: exporters that are the same keep queue and connection, the others are drained and
   * replaced. When a new exporter cannot be made, nothing has changed.
   */
  async reload(config: OutputsConfig): Promise<Difference> {
    const change = this.#change(config);
    this.#reloading = change.then(
      () => undefined,
      () => undefined,
    );
    return change;
  }

  async #change(config: OutputsConfig): Promise<Difference> {
    const difference = compare(this.#config.exporters, config.exporters);
    const exporters = new Map<string, Exporter>();
    for (const name of [...difference.added, ...difference.changed]) {
      exporters.set(name, await this.#exporter(name, config.exporters[name]!));
    }
    this.#held = [];
    try {
      this.#deliver(this.#router.due(this.#context.clock.now(), true));
      for (const name of difference.removed) this.#retire(name, config.relay.stop_timeout);
      // A changed exporter may use the same folder, port or file: the old one ends before the new one begins.
      await Promise.all(difference.changed.map((name) => this.#retire(name, config.relay.stop_timeout)));
      for (const [name, exporter] of exporters) await this.#begin(name, config.exporters[name]!, exporter);
      this.#router = createRouter(config, () => this.#context.clock.now());
      this.#config = config;
    } finally {
      const held = this.#held;
      this.#held = undefined;
      this.append(held);
    }
    return difference;
  }

  async #begin(name: string, config: ExporterConfig, exporter: Exporter): Promise<void> {
    try {
      const running = this.#wrap(name, config, exporter);
      this.#running.set(name, running);
      await running.destination.start();
    } catch (error) {
      this.#context.log.error(
        `exporters.${name}: cannot be started: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  async #retire(name: string, deadlineMs: number): Promise<void> {
    const running = this.#running.get(name);
    if (!running) return;
    this.#running.delete(name);
    const stopping = running.destination.stop(deadlineMs);
    this.#retiring.add(stopping);
    await stopping;
    this.#retiring.delete(stopping);
    const {dropped, queued} = running.destination.status();
    if (dropped.stopped > 0)
      this.#context.log.warning(
        `exporters.${name}: ${dropped.stopped} records could not be sent in time and were dropped`,
      );
    if (queued > 0) this.#context.log.warning(`exporters.${name}: ${queued} records stay in its disk queue`);
  }

  /** Whether each peer can be reached; undefined: yes. An exporter that does not answer in time cannot. */
  async check(timeoutMs: number): Promise<Map<string, string | undefined>> {
    const found = new Map<string, string | undefined>();
    await Promise.all(
      [...this.#running].map(async ([name, {destination}]) => {
        found.set(name, await this.#checkOne(destination, timeoutMs));
      }),
    );
    return found;
  }

  async #checkOne(destination: Destination, timeoutMs: number): Promise<string | undefined> {
    const {clock} = this.#context;
    const abort = new AbortController();
    let timer: Timer | undefined;
    const late = new Promise<string>((resolve) => {
      timer = clock.after(timeoutMs, () => {
        abort.abort(new Error('timeout'));
        resolve(`no answer in ${timeoutMs} ms`);
      });
    });
    try {
      return await Promise.race([destination.check(abort.signal), late]);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      if (timer) clock.cancel(timer);
    }
  }

  /** Sends what is held back and queued until the deadline; the rest stays in disk queues or is counted as dropped. */
  async stop(deadlineMs: number): Promise<void> {
    this.#deliver(this.#router.due(this.#context.clock.now(), true));
    await Promise.all([
      ...this.#retiring,
      ...[...this.#running.values()].map(({destination}) => destination.stop(deadlineMs)),
    ]);
  }
}

/** Exporters are the same when their configuration is, whatever the order of its keys. */
function compare(old: Config['exporters'], now: Config['exporters']): Difference {
  const text = (config: ExporterConfig): string => JSON.stringify(config);
  const difference: Difference = {added: [], changed: [], removed: [], kept: []};
  for (const [name, config] of Object.entries(now)) {
    const before = Object.hasOwn(old, name) ? old[name] : undefined;
    if (!before) difference.added.push(name);
    else difference[text(before) === text(config) ? 'kept' : 'changed'].push(name);
  }
  difference.removed = Object.keys(old).filter((name) => !Object.hasOwn(now, name));
  return difference;
}

/** Where the i-th of some things begins, by where they end. */
function startOf(ends: Uint32Array, i: number): number {
  return i === 0 ? 0 : ends[i - 1]!;
}

/** The event that a line shows. */
function eventOf(line: Buffer, process: Process): Event {
  const {_channel, body} = JSON.parse(line.toString()) as {
    _channel: string;
    body: {sourcetype: 'fs'; source: string; _time: number; data: Record<string, unknown>};
  };
  const {sourcetype, source, _time, data} = body;
  return {kind: 'event', sourcetype, source, time: _time, channel: _channel, data, process};
}
