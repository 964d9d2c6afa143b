// SPDX-License-Identifier: Apache-2.0
/**
 * From the channels of a folder to sinks: batches are decoded by the sources of their process image, periods are
 * reported, ends are noticed. The session relay and the relay service drive the same pipeline.
 *
 *   ChannelFolder -> batch -> ProcessImage -> its sources -> records -> sink.append ... sink.commit, folder.commit
 *
 * Longer than other files: a pass can end in the middle of a batch, and every step has to know where.
 */
import {existsSync} from 'node:fs';
import {basename, join} from 'node:path';
import {
  type Batch,
  type Channel,
  type ChannelFolder,
  type FileLogParts,
  LineRun,
  type LineSpan,
  LOST,
  REC,
  RecordCursor,
} from '../channel/index.js';
import type {Process, RelayRecord} from '../records/types.js';
import {BoundedMap} from './bounded-map.js';
import {ProcessImage} from './image.js';
import {noteText} from './note-text.js';
import {ancestors, describe, type Lineage} from './process-info.js';
import {Running} from './running.js';
import type {Settings, SettingsSource} from './settings.js';
import {SOURCES} from './sources/index.js';
import type {SourceKind} from './sources/source.js';
import {type ImageState, NEW_STATE, type RelayState} from './state.js';
import {controlOf} from './want.js';

/** Where records go. */
export interface Sink {
  append(records: readonly RelayRecord[]): void;
  /** Everything appended is kept when this returns; `position` and `state` are what a next relay goes on from. */
  commit(position: number, state: RelayState): void;
  /** False: no more batches are taken for now (a full queue that must not drop). */
  ready?(): boolean;
  /** True: a pass ends, also in the middle of a batch, which may be many times what a queue holds. */
  pressed?(): boolean;
  /**
   * Lines of fs.open and fs.close of this process as they are, in order with what is appended. Where a sink has it, these
   * events come in no other way, unless a filter or the verbosity asks for more than their lines.
   */
  appendLines?(span: Readonly<LineSpan>, process: Process): void;
  /** Whether it takes lines of this process, asked at its beginning; without it: of all. */
  takesLines?(process: Process): boolean;
  /** How log records of OTLP are made beside the lines of this process, asked for each batch; undefined: none are wanted. */
  logsOf?(process: Process): ((image: ProcessImage) => FileLogParts) | undefined;
  /** Most events become NDJSON lines: their sources may render them, and make `data` when somebody asks. */
  readonly linesOnly?: boolean;
}

export interface PipelineOptions {
  folder: ChannelFolder;
  settings: SettingsSource;
  sink: Sink;
  /** Of the relay before us, at the position the folder goes on from. */
  state?: RelayState;
  /** Seconds since the epoch. */
  now?: () => number;
  kinds?: readonly SourceKind[];
}

export interface PipelineStats {
  seen: number;
  live: number;
  records: number;
  /** Records lost by cause, of images that are over; losses() has all. */
  lost: Record<string, number>;
}

/** What stays the same through exec. */
const processKey = ({header}: Channel): string => `${header.pidNs}:${header.pid}`;

const HAND_OVER = 2048;
/** Records between two looks at the clock. */
const LOOK = 16;
/** And between two at the sink. */
const LOOK_AT_SINK = 256;
/** Open files and connections of all images together that are handed to the next relay; /proc shows the rest. */
const OPEN_KEPT = 4096;
const OPEN_LEAST = 8;
/** Most notes that are kept. */
const NOTES = 100;
/** Living processes up to this many are sampled between reports, so that one that is killed has fresh figures. */
const REFRESHED = 64;
/** Reports of one tick, where not more are due each second: what is made at once lives long enough to be an old object. */
const REPORTS = 64;
const REPORTS_MARGIN = 1.25;

export class Pipeline {
  readonly #folder: ChannelFolder;
  readonly #settings: SettingsSource;
  readonly #sink: Sink;
  readonly #now: () => number;
  readonly #kinds: readonly SourceKind[];
  readonly #images = new Map<number, Running>();
  /** Images by the TSC they began at: how a fork names its parent. */
  readonly #byStart = new Map<number, ProcessImage>();
  /** Processes seen, for the ancestors of those that outlive them. */
  readonly #lineage: Map<string, Lineage> = new BoundedMap<string, Lineage>(4096);
  /** Processor time reported by the images of a process that ended by exec: it goes on through exec. */
  readonly #cpuOf: Map<string, number> = new BoundedMap<string, number>(4096);
  readonly #restored: RelayState;
  /** Images that are over, by path of their channel; let go once a commit holds their last report. */
  readonly #over = new Map<string, Channel>();
  /** Let go, and still there. */
  readonly #released = new Set<string>();
  /** Paths that the relay before us had done with, and perhaps not yet let go. */
  readonly #overBefore: Set<string>;
  /** Images that have something to say of what they lost. */
  readonly #losing = new Set<Running>();
  /** Of the folder, when every image that had ended was read to its end; undefined: not all were. */
  #endings: number | undefined;
  readonly #cursor = new RecordCursor();
  /** Whose batch is being decoded: a pass may end in the middle of it. */
  #decoding: Running | undefined;
  readonly #out: RelayRecord[] = [];
  readonly #run = new LineRun();
  readonly #stats: PipelineStats = {seen: 0, live: 0, records: 0, lost: {}};
  #changed = false;
  #reportsAtOnce = REPORTS;
  /** Records since the last look at the sink, of however many batches. */
  #unlooked = 0;
  /** What is not seen and why, for people. */
  readonly notes = new Set<string>();

  constructor(options: PipelineOptions) {
    this.#folder = options.folder;
    this.#settings = options.settings;
    this.#sink = options.sink;
    this.#now = options.now ?? (() => Date.now() / 1000);
    this.#kinds = options.kinds ?? SOURCES;
    this.#restored = options.state ?? NEW_STATE;
    this.#overBefore = new Set(this.#restored.over);
    this.#stats.seen = this.#restored.seen;
    this.#stats.lost = {...this.#restored.lost};
    for (const note of this.#restored.notes) this.notes.add(note);
  }

  get stats(): Readonly<PipelineStats> {
    return {...this.#stats, live: this.#images.size};
  }

  /** Whether something was appended since the last commit. */
  get dirty(): boolean {
    return this.#changed;
  }

  /** Whether the last pass ended between two batches. */
  get whole(): boolean {
    return this.#decoding === undefined;
  }

  /** Takes what there is, for at most `budgetMs`. True: more is waiting, and the sink takes it. */
  pass(budgetMs = 50): boolean {
    const until = performance.now() + budgetMs;
    const ready = () => this.#sink.ready?.() ?? true;
    this.#begin();
    this.#unlooked = 0;
    while (ready()) {
      if (this.#decoding === undefined) {
        const batch = this.#folder.next();
        if (batch === undefined) {
          this.#end();
          this.#handOver();
          return false;
        }
        if (this.#overBefore.has(batch.channel.path)) continue;
        this.#decoding = this.#images.get(batch.channel.key) ?? this.#add(batch.channel);
        this.#cursor.reset(batch.bytes);
        this.#beginLines(this.#decoding.image, batch);
      }
      if (!this.#decode(until) || this.#sink.pressed?.()) break;
    }
    this.#handOver();
    return ready();
  }

  /**
   * Reports of the periods that are over, notices, fresh samples: about once a second. Of many processes that began at once some
   * report later at first, and from then on at another moment than the others.
   */
  tick(): void {
    const now = this.#now();
    this.#noticeLosses(now);
    const refreshing = this.#images.size <= REFRESHED;
    let reports = 0;
    let perSecond = 0;
    for (const running of this.#images.values()) {
      const {image} = running;
      const {summaryPeriod} = image.settings;
      perSecond += 1 / summaryPeriod;
      const due = now - image.reportedAt >= summaryPeriod && reports < this.#reportsAtOnce;
      if ((!due && !refreshing) || image.channel.ended) continue;
      if (!due) {
        running.process.refresh();
        continue;
      }
      reports += 1;
      running.report(now, false);
    }
    this.#reportsAtOnce = Math.max(REPORTS, Math.ceil(perSecond * REPORTS_MARGIN));
    this.#handOver();
  }

  #noticeLosses(now: number): void {
    for (const {key} of this.#folder.losing()) {
      const running = this.#images.get(key);
      if (running !== undefined) this.#losing.add(running);
    }
    for (const running of this.#losing) if (running.notice(now)) this.#losing.delete(running);
  }

  /** Everything so far becomes valid for good. */
  commit(): void {
    // The position is that of whole batches.
    this.#decode(Number.POSITIVE_INFINITY);
    const now = this.#now();
    for (const running of this.#images.values()) running.flush(now);
    this.#handOver();
    this.#sink.commit(this.#folder.position, this.state());
    // Only now: a relay that is killed before has its last reports still to make.
    for (const [path, channel] of this.#over) {
      this.#folder.release(channel);
      this.#released.add(path);
    }
    this.#over.clear();
    this.#folder.commit();
    // The file stays until the spool is committed beyond its last record.
    const {channelDir} = this.#folder;
    for (const paths of [this.#released, this.#overBefore])
      for (const path of paths) if (!existsSync(join(channelDir, basename(path)))) paths.delete(path);
    this.#changed = false;
  }

  /** What the next relay must know of images that still live. */
  state(): RelayState {
    const images: Record<string, ImageState> = {};
    // A power of two: else each process that comes or goes would change the states of all.
    const each = Math.max(OPEN_LEAST, 2 ** Math.floor(Math.log2(OPEN_KEPT / this.#images.size)));
    for (const running of this.#images.values()) {
      images[running.image.channel.path] = running.state(each);
    }
    const over = [...new Set([...this.#over.keys(), ...this.#released, ...this.#overBefore])];
    return {images, over, seen: this.#stats.seen, lost: this.#stats.lost, notes: [...this.notes]};
  }

  #begin(): void {
    if (this.#folder.channels.size === this.#images.size + this.#over.size) return;
    const fresh: Channel[] = [];
    for (const channel of this.#folder.channels.values()) {
      const {key, path} = channel;
      // The state last: it is read from the channel, and with many short processes most of these are over.
      if (this.#images.has(key) || this.#over.has(path) || channel.state === 'empty') continue;
      if (!this.#overBefore.has(path)) fresh.push(channel);
      else if (channel.drained) this.#letGo(channel);
    }
    // Parents before children: a child copies what its parent has open.
    fresh.sort((a, b) => a.header.startTsc - b.header.startTsc);
    for (const channel of fresh) this.#add(channel);
  }

  #add(channel: Channel): Running {
    const process = describe(channel);
    const pid = channel.hostPid;
    const settings = this.#settingsOf(channel, process);
    process.tags = {...settings.tags};
    this.#lineage.set(processKey(channel), {exe: process.exe, ppid: process.ppid});
    const parent = this.#byStart.get(channel.header.parentStartTsc);
    const {linesOnly} = this.#sink;
    const lines = this.#takesLines(process);
    const image = new ProcessImage(channel, process, settings, this.#out, parent, linesOnly, lines);
    const running = new Running(
      image,
      () => this.#cpuOf.get(processKey(channel)) ?? 0,
      (failing, cause) => this.#failed(failing, cause),
    );
    if (settings !== this.#settings.base) channel.setControl(controlOf(settings));
    // A process that /proc does not show us measures itself.
    if (pid === 0 && !channel.ended) channel.setControl({sampleMs: settings.summaryPeriod * 1000});
    this.#images.set(channel.key, running);
    this.#byStart.set(channel.header.startTsc, image);
    running.attach(this.#kinds);
    this.#losing.add(running);
    // It may have ended before we knew of it.
    this.#endings = undefined;
    const before = this.#restored.images[channel.path];
    if (before !== undefined) running.restore(before);
    else {
      this.#stats.seen += 1;
      running.announce();
    }
    this.#changed = true;
    return running;
  }

  #beginLines(image: ProcessImage, {channel, bytes}: Batch): void {
    const {lines, process} = image;
    const logs = lines && this.#sink.logsOf?.(process);
    if (logs !== undefined) lines!.makeLogs(() => logs(image));
    this.#run.begin(lines, channel, bytes, logs === undefined ? undefined : this.#now());
  }

  #takesLines(process: Process): boolean {
    const sink = this.#sink;
    return sink.appendLines !== undefined && (sink.takesLines?.(process) ?? true);
  }

  /** Living processes whose tags are those of an earlier configuration. */
  get keepingTags(): number {
    let count = 0;
    for (const {image} of this.#images.values()) if (image.keepsTags) count++;
    return count;
  }

  #settingsOf(channel: Channel, process: Process): Settings {
    let line: string[] | undefined;
    return this.#settings.of({
      proc: process.proc,
      cmd: process.cmd,
      host: process.host,
      username: process.username,
      env: process.env,
      variable: (name) => process.env[name],
      ancestors: () => {
        line ??= ancestors(channel, (pid) => this.#lineage.get(`${channel.header.pidNs}:${pid}`));
        return line;
      },
    });
  }

  /**
   * The settings have changed: living images get theirs anew, and sources that they lacked. They keep their tags until the
   * next exec.
   */
  reconfigure(): void {
    // Lines are made some ahead, with the settings of the beginning of the batch.
    this.#decode(Number.POSITIVE_INFINITY);
    this.#handOver();
    for (const running of this.#images.values()) {
      const {image} = running;
      if (image.channel.ended) continue;
      const settings = this.#settingsOf(image.channel, image.process);
      if (settings === image.settings) continue;
      running.configure(settings, this.#kinds, this.#takesLines(image.process));
      image.channel.setControl(controlOf(settings));
    }
  }

  /** The batch at hand, or what can be done of it until then (performance.now()). True: there is time for another. */
  #decode(until: number): boolean {
    const running = this.#decoding;
    if (running === undefined) return true;
    const cursor = this.#cursor;
    const {image} = running;
    const {byType} = image;
    const run = this.#run;
    running.touch();
    let count = 0;
    let more = cursor.next();
    for (; more; more = cursor.next()) {
      count += 1;
      if (run.takes(cursor)) this.#takeLine(running, cursor);
      else {
        this.#handOverLines(running);
        if (cursor.type === REC.NOTE) this.#note(image.process.proc, noteText(cursor.note()));
        const sources = byType[cursor.type];
        if (sources !== undefined) running.record(cursor, sources);
        if (this.#out.length >= HAND_OVER) this.#handOver();
      }
      if (count % LOOK === 0 && (performance.now() > until || this.#stops(running, until))) break;
    }
    this.#handOverLines(running);
    this.#unlooked += count % LOOK;
    this.#stats.records += count;
    this.#changed = true;
    if (more) return false;
    this.#decoding = undefined;
    return performance.now() <= until;
  }

  /** Whether the sink has enough for now. What has to be done to its end is not asked for. */
  #stops(running: Running, until: number): boolean {
    const sink = this.#sink;
    this.#unlooked += LOOK;
    if (this.#unlooked < LOOK_AT_SINK || sink.pressed === undefined || until === Number.POSITIVE_INFINITY)
      return false;
    this.#unlooked = 0;
    this.#handOver();
    this.#handOverLines(running);
    return sink.pressed();
  }

  /** Records and lines are handed over in the order they came in: of one kind nothing waits while the other comes. */
  #takeLine(running: Running, cursor: RecordCursor): void {
    this.#handOver();
    if (this.#run.take(cursor)) return;
    this.#handOverLines(running);
    this.#run.take(cursor);
  }

  #handOverLines(running: Running): void {
    const span = this.#run.span();
    if (span === undefined) return;
    this.#sink.appendLines?.(span, running.image.process);
    this.#run.used();
  }

  /** Images that are over and read to their end. */
  #end(): void {
    const {endings} = this.#folder;
    if (endings === this.#endings) return;
    this.#endings = endings;
    for (const [key, running] of this.#images) {
      const {image, process} = running;
      const {channel} = image;
      if (!channel.drained) {
        if (channel.ended) this.#endings = undefined;
        continue;
      }
      const now = this.#now();
      image.process.endTime ??= channel.endedAt || now;
      if (channel.exitCode !== undefined) image.process.exitCode = channel.exitCode;
      running.end(now);
      addLosses(this.#stats.lost, channel.lost());
      if (channel.failure !== undefined) this.#stats.lost.failed = (this.#stats.lost.failed ?? 0) + 1;
      if (channel.state === 'exec') this.#cpuOf.set(processKey(channel), process.state.cpuUs);
      else this.#cpuOf.delete(processKey(channel));
      this.#images.delete(key);
      this.#losing.delete(running);
      this.#byStart.delete(channel.header.startTsc);
      this.#letGo(channel);
    }
  }

  #letGo(channel: Channel): void {
    this.#over.set(channel.path, channel);
    this.#changed = true;
  }

  /** Records lost by cause, of living images too; of those as of the last tick when `fresh` is false. */
  losses(fresh = true): Record<string, number> {
    const sum = {...this.#stats.lost};
    for (const {image, lost} of this.#images.values()) addLosses(sum, fresh ? image.channel.lost() : lost);
    return sum;
  }

  /** A record that a source could not take is a defect of ours: said and counted, never the end of the relay. */
  #failed(image: ProcessImage, cause: unknown): void {
    this.#stats.lost.error = (this.#stats.lost.error ?? 0) + 1;
    this.#note(image.process.proc, cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
  }

  #note(proc: string, text: string): void {
    if (text !== '' && this.notes.size < NOTES) this.notes.add(`${proc}: ${text}`);
  }

  #handOver(): void {
    if (this.#out.length === 0) return;
    this.#changed = true;
    const out = this.#out;
    this.#sink.append(out);
    // To set the length calls into the runtime, which is much for the one record between two lines.
    if (out.length === 1) out.pop();
    else out.length = 0;
  }
}

const CAUSES = Object.entries(LOST);

function addLosses(sum: Record<string, number>, lost: ArrayLike<number>): void {
  for (const [name, index] of CAUSES) {
    const value = lost[index] ?? 0;
    if (value > 0) sum[name.toLowerCase()] = (sum[name.toLowerCase()] ?? 0) + value;
  }
}
