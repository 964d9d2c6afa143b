// SPDX-License-Identifier: Apache-2.0
/** An exporter whose answers a test chooses, and settings for a destination around it. */
import type {DestinationSettings, DestinationStatus} from '../../src/delivery/destination.js';
import type {PlainExporter, SendResult} from '../../src/delivery/exporter.js';
import type {RelayRecord} from '../../src/records/types.js';

export interface ScriptedExporter extends PlainExporter {
  /** Batches that were offered, with repetitions. */
  readonly offered: (readonly RelayRecord[])[];
  /** Records of batches that were taken. */
  readonly taken: RelayRecord[];
  /** Answers to come; when empty: success. A function may hang or throw. */
  readonly answers: (SendResult | ((signal: AbortSignal) => Promise<SendResult>))[];
  stopped: number;
}

export function createScriptedExporter(change: Partial<PlainExporter> = {}): ScriptedExporter {
  const exporter: ScriptedExporter = {
    type: 'scripted',
    offered: [],
    taken: [],
    answers: [],
    stopped: 0,
    accepts: (record) => record.kind !== 'payload',
    start: () => Promise.resolve(),
    async send(batch, signal) {
      exporter.offered.push(batch);
      const answer = exporter.answers.shift() ?? {outcome: 'success'};
      const result = typeof answer === 'function' ? await answer(signal) : answer;
      if (result.outcome === 'success') exporter.taken.push(...batch);
      return result;
    },
    stop() {
      exporter.stopped++;
      return Promise.resolve();
    },
    ...change,
  };
  return exporter;
}

/** Never answers until aborted. */
export function hang(signal: AbortSignal): Promise<SendResult> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve({outcome: 'retryable', reason: 'aborted'}));
  });
}

type Change = {[K in keyof DestinationSettings]?: Partial<DestinationSettings[K]>};

export function makeSettings(change: Change = {}): DestinationSettings {
  return {
    name: 'here',
    timeoutMs: (change.timeoutMs as number | undefined) ?? 1000,
    queue: {
      type: 'memory',
      maxBytes: 1024 * 1024,
      maxAgeMs: 0,
      whenFull: 'drop_oldest',
      path: '',
      syncMs: 0,
      ...change.queue,
    },
    batch: {maxRecords: 10, maxBytes: 1024 * 1024, maxWaitMs: 100, ...change.batch},
    retry: {initialMs: 100, maxMs: 1000, multiplier: 2, jitter: 0, maxElapsedMs: 0, ...change.retry},
  };
}

/** Right side of the books; equal to `accepted` or something is wrong. */
export function accounted(status: DestinationStatus): number {
  return status.sent + status.queued + Object.values(status.dropped).reduce((a, b) => a + b, 0);
}
