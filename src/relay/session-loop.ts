// SPDX-License-Identifier: Apache-2.0
/** The clockwork of a session relay: passes when woken, ticks and commits by time, ends when everything is over. */
import {setPriority} from 'node:os';
import type {ChannelFolder} from '../channel/index.js';
import type {SessionWriter} from '../session/index.js';
import {folderNotes} from './notes.js';
import type {Outputs} from './outputs.js';
import {AT_ONCE, type Patience, sessionPatience} from './patience.js';
import type {Pipeline} from './pipeline.js';
import type {SendTurns} from './turns.js';

/** Between two looks at what is over, due or to be committed. */
const BEAT_MS = 50;
/** The same once there is no process any more. */
const LAST_BEAT_MS = 10;
/** Between two passes that nobody waits for: many records at once cost half of what a few at a time do. */
const REST_MS = 40;
/** Text of the console is joined for so long at most, and a query waits at most twice as long. */
const COMMIT_MS = 200;
const MOST_MS = 2000;
/** The same while a queue has no room for the rest of a batch, which a commit takes. */
const PRESSED_MOST_MS = 10_000;
const IDLE_COMMIT_MS = 50;
const TICK_MS = 1000;
/** A slice of reading where destinations want the loop, too. */
const BETWEEN_SENDS = {budgetMs: 8, napMs: 0};
/** Beats without any process until the session is over: a new image may be on its way. */
const QUIET_BEATS = 6;

export interface LoopParts {
  folder: ChannelFolder;
  /** Called by the folder when it has something. */
  wake: {call: () => void};
  pipeline: Pipeline;
  writer: SessionWriter;
  outputs: Outputs | undefined;
  turns: SendTurns | undefined;
  /** Whether the session's own process lives, also one that cannot be scoped. */
  rootLives: () => boolean;
  /** Called when destinations that block hold up a session whose processes have all ended, after `patienceMs`. */
  goOn: () => void;
  patienceMs: number;
}

/** `over`: every process has ended and all is stored. `stopped`: by a signal, the session goes on. */
export type LoopEnd = 'over' | 'stopped';

export class SessionLoop {
  readonly #parts: LoopParts;
  #end: (how: LoopEnd) => void = () => undefined;
  #fail: (cause: unknown) => void = () => undefined;
  #scheduled = false;
  #more = false;
  #quiet = 0;
  #heldSince = Date.now();
  /** The first commit is due at once, but not late. */
  #committed = Date.now() - COMMIT_MS;
  #interval = COMMIT_MS;
  #ticked = Date.now();
  #passed = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #patience: Patience | undefined;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    // Destinations elsewhere want their records soon.
    if (parts.outputs === undefined) this.#patience = sessionPatience(parts.folder, parts.writer);
  }

  async run(): Promise<LoopEnd> {
    const ended = new Promise<LoopEnd>((resolve, reject) => {
      this.#end = resolve;
      this.#fail = reject;
    });
    const restMs = this.#parts.outputs === undefined ? REST_MS : 0;
    this.#parts.wake.call = () => this.#schedule(this.#passed + restMs - performance.now());
    yieldToApplication();
    this.#schedule(0);
    this.#wait();
    const stop = () => this.#end('stopped');
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    try {
      const how = await ended;
      this.#commit();
      return how;
    } finally {
      clearTimeout(this.#timer);
      process.off('SIGTERM', stop);
      process.off('SIGINT', stop);
    }
  }

  #wait(): void {
    this.#timer = setTimeout(
      () => {
        this.#guard(() => this.#beat());
        this.#wait();
      },
      this.#quiet > 0 ? LAST_BEAT_MS : BEAT_MS,
    );
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (cause) {
      this.#fail(cause);
    }
  }

  /** A pass after so long, or when sends that are behind had their turn; unless one is on its way. */
  #schedule(ms: number): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const run = () => {
      this.#scheduled = false;
      this.#guard(() => this.#pass());
    };
    const {turns} = this.#parts;
    if (turns !== undefined) turns.afterSends(run);
    else if (ms <= 0) setImmediate(run);
    else setTimeout(run, ms);
  }

  #pass(): void {
    const {pipeline, turns} = this.#parts;
    const {budgetMs, napMs} = this.#patience?.step() ?? (turns?.forced ? AT_ONCE : BETWEEN_SENDS);
    this.#more = pipeline.pass(budgetMs);
    this.#passed = performance.now();
    if (this.#more) this.#schedule(napMs);
    else this.#patience?.done();
    const since = Date.now() - this.#committed;
    const due = since >= (pipeline.dirty ? this.#interval : IDLE_COMMIT_MS);
    // In the middle of a batch a commit decodes the rest of it, which may be more than the slice that there is.
    const most = turns?.pressed ? PRESSED_MOST_MS : MOST_MS;
    if (due && (pipeline.whole || since >= most)) this.#commit();
  }

  #beat(): void {
    const now = Date.now();
    if (!this.#more && !this.#scheduled) this.#pass();
    if (now - this.#ticked >= TICK_MS) {
      this.#ticked = now;
      this.#parts.pipeline.tick();
      this.#parts.outputs?.tick();
    }
    if (this.#isOver()) this.#end('over');
    else this.#holdUp(now);
  }

  /** Everything has ended and a destination that asks to wait takes nothing: the session does not wait for ever. */
  #holdUp(now: number): void {
    const {folder, outputs, rootLives, goOn, patienceMs} = this.#parts;
    const held =
      outputs?.ready() === false && !rootLives() && [...folder.channels.values()].every((one) => one.ended);
    if (!held) this.#heldSince = now;
    else if (now - this.#heldSince > patienceMs) goOn();
  }

  #isOver(): boolean {
    const {folder, pipeline, rootLives} = this.#parts;
    if (this.#more || pipeline.stats.live > 0 || rootLives()) this.#quiet = 0;
    else {
      folder.scan();
      this.#quiet += 1;
    }
    return this.#quiet > QUIET_BEATS;
  }

  #commit(): void {
    const begun = Date.now();
    const {pipeline, writer, outputs, folder} = this.#parts;
    writer.behind = this.#more;
    const before = pipeline.notes.size;
    for (const note of folderNotes(folder)) pipeline.notes.add(note);
    if (pipeline.dirty || pipeline.notes.size !== before) {
      const {seen, live} = pipeline.stats;
      const lost = pipeline.losses();
      const destinations = outputs && {destinations: destinationsOf(outputs)};
      writer.setStatus({processes: {seen, live}, lost, notes: [...pipeline.notes], ...destinations});
      pipeline.commit();
    } else writer.commit();
    this.#committed = Date.now();
    // With thousands of processes a commit costs; it never takes more than a small share of the time.
    this.#interval = Math.min(MOST_MS, Math.max(COMMIT_MS, (this.#committed - begun) * 20));
  }
}

/** The books of the destinations, for status.json. */
export function destinationsOf(outputs: Outputs): Record<string, unknown> {
  return Object.fromEntries(outputs.status().destinations.map((d) => [d.name, d]));
}

/**
 * The application comes first where both want the cpu. Linux keeps the nice value of each thread: this one steps back, the
 * drain thread that is already running does not, or rings would fill.
 */
function yieldToApplication(): void {
  try {
    setPriority(5);
  } catch {
    // A sandbox may forbid it: then we compete as equals.
  }
}
