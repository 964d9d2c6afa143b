// SPDX-License-Identifier: Apache-2.0
/**
 * `scope relay`: takes the channels of SCOPE_DIR, old and new, routes what they say, reloads, reports, stops in order.
 * One thread, one loop: a pass over the channels when there is something, a tick each second.
 *
 * Longer than other files: one life cycle, whose state every step reads and writes.
 */

import {existsSync, mkdirSync} from 'node:fs';
import {hostname} from 'node:os';
import {join} from 'node:path';
import {systemClock} from '../../base/clock.js';
import {ScopeError} from '../../base/errors.js';
import {capYoungObjects} from '../../base/heap.js';
import {NATIVE} from '../../base/root.js';
import {type ChannelFolder, openFolder} from '../../channel/index.js';
import type {Config, Loaded} from '../../config/index.js';
import type {RelayRecord} from '../../records/types.js';
import {RELEASE} from '../../records/version.js';
import {hubOptions} from '../hub.js';
import type {Log} from '../log.js';
import {folderNotes} from '../notes.js';
import {Outputs} from '../outputs.js';
import {Pipeline, type Sink} from '../pipeline.js';
import {SendTurns} from '../turns.js';
import {type Admin, startAdmin} from './admin.js';
import {createSelfMetrics, selfProcess} from './self.js';
import {ChangingSettings, processPartsDiffer} from './settings.js';
import {type WatchedFile, watchFile} from './source-file.js';
import {hubIdentity, Positions} from './state-file.js';
import {isAlive, readStatus, type ServiceStatus, writeStatus} from './status.js';

const TICK_MS = 1000;
/** A status in which nothing changes is written this often: whoever reads it sees that we live. */
const STATUS_MS = 5000;
/**
 * What was routed becomes valid for good this often: a killed relay repeats no more than this. With many processes a save
 * takes longer, and comes less often: at most one part in COMMIT_SHARE of the time goes there.
 */
const COMMIT_MS = 250;
const COMMIT_MAX_MS = 5000;
const COMMIT_SHARE = 200;
/** In the middle of a batch it may come so much later. */
const COMMIT_PATIENCE_MS = 5000;
const PASS_MS = 8;
/** Turns that sends may leave unused while other destinations wait. */
const PATIENCE = 5;
/** No channel has this number. */
const SELF_KEY = -1;

export interface ServiceOptions {
  loaded: Loaded;
  /** Reads the configuration again; throws a ConfigError. */
  load: () => Loaded;
  dir: string;
  stateDir: string;
  log: Log;
}

/** What the library is told; the relay narrows it for each process. */
function hubForService(config: Config): ReturnType<typeof hubOptions> & {control: {wait: boolean}} {
  const {control, fileWatch} = hubOptions(config);
  return {control: {...control, wait: config.relay.wait}, fileWatch};
}

export class RelayService {
  readonly #options: ServiceOptions;
  readonly #started = new Date();
  #loaded: Loaded;
  #configLoaded = new Date();
  #configError: string | undefined;
  #state: ServiceStatus['state'] = 'starting';
  #folder!: ChannelFolder;
  #pipeline!: Pipeline;
  #outputs!: Outputs;
  #settings!: ChangingSettings;
  #admin: Admin | undefined;
  #file: WatchedFile | undefined;
  #positions: Positions | undefined;
  #timer: NodeJS.Timeout | undefined;
  #passing = false;
  #again = false;
  #commitAt = 0;
  #turns!: SendTurns;
  #reported = 0;
  #reloading: Promise<void> | undefined;
  /** A reload has changed what processes may be told apart by. */
  #retagged = false;
  /** Asked for in this slice. */
  #batches = 0;
  #selfMetrics = createSelfMetrics(selfProcess(SELF_KEY, this.#started.getTime() / 1000));
  #statusFailed = false;
  /** The last status that was written, and when it is written again although it says the same. */
  #said = '';
  #statusAt = 0;
  /** Notes that the log has. */
  #noted = 0;

  private constructor(options: ServiceOptions) {
    this.#options = options;
    this.#loaded = options.loaded;
  }

  /** Starts; rejects with a ScopeError when it cannot (folder in use, address in use, exporter refused). */
  static async start(options: ServiceOptions): Promise<RelayService> {
    const service = new RelayService(options);
    try {
      await service.#begin();
      return service;
    } catch (error) {
      await service.#close();
      throw error;
    }
  }

  get #config(): Config {
    return this.#loaded.config;
  }

  async #begin(): Promise<void> {
    const {dir, stateDir, log} = this.#options;
    mkdirSync(stateDir, {recursive: true, mode: 0o700});
    this.#refuseSecond();
    this.#outputs = await Outputs.create(this.#config, {
      clock: systemClock,
      log,
      host: hostname(),
      queues: join(stateDir, 'queues'),
    });
    this.#settings = new ChangingSettings(this.#config);
    this.#openFolder(dir);
    await this.#outputs.start();
    this.#folder.start(() => this.#pass());
    if (this.#config.relay.admin !== undefined)
      this.#admin = await startAdmin(this.#config.relay.admin, () => this.status());
    if (this.#loaded.file !== undefined) this.#file = watchFile(this.#loaded.file);
    this.#state = 'running';
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
    this.#pass();
    log.info(`relay ${RELEASE} reads ${dir}; ${Object.keys(this.#config.exporters).length} exporters`);
  }

  #refuseSecond(): void {
    const {stateDir} = this.#options;
    let other: ServiceStatus;
    try {
      other = readStatus(stateDir);
    } catch {
      return;
    }
    if (other.pid !== process.pid && isAlive(other) && Date.now() - Date.parse(other.updated) < 10_000) {
      throw new ScopeError(
        'SCOPE_IO',
        `relay.state_dir ${stateDir} is in use by the relay with pid ${other.pid}`,
      );
    }
  }

  #openFolder(dir: string): void {
    const hub = {
      ...hubForService(this.#config),
      create: true,
      library: NATIVE.libscope,
      launcher: NATIVE.launcher,
      spoolMax: this.#config.relay.spool_max_bytes,
    };
    // A hub that is not there yet has nothing saved for it.
    const known = existsSync(join(dir, 'hub'))
      ? new Positions(this.#options.stateDir, hubIdentity(dir))
      : undefined;
    const saved = known?.saved;
    this.#folder = openFolder(dir, {...hub, ...(saved ? {from: saved.position} : {})});
    this.#positions = known ?? new Positions(this.#options.stateDir, hubIdentity(dir));
    this.#folder.setControl(hub.control);
    this.#folder.setFileWatch(hub.fileWatch);
    const sink: Sink = {
      linesOnly: true,
      append: (records: readonly RelayRecord[]) => this.#outputs.append(records),
      appendLines: (span, process) => this.#outputs.appendLines(span, process),
      takesLines: (process) => this.#outputs.takesLines(process),
      logsOf: (process) => this.#outputs.logsOf(process),
      commit: (position, state) => this.#positions?.save({position, state}),
      ready: () => this.#takesMore(),
      pressed: () => !this.#outputs.ready() || (this.#state === 'running' && this.#turns.pressed),
    };
    this.#turns = new SendTurns(this.#outputs, this.#folder, () => this.#outputs.waits(), PATIENCE);
    this.#pipeline = new Pipeline({
      folder: this.#folder,
      settings: this.#settings,
      sink,
      ...(saved ? {state: saved.state} : {}),
    });
  }

  /** Takes what the channels have, in slices, so that sends and answers go on in between. */
  #pass(): void {
    capYoungObjects();
    if (this.#state === 'stopped') return;
    if (this.#passing) {
      this.#again = true;
      return;
    }
    this.#passing = true;
    this.#again = false;
    this.#slice();
  }

  /** A slice takes one batch at least, and no more than what the queues may hold without memory being the worse for it. */
  #takesMore(): boolean {
    if (!this.#outputs.ready()) return false;
    this.#batches += 1;
    return this.#batches === 1 || this.#state !== 'running' || !this.#outputs.pressed();
  }

  #slice(): void {
    if (this.#state === 'stopped') return;
    let more = false;
    this.#batches = 0;
    try {
      more = this.#pipeline.pass(PASS_MS) || this.#outputs.pressed();
      this.#commitWhenDue();
    } catch (error) {
      this.#options.log.error(`reading channels: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (more || this.#again) this.#later(more);
    else this.#passing = false;
  }

  /** The next slice: at once, when a queue that blocks has room, or when sends that are behind had their turn. */
  #later(more: boolean): void {
    this.#again = false;
    const next = (): void => this.#slice();
    if (more && !this.#outputs.ready()) {
      void this.#outputs.whenReady().then(() => setImmediate(next));
    } else if (more) this.#turns.afterSends(next);
    else setImmediate(next);
  }

  /**
   * A commit takes the rest of a batch, which a queue may have no room for: it waits for its end, within limits, and as long as
   * a queue is full that must not drop.
   */
  #commitWhenDue(): void {
    const {whole, dirty} = this.#pipeline;
    const due = this.#commitAt + (whole ? 0 : COMMIT_PATIENCE_MS);
    if (dirty && performance.now() >= due && (whole || this.#outputs.ready())) this.#commit();
  }

  #commit(): void {
    const began = performance.now();
    this.#pipeline.commit();
    const now = performance.now();
    this.#commitAt = now + Math.min(COMMIT_MAX_MS, Math.max(COMMIT_MS, (now - began) * COMMIT_SHARE));
  }

  #tick(): void {
    const {log} = this.#options;
    try {
      this.#pipeline.tick();
      this.#outputs.tick();
      this.#note();
      this.#commitWhenDue();
      this.#reportSelf();
    } catch (error) {
      log.error(`tick: ${error instanceof Error ? error.message : String(error)}`);
    }
    void this.#writeStatus();
    if (this.#file?.changed() && this.#config.relay.reload === 'auto') void this.reload();
    this.#pass();
  }

  /** What is not seen and why: once each to the log. */
  #note(): void {
    const {notes} = this.#pipeline;
    for (const note of folderNotes(this.#folder)) notes.add(note);
    for (const note of [...notes].slice(this.#noted)) this.#options.log.warning(note);
    this.#noted = notes.size;
  }

  #reportSelf(): void {
    if (!this.#config.relay.self_metrics) return;
    const now = Date.now() / 1000;
    if (now - this.#reported < this.#config.libscope.summaryperiod) return;
    this.#reported = now;
    this.#outputs.append(this.#selfMetrics(this.status(), now));
  }

  async #writeStatus(): Promise<void> {
    const status = this.status();
    // The size of memory always differs a little.
    const said = JSON.stringify({...status, updated: '', memory: 0});
    if (said === this.#said && performance.now() < this.#statusAt) return;
    this.#said = said;
    this.#statusAt = performance.now() + STATUS_MS;
    try {
      await writeStatus(this.#options.stateDir, status);
      this.#statusFailed = false;
    } catch (error) {
      this.#statusAt = 0;
      if (!this.#statusFailed)
        this.#options.log.warning(`cannot write the status: ${(error as Error).message}`);
      this.#statusFailed = true;
    }
  }

  status(): ServiceStatus {
    const {router, destinations} = this.#outputs.status();
    const {seen, live, records} = this.#pipeline.stats;
    const lost = this.#pipeline.losses(this.#state !== 'running');
    const spool = this.#folder.stats();
    return {
      pid: process.pid,
      version: RELEASE,
      state: this.#state,
      started: this.#started.toISOString(),
      updated: new Date().toISOString(),
      config: this.#loaded.file ?? '',
      configLoaded: this.#configLoaded.toISOString(),
      ...(this.#configError === undefined ? {} : {configError: this.#configError}),
      dir: this.#options.dir,
      processes: {live, seen},
      ...(this.#retagged && this.#pipeline.keepingTags > 0 ? {keepingTags: this.#pipeline.keepingTags} : {}),
      records,
      unrouted: router.unrouted,
      lost,
      notes: [...this.#pipeline.notes],
      spool: {bytes: spool.spooled, max: spool.spoolMax, full: spool.spoolFull},
      memory: process.memoryUsage.rss(),
      exporters: destinations,
      routes: router.routes,
    };
  }

  /** Port of the admin listener; 0: there is none. */
  get adminPort(): number {
    return this.#admin?.port ?? 0;
  }

  /** Takes the file over if it is right; otherwise nothing changes and the log says why. One at a time. */
  async reload(): Promise<void> {
    while (this.#reloading) await this.#reloading;
    this.#reloading = this.#takeOver().finally(() => {
      this.#reloading = undefined;
    });
    await this.#reloading;
  }

  async #takeOver(): Promise<void> {
    const {log} = this.#options;
    if (this.#state !== 'running') return;
    const before = this.#config;
    try {
      const loaded = this.#options.load();
      const difference = await this.#outputs.reload(loaded.config);
      this.#loaded = loaded;
      this.#configLoaded = new Date();
      this.#configError = undefined;
      if (processPartsDiffer(before, loaded.config)) this.#changeSettings(loaded.config);
      await this.#changeAdmin(before.relay.admin, loaded.config.relay.admin);
      for (const key of ['dir', 'state_dir', 'spool_max_bytes'] as const) {
        if (before.relay[key] !== loaded.config.relay[key])
          log.warning(`relay.${key} takes effect at the next start`);
      }
      const text = Object.entries(difference).flatMap(([what, names]) =>
        (names as string[]).length > 0 ? [`${what} ${(names as string[]).join(', ')}`] : [],
      );
      log.info(`configuration reloaded: ${text.join('; ') || 'no exporters'}`);
    } catch (error) {
      this.#configError = error instanceof Error ? error.message : String(error);
      log.error(`configuration not reloaded, the old one stays in force:\n${this.#configError}`);
    }
    await this.#writeStatus();
  }

  #changeSettings(config: Config): void {
    this.#settings.change(config);
    this.#retagged = true;
    const {control, fileWatch} = hubForService(config);
    this.#folder.setControl(control);
    this.#folder.setFileWatch(fileWatch);
    this.#pipeline.reconfigure();
  }

  async #changeAdmin(before: string | undefined, now: string | undefined): Promise<void> {
    if (before === now) return;
    await this.#admin?.close();
    this.#admin = now === undefined ? undefined : await startAdmin(now, () => this.status());
  }

  /** Reads what the channels still have, sends until the deadline, says what stays. Safe twice. */
  async stop(): Promise<void> {
    if (this.#state !== 'running') return;
    this.#state = 'stopping';
    await this.#reloading;
    clearInterval(this.#timer);
    const {log} = this.#options;
    const deadline = this.#config.relay.stop_timeout;
    const until = performance.now() + deadline / 2;
    try {
      while (this.#outputs.ready() && performance.now() < until && this.#pipeline.pass(PASS_MS)) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      this.#commit();
    } catch (error) {
      // What was not committed is read again by the next relay; what waits in queues is sent now.
      log.error(`reading channels: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#state = 'stopped';
    await this.#outputs.stop(deadline);
    for (const {name, queued, dropped} of this.#outputs.status().destinations) {
      if (queued > 0) log.warning(`exporters.${name}: ${queued} records stay in its disk queue`);
      if (dropped.stopped > 0)
        log.warning(
          `exporters.${name}: ${dropped.stopped} records could not be sent in time and were dropped`,
        );
    }
    await this.#close();
    log.info('relay stopped');
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    this.#state = 'stopped';
    await this.#admin?.close();
    if (this.#pipeline) await this.#writeStatus();
    else await this.#outputs?.stop(0);
    this.#folder?.close();
    this.#positions?.close();
  }
}
