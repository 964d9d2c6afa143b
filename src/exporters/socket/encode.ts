// SPDX-License-Identifier: Apache-2.0
/** Lines for one connection: the start message of each process before its first line, as AppScope 1.x sent them. */
import type {Rendering} from '../../delivery/exporter.js';
import {ByteWriter} from '../../records/byte-writer.js';
import {type StartOptions, tryWriteRecord, writePayloadHeader, writeStart} from '../../records/ndjson.js';
import type {Item} from '../../records/rendered.js';
import type {Payload, Process, Start} from '../../records/types.js';

/** Processes whose start messages are remembered; far more than live at a time. */
const REMEMBERED = 10_000;

export interface Introductions {
  /** Keeps the start messages of a batch; call once before asking for them. */
  learn(batch: readonly Item[]): void;
  /** A new connection knows nobody. */
  forgetPeer(): void;
  /** The start message of a process that the peer does not know yet; from now on it does. */
  of(process: Process, options: StartOptions): Buffer | undefined;
}

export function createIntroductions(wanted: boolean): Introductions {
  const starts = new Map<Process, Start>();
  let known = new WeakSet<Process>();

  return {
    learn(batch) {
      if (!wanted) return;
      for (const record of batch) {
        if (record.kind !== 'start') continue;
        if (starts.size >= REMEMBERED) starts.delete(starts.keys().next().value!);
        starts.set(record.process, record);
      }
    },
    forgetPeer() {
      known = new WeakSet();
    },
    of(process, options) {
      if (!wanted || known.has(process)) return undefined;
      known.add(process);
      const out = new ByteWriter(4096);
      const nothing: Start = {kind: 'start', time: process.startTime, process, configuration: {}};
      writeStart(out, starts.get(process) ?? nothing, options);
      return out.view();
    },
  };
}

/** Lines are rendered when they are accepted; start messages are kept, as each connection gets them anew. */
export function createLines(): Rendering {
  const out = new ByteWriter(0);
  return {
    out,
    form: 'lines',
    write: (record) =>
      record.kind === 'start' || record.kind === 'payload' ? undefined : tryWriteRecord(out, record),
  };
}

/** A payload's header and its bytes. */
export function payloadBytes(payload: Payload): Buffer[] {
  const out = new ByteWriter(1024);
  writePayloadHeader(out, payload);
  return [out.view(), Buffer.from(payload.bytes.buffer, payload.bytes.byteOffset, payload.bytes.byteLength)];
}
