// SPDX-License-Identifier: Apache-2.0
/** Exporter `file`: NDJSON (or StatsD) lines into a file that rotates, or to the standard output. */
import {ScopeError} from '../../base/errors.js';
import type {FileExporterConfig} from '../../config/types.js';
import type {ExporterContext} from '../../delivery/context.js';
import type {Exporter, SendResult} from '../../delivery/exporter.js';
import {ByteWriter} from '../../records/byte-writer.js';
import {isLine, tryWriteRecord} from '../../records/ndjson.js';
import {statsdLine, statsdPrefix} from '../../records/statsd.js';
import type {RelayRecord} from '../../records/types.js';
import {Output} from './output.js';

/** Lines are handed to the system in pieces of about this size. */
const PIECE = 1024 * 1024;

/** Where a batch stands: it is offered again after `retryable`, and what was written must not be written twice. */
interface Progress {
  batch: readonly RelayRecord[];
  next: number;
  /** Rest of a line that a pipe took in part. */
  rest: Buffer | undefined;
  rejected: number;
}

export function createExporter(config: FileExporterConfig, context: ExporterContext): Exporter {
  const mode = Number.parseInt(config.mode, 8);
  if (!/^0?[0-7]{3,4}$/.test(config.mode)) {
    throw new ScopeError(
      'SCOPE_CONFIG_INVALID',
      `exporters.${context.name}.mode: "${config.mode}" is not octal (0600)`,
    );
  }
  const rotate = config.rotate;
  const output = new Output(
    {
      path: config.path,
      mode,
      rotate: {
        maxBytes: rotate?.max_bytes ?? 0,
        maxAgeMs: rotate?.max_age ?? 0,
        keep: rotate?.keep ?? 0,
        gzip: rotate?.compression === 'gzip',
      },
    },
    context.clock,
    context.log,
  );
  const statsd = {
    prefix: statsdPrefix(config.prefix),
    dialect: 'dogstatsd',
    maxLength: 65_536,
    verbosity: config.verbosity,
  } as const;
  const lines = new ByteWriter(PIECE + 65_536);
  let progress: Progress | undefined;
  let synced = context.clock.now();

  /** False: the record has no line. */
  function encode(record: RelayRecord): boolean {
    if (config.format === 'ndjson') return tryWriteRecord(lines, record);
    if (record.kind === 'metric') {
      const line = statsdLine(record, statsd);
      if (line === undefined) return false;
      lines.bytes(Buffer.from(line));
    }
    return true;
  }

  /** Fills `lines` with whole records from `next`; returns the index behind them and how many have no line. */
  function fill(state: Progress): {end: number; rejected: number} {
    lines.length = 0;
    const limit = Math.min(PIECE, Math.max(1, output.room));
    let index = state.next;
    let rejected = 0;
    while (index < state.batch.length) {
      const before = lines.length;
      if (!encode(state.batch[index]!)) rejected++;
      if (lines.length > limit && before > 0) {
        lines.length = before;
        break;
      }
      index++;
    }
    return {end: index, rejected};
  }

  async function writePiece(state: Progress, signal: AbortSignal): Promise<Error | undefined> {
    let end = state.next;
    let rejected = 0;
    let bytes = state.rest;
    if (bytes === undefined) {
      if (output.room < 1) await output.rotateFor(1);
      ({end, rejected} = fill(state));
      bytes = lines.view();
      await output.rotateFor(bytes.length);
    }
    const {written, error} = await output.write(bytes, signal);
    if (error === undefined || written > 0) {
      state.next = end;
      state.rejected += rejected;
      state.rest = error === undefined ? undefined : Buffer.from(bytes.subarray(written));
    }
    return error;
  }

  async function syncWhenDue(): Promise<void> {
    const due =
      config.fsync === 'batch' ||
      (config.fsync === 'interval' && context.clock.now() - synced >= config.fsync_interval);
    if (!due) return;
    await output.sync();
    synced = context.clock.now();
  }

  return {
    type: 'file',
    accepts: (record) => (config.format === 'ndjson' ? isLine(record) : record.kind === 'metric'),
    start: () => Promise.resolve(),
    async send(batch, signal): Promise<SendResult> {
      if (progress?.batch !== batch) progress = {batch, next: 0, rest: undefined, rejected: 0};
      const state = progress;
      try {
        await output.open();
        while (state.next < batch.length || state.rest !== undefined) {
          const error = await writePiece(state, signal);
          if (error !== undefined) throw error;
        }
        await syncWhenDue();
      } catch (error) {
        const {code, message} = error as NodeJS.ErrnoException;
        const reason = `${config.path}: ${message}`;
        return code === 'EPIPE' ? {outcome: 'failure', reason} : {outcome: 'retryable', reason};
      }
      progress = undefined;
      return state.rejected > 0
        ? {outcome: 'success', rejected: state.rejected, reason: 'values that cannot be written'}
        : {outcome: 'success'};
    },
    async check() {
      try {
        await output.open();
        return undefined;
      } catch (error) {
        return `${config.path}: ${(error as Error).message}`;
      }
    },
    async stop() {
      if (config.fsync !== 'never') await output.sync().catch(() => undefined);
      await output.end();
    },
  };
}
