// SPDX-License-Identifier: Apache-2.0
/** One process image with its sources, from its first record to its last report. What a source throws is handed to `failed`. */
import {LOST, type RecordCursor} from '../channel/index.js';
import type {ProcessImage} from './image.js';
import type {Settings} from './settings.js';
import {CounterSource} from './sources/counters.js';
import {ProcessSource} from './sources/process.js';
import type {Source, SourceKind} from './sources/source.js';
import type {ImageState} from './state.js';

export class Running {
  readonly image: ProcessImage;
  readonly process: ProcessSource;
  readonly #counters: CounterSource;
  readonly #failed: (image: ProcessImage, cause: unknown) => void;
  /** All sources but the first two, by the name of their kind. */
  readonly #made = new Map<string, Source>();
  /** Those that hold something back. */
  #flushing: readonly Source[] = [];
  /** Something happened since the last state(), or is held back and will: without, the state is the one it was. */
  #changed = true;
  #heldBack = false;
  #state: ImageState | undefined;
  #most = 0;
  /** As of the last notice(). */
  lost: ArrayLike<number> = [];
  /** Losses by LIMIT that were announced, and in which second. */
  #limited = 0;
  #limitedAt = 0;

  /** `cpuBefore`: processor time that earlier images of the process have reported. */
  constructor(
    image: ProcessImage,
    cpuBefore: () => number,
    failed: (image: ProcessImage, cause: unknown) => void,
  ) {
    this.image = image;
    this.process = new ProcessSource(image, cpuBefore);
    this.#counters = new CounterSource(image);
    this.#failed = failed;
  }

  /** Makes the sources that there are not, and the table by record type. */
  attach(kinds: readonly SourceKind[]): void {
    const sources: Source[] = [this.process, this.#counters];
    const byType: Source[][] = [];
    const listen = (source: Source, types: readonly number[]) => {
      for (const type of types) {
        byType[type] ??= [];
        byType[type].push(source);
      }
    };
    listen(this.process, ProcessSource.types());
    for (const kind of kinds) {
      const source = this.#made.get(kind.name) ?? kind.create(this.image);
      if (source === undefined) continue;
      this.#made.set(kind.name, source);
      sources.push(source);
      listen(source, kind.types());
    }
    this.image.sources = sources;
    this.image.byType = byType;
    this.#flushing = sources.filter((source) => source.flush !== undefined);
    this.#changed = true;
  }

  configure(settings: Settings, kinds: readonly SourceKind[], lines: boolean): void {
    this.image.configure(settings, lines);
    this.attach(kinds);
  }

  /** A fresh image: start message and proc.start. */
  announce(): void {
    const {image} = this;
    if (image.settings.startMessage) image.start(image.process.startTime);
    this.process.begin();
  }

  /** Records of it come. */
  touch(): void {
    this.#changed = true;
  }

  record(record: RecordCursor, sources: readonly Source[]): void {
    try {
      for (let i = 0; i < sources.length; i++) sources[i]!.record?.(record);
    } catch (cause) {
      this.#failed(this.image, cause);
    }
  }

  report(now: number, final: boolean): void {
    this.image.reportedAt = now;
    this.#changed = true;
    this.#each(this.image.sources, (source) => source.report?.(now, final));
  }

  flush(now: number): void {
    if (!this.#changed && !this.#heldBack) return;
    this.#heldBack = false;
    this.#each(this.#flushing, (source) => {
      if (source.flush?.(now)) this.#heldBack = true;
    });
  }

  /** The last reports. */
  end(now: number): void {
    this.flush(now);
    this.notice(now);
    this.report(now, true);
    this.#each(this.image.sources, (source) => source.end?.());
  }

  /**
   * The library left records out because of maxeventpersec: said once per second and process. False: more is to be said, in the
   * next second.
   */
  notice(now: number): boolean {
    const {image} = this;
    this.lost = image.channel.lost();
    const limited = this.lost[LOST.LIMIT] ?? 0;
    if (limited === this.#limited) return true;
    if (Math.floor(now) === this.#limitedAt) return false;
    this.#limited = limited;
    this.#limitedAt = Math.floor(now);
    const rate = image.settings.events.maxPerSec;
    image.notice(`Truncated metrics. Your rate exceeded ${rate} metrics per second`, now);
    return true;
  }

  /** What the next relay must know; `most` open files and connections. The same object as long as it is the same. */
  state(most: number): ImageState {
    const {image} = this;
    // Until its first report a process goes on from what the image before it says at its end.
    const fresh = this.#changed || this.#heldBack || this.#most !== most || !this.process.hasReported;
    if (!fresh && this.#state !== undefined) return this.#state;
    this.#changed = false;
    this.#most = most;
    this.#state = {
      open: image.open(most),
      singles: [...image.singles],
      process: this.process.state,
      ...this.#counters.state,
      reportedAt: image.reportedAt,
      ...this.#saved(),
    };
    return this.#state;
  }

  /** Goes on from the state that another relay left. */
  restore(before: ImageState): void {
    const {image} = this;
    this.#changed = true;
    this.#limited = before.lost[LOST.LIMIT] ?? 0;
    image.reopen(before.open);
    for (const [name, value] of before.singles) image.singles.set(name, value);
    this.process.state = before.process;
    this.#counters.state = before;
    image.reportedAt = before.reportedAt;
    for (const [name, saved] of Object.entries(before.sources ?? {})) this.#made.get(name)?.restore?.(saved);
  }

  #saved(): Pick<ImageState, 'sources'> {
    const sources: Record<string, unknown> = {};
    for (const [name, source] of this.#made) {
      const saved = source.save?.();
      if (saved !== undefined) sources[name] = saved;
    }
    return Object.keys(sources).length === 0 ? {} : {sources};
  }

  #each(sources: readonly Source[], work: (source: Source) => void): void {
    for (const source of sources) {
      try {
        work(source);
      } catch (cause) {
        this.#failed(this.image, cause);
      }
    }
  }
}
