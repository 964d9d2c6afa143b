// SPDX-License-Identifier: Apache-2.0
/** Exporter `file`: NDJSON (or StatsD) lines into a file that rotates, or to the standard output. */
import {ScopeError} from '../../base/errors.js';
import type {FileExporterConfig} from '../../config/types.js';
import type {ExporterContext} from '../../delivery/context.js';
import type {Rendering, RenderingExporter, SendResult} from '../../delivery/exporter.js';
import {renderAll} from '../../delivery/render.js';
import {ByteWriter} from '../../records/byte-writer.js';
import {isLine, tryWriteRecord} from '../../records/ndjson.js';
import type {Item} from '../../records/rendered.js';
import {statsdLine, statsdPrefix} from '../../records/statsd.js';
import type {RelayRecord} from '../../records/types.js';
import {behind, Output} from './output.js';

/** Lines are handed to the system in pieces of about this size. */
const PIECE = 1024 * 1024;
/** Most buffers of one system call: IOV_MAX is 1024. */
const MOST_BUFFERS = 512;
const NEWLINE = 0x0a;

/** Where a batch stands: it is offered again after `retryable`, and what was written must not be written twice. */
interface Progress {
  batch: readonly Item[];
  /** Lines that are not written yet; the first may be what is left of a run. */
  rest: Buffer[];
  rejected: number;
}

export function createExporter(config: FileExporterConfig, context: ExporterContext): RenderingExporter {
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
  const out = new ByteWriter(0);
  const rendering: Rendering = {out, write, ...(config.format === 'ndjson' ? {form: 'lines'} : {})};
  let progress: Progress | undefined;
  let synced = context.clock.now();

  function write(record: RelayRecord): boolean {
    if (config.format === 'ndjson') return tryWriteRecord(out, record);
    const line = record.kind === 'metric' ? statsdLine(record, statsd) : undefined;
    if (line === undefined) return false;
    out.bytes(Buffer.from(line));
    return true;
  }

  function begin(batch: readonly Item[]): Progress {
    const {items, rejected} = renderAll(batch, rendering);
    const rest = items.flatMap((item) => (item.kind === 'rendered' ? [item.bytes] : []));
    return {batch, rest, rejected};
  }

  /** The next lines that fit into the file, one at least; what does not fit of a run stays behind. */
  function nextPiece(rest: Buffer[]): Buffer[] {
    const limit = Math.min(PIECE, Math.max(1, output.room));
    const piece: Buffer[] = [];
    let size = 0;
    while (rest.length > 0 && piece.length < MOST_BUFFERS) {
      const bytes = rest[0]!;
      const fits = bytes.length <= limit - size ? bytes.length : wholeLines(bytes, limit - size, size === 0);
      if (fits === 0) break;
      piece.push(bytes.subarray(0, fits));
      size += fits;
      if (fits === bytes.length) rest.shift();
      else {
        rest[0] = bytes.subarray(fits);
        break;
      }
    }
    return piece;
  }

  async function writePiece(state: Progress, signal: AbortSignal): Promise<Error | undefined> {
    if (output.room < 1) await output.rotateFor(1);
    const piece = nextPiece(state.rest);
    const size = piece.reduce((sum, bytes) => sum + bytes.length, 0);
    await output.rotateFor(size);
    const {written, error} = await output.write(piece, signal);
    // A pipe may have taken a part.
    if (error !== undefined) state.rest.unshift(...behind(piece, written));
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
    rendering,
    accepts: (record) => (config.format === 'ndjson' ? isLine(record) : record.kind === 'metric'),
    start: () => Promise.resolve(),
    async send(batch, signal): Promise<SendResult> {
      if (progress?.batch !== batch) progress = begin(batch);
      const state = progress;
      try {
        await output.open();
        while (state.rest.length > 0) {
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

/** Bytes of the whole lines within `limit`; of the first line when not even that fits and `least` is wanted. */
function wholeLines(bytes: Buffer, limit: number, least: boolean): number {
  const end = bytes.lastIndexOf(NEWLINE, limit - 1) + 1;
  return end > 0 || !least ? end : bytes.indexOf(NEWLINE) + 1;
}
