// SPDX-License-Identifier: Apache-2.0
/**
 * One exporter with everything around it: queue, batches, retry, timeout, books. Destinations never wait for each other.
 * All of it runs on the event loop; between two awaits the books balance.
 *
 * Longer than other files: one closure, so that nothing else can touch the books.
 */
import type {Clock, Timer} from '../base/clock.js';
import {countOf, type Item} from '../records/rendered.js';
import type {RelayRecord} from '../records/types.js';
import type {DeliverySettings} from './config.js';
import {createDiskQueue} from './disk/queue.js';
import type {Exporter, MadeForm, RenderingExporter, SendResult} from './exporter.js';
import {createLedger, type LedgerSnapshot} from './ledger.js';
import {createMemoryQueue, type Queue} from './queue.js';
import {Renderer} from './render.js';
import {retryPause} from './retry.js';
import {recordSize} from './size.js';

export interface DestinationSettings extends DeliverySettings {
  /** The exporter's key in the configuration. */
  name: string;
}

export type DestinationState = 'starting' | 'ok' | 'retrying' | 'failing' | 'stopped';

export interface DestinationStatus extends LedgerSnapshot {
  name: string;
  type: string;
  state: DestinationState;
  /** Why it is retrying or failing, or what the last refusal said. */
  reason: string | undefined;
  /** Repeated attempts. */
  retried: number;
  /** Batches sent. */
  batches: number;
  queueBytes: number;
  /** Age of the oldest record that waits, milliseconds. */
  lagMs: number;
  /** The queue is full and asks the sources to wait (`when_full: block`). */
  blocked: boolean;
}

export interface Destination {
  readonly name: string;
  readonly type: string;
  /** The queue is full and asks the sources to wait; ready() tells when it has room. */
  readonly blocked: boolean;
  readonly state: DestinationState;
  /** It takes records, and more of them wait than is good for memory: who can let sources wait does. */
  readonly behind: boolean;
  /** Opens the exporter and begins to send. Records may be pushed before. */
  start(): Promise<void>;
  /**
   * Takes records; they are on disk when it returns if the queue is a disk queue. False: the queue is full and blocks,
   * please wait for ready() before pushing more (what was pushed is kept up to twice the limit, then dropped).
   */
  push(records: readonly RelayRecord[]): boolean;
  /** What it takes that is made already; undefined: only records. */
  readonly form: MadeForm | undefined;
  /** As push(), for consecutive records of one process and kind, like `first`, in that form. The bytes are copied. */
  pushMade(bytes: Buffer, count: number, first: RelayRecord): boolean;
  /** Resolves when push() would return true again. */
  ready(): Promise<void>;
  status(): DestinationStatus;
  /** Whether the peer can be reached; undefined: yes, or the exporter cannot tell. */
  check(signal: AbortSignal): Promise<string | undefined>;
  /** Sends what waits without waiting for full batches; true when all was done before the deadline. */
  flush(deadlineMs: number): Promise<boolean>;
  /** Drains within the deadline, then ends. Safe without start() and twice. */
  stop(deadlineMs?: number): Promise<void>;
}

/** Chunks are small beside a queue, so that dropping one frees little more than asked for. */
const CHUNK_RECORDS = 4096;
const CHUNK_BYTES = 1024 * 1024;
/** Records that are sent soon die young, and cost the garbage collector nothing. */
const BEHIND_BYTES = 2 * 1024 * 1024;
/** Why a record is refused before any peer has seen it. */
const NO_FORM = 'values that cannot be written';
/** A thrown error is a fault of the exporter or of the data: tried again this often, then the batch is given up. */
const THROWN_LIMIT = 3;
/** Longest pause between attempts while somebody waits for the queue to be empty, as at the end. */
const HURRY_PAUSE_MS = 500;

const recordsIn = (batch: readonly Item[]): number => batch.reduce((sum, item) => sum + countOf(item), 0);

export function createDestination(
  settings: DestinationSettings,
  exporter: Exporter,
  clock: Clock,
  random: () => number = Math.random,
): Destination {
  const {batch: limits, queue: queueSettings, retry} = settings;
  const disk =
    queueSettings.type === 'disk'
      ? createDiskQueue(
          {path: queueSettings.path, maxBytes: queueSettings.maxBytes, syncMs: queueSettings.syncMs},
          clock,
          (reason, count) => ledger.drop(reason, count),
          () => ({sent: ledger.sent, dropped: ledger.dropped}),
        )
      : undefined;
  const sender: Pick<RenderingExporter, 'send'> = exporter;
  const renderer =
    disk === undefined && exporter.rendering !== undefined
      ? new Renderer(exporter.rendering, limits)
      : undefined;
  // What waits on disk waits as records: they may be sent by a relay with another configuration.
  const queue: Queue = disk ?? createMemoryQueue((items) => renderer?.release(items, true));
  const behindBytes = Math.min(BEHIND_BYTES, queueSettings.maxBytes / 4);
  // Sources that wait for a batch to go would fill none that is larger.
  const dueBytes = Math.min(behindBytes, limits.maxBytes);
  const ledger = createLedger(disk && {...disk.recovered, queued: disk.records});

  let state: DestinationState = 'starting';
  let reason: string | undefined;
  let retried = 0;
  let batches = 0;
  let blocked = false;
  let stopping: Promise<void> | undefined;
  /** Flush requests under way: batches go out without waiting to be full. */
  let hurry = 0;
  let ended = false;
  /** The exporter did not give up in time; what it answers later counts no more. */
  let abandoned = false;
  let running: Promise<void> | undefined;
  let abort = new AbortController();
  let wake: (() => void) | undefined;
  const readyWaiters: (() => void)[] = [];
  const emptyWaiters: (() => void)[] = [];

  function signalProgress(): void {
    if (blocked && queue.bytes <= queueSettings.maxBytes * 0.75) {
      blocked = false;
      for (const resolve of readyWaiters.splice(0)) resolve();
    }
    if (queue.records === 0) for (const resolve of emptyWaiters.splice(0)) resolve();
  }

  function sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer: Timer | undefined = ms === Infinity ? undefined : clock.after(ms, done);
      function done(): void {
        if (timer !== undefined) clock.cancel(timer);
        wake = undefined;
        resolve();
      }
      wake = done;
    });
  }

  function expire(): void {
    if (queueSettings.maxAgeMs === 0) return;
    const expired = queue.expire(clock.now() - queueSettings.maxAgeMs);
    ledger.drop('expired', expired);
    if (expired > 0) signalProgress();
  }

  /** Milliseconds until a batch is due; 0: now. */
  function untilDue(): number {
    if (queue.records === 0) return Infinity;
    if (hurry > 0 || queue.records >= limits.maxRecords || queue.bytes >= dueBytes) return 0;
    return Math.max(0, (queue.oldest ?? 0) + limits.maxWaitMs - clock.now());
  }

  /** One attempt, ended by the timeout; never two at a time, so it waits for an exporter that is slow to give up. */
  async function attempt(batch: readonly Item[]): Promise<SendResult & {thrown?: boolean}> {
    const controller = new AbortController();
    abort = controller;
    let late = false;
    const timer = clock.after(settings.timeoutMs, () => {
      late = true;
      controller.abort(new Error('timeout'));
    });
    try {
      const result = await sender.send(batch, controller.signal);
      if (late && result.outcome === 'retryable')
        return {...result, reason: `no answer in ${settings.timeoutMs} ms`};
      return result;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (late || ended) {
        return {
          outcome: 'retryable',
          reason: late ? `no answer in ${settings.timeoutMs} ms` : 'stopped',
        };
      }
      return {outcome: 'retryable', reason: text, thrown: true};
    } finally {
      clock.cancel(timer);
    }
  }

  function finish(result: SendResult, batch: readonly Item[]): void {
    const count = recordsIn(batch);
    queue.ack();
    renderer?.release(batch, result.outcome === 'success');
    if (result.outcome === 'success') {
      const rejected = Math.min(count, Math.max(0, result.rejected ?? 0));
      ledger.sent += count - rejected;
      ledger.drop('rejected', rejected);
      batches++;
      state = 'ok';
      reason = result.reason;
    } else {
      ledger.drop('failed', count);
      state = 'failing';
      reason = result.reason;
    }
    disk?.saveLedger();
    signalProgress();
  }

  async function sendBatch(): Promise<void> {
    const batch = queue.take(limits.maxRecords, limits.maxBytes);
    if (batch.length === 0) {
      signalProgress();
      return;
    }
    const began = clock.now();
    let thrown = 0;
    for (let tries = 1; ; tries++) {
      const result = await attempt(batch);
      if (abandoned) return;
      if (result.outcome !== 'retryable') return finish(result, batch);
      thrown = result.thrown ? thrown + 1 : 0;
      const tooLong = retry.maxElapsedMs > 0 && clock.now() - began >= retry.maxElapsedMs;
      if (tooLong || thrown >= THROWN_LIMIT) {
        return finish({outcome: 'failure', reason: result.reason}, batch);
      }
      state = 'retrying';
      reason = result.reason;
      if (ended) break;
      const pause = retryPause(retry, tries, result.afterMs, random());
      await sleep(hurry > 0 ? Math.min(pause, HURRY_PAUSE_MS) : pause);
      if (ended) break;
      expire();
      if (queueSettings.maxAgeMs > 0 && (queue.oldest ?? Infinity) < clock.now() - queueSettings.maxAgeMs) {
        queue.ack();
        ledger.drop('expired', recordsIn(batch));
        disk?.saveLedger();
        signalProgress();
        return;
      }
      retried++;
    }
    queue.giveBack();
  }

  async function run(): Promise<void> {
    while (!ended) {
      expire();
      const wait = untilDue();
      if (wait > 0) await sleep(wait);
      else await sendBatch();
    }
  }

  /** Makes room for a chunk; false: it has to be dropped. */
  function admit(bytes: number): boolean {
    const over = queue.bytes + bytes - queueSettings.maxBytes;
    if (over <= 0) return true;
    switch (queueSettings.whenFull) {
      case 'drop_newest':
        return false;
      case 'drop_oldest':
        ledger.drop('queue_full', queue.dropOldest(over));
        return queue.bytes + bytes <= queueSettings.maxBytes || queue.bytes === 0;
      case 'block':
        blocked = true;
        return queue.bytes + bytes <= 2 * queueSettings.maxBytes;
    }
  }

  function keep(items: readonly Item[], count: number, bytes: number): void {
    if (count === 0) return;
    if (!admit(bytes)) ledger.drop('queue_full', count);
    else if (!queue.push({items, count, bytes, time: clock.now()})) ledger.drop('disk_error', count);
  }

  function keepRecords(records: readonly RelayRecord[]): void {
    let chunk: RelayRecord[] = [];
    let bytes = 0;
    for (const record of records) {
      if (!exporter.accepts(record)) {
        ledger.drop('unsupported', 1);
        continue;
      }
      chunk.push(record);
      bytes += recordSize(record);
      if (chunk.length < CHUNK_RECORDS && bytes < CHUNK_BYTES) continue;
      keep(chunk, chunk.length, bytes);
      chunk = [];
      bytes = 0;
    }
    keep(chunk, chunk.length, bytes);
  }

  function keepBytes(records: readonly RelayRecord[], made: Renderer): void {
    const hand = (): void => {
      const {items, count, bytes} = made.take();
      keep(items, count, bytes);
    };
    made.begin();
    for (const record of records) {
      if (!exporter.accepts(record)) ledger.drop('unsupported', 1);
      else if (!made.add(record)) {
        ledger.drop('rejected', 1);
        reason = NO_FORM;
      } else if (made.count >= CHUNK_RECORDS || made.bytes >= CHUNK_BYTES) hand();
    }
    hand();
  }

  function pushMade(bytes: Buffer, count: number, first: RelayRecord): boolean {
    if (!begin(count)) return true;
    if (renderer === undefined || !exporter.accepts(first)) ledger.drop('unsupported', count);
    else {
      renderer.addMade(bytes, count, first);
      const made = renderer.take();
      keep(made.items, made.count, made.bytes);
    }
    return pushed();
  }

  /** False: nothing is taken any more. */
  function begin(count: number): boolean {
    ledger.accepted += count;
    if (ended) ledger.drop('stopped', count);
    return !ended;
  }

  function push(records: readonly RelayRecord[]): boolean {
    if (!begin(records.length)) return true;
    if (renderer === undefined) keepRecords(records);
    else keepBytes(records, renderer);
    return pushed();
  }

  function pushed(): boolean {
    // A pause between attempts is not cut short by new records; only the wait for a batch is.
    if (state !== 'retrying' && wake !== undefined && queue.records > 0) wake();
    return !blocked;
  }

  function settled(promise: Promise<unknown>, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = clock.after(ms, () => resolve(false));
      const done = (): void => {
        clock.cancel(timer);
        resolve(true);
      };
      promise.then(done, done);
    });
  }

  async function flush(deadlineMs: number): Promise<boolean> {
    if (queue.records === 0) return true;
    if (running === undefined || deadlineMs <= 0) return false;
    hurry++;
    wake?.();
    const done = await settled(new Promise<void>((resolve) => emptyWaiters.push(resolve)), deadlineMs);
    hurry--;
    return done;
  }

  async function end(deadlineMs: number): Promise<void> {
    await flush(deadlineMs);
    ended = true;
    abort.abort(new Error('stopped'));
    wake?.();
    // An exporter that ignores the signal is left behind.
    if (running !== undefined && !(await settled(running, 2000))) {
      abandoned = true;
      queue.giveBack();
    }
    if (disk === undefined) {
      ledger.drop('stopped', queue.dropOldest(Infinity));
    }
    for (const resolve of readyWaiters.splice(0)) resolve();
    await exporter.stop();
    await queue.close();
    state = 'stopped';
  }

  return {
    name: settings.name,
    type: exporter.type,
    get blocked() {
      return blocked;
    },
    get state() {
      return state;
    },
    get behind() {
      return state === 'ok' && queue.bytes > behindBytes;
    },
    async start() {
      if (running !== undefined || ended) return;
      await exporter.start();
      state = 'ok';
      running = run();
    },
    push,
    form: renderer && exporter.rendering?.form,
    pushMade,
    ready: () =>
      blocked && !ended ? new Promise((resolve) => readyWaiters.push(resolve)) : Promise.resolve(),
    status: () => ({
      name: settings.name,
      type: exporter.type,
      state,
      reason: disk?.fault === undefined ? reason : `disk queue: ${disk.fault}`,
      accepted: ledger.accepted,
      sent: ledger.sent,
      queued: queue.records,
      dropped: {...ledger.dropped},
      retried,
      batches,
      queueBytes: queue.bytes,
      lagMs: queue.oldest === undefined ? 0 : Math.max(0, clock.now() - queue.oldest),
      blocked,
    }),
    check: async (signal) => exporter.check?.(signal),
    flush,
    stop(deadlineMs = 5000) {
      stopping ??= end(deadlineMs);
      return stopping;
    },
  };
}
