// SPDX-License-Identifier: Apache-2.0
/** Lines for one connection: the start message of each process before its first line, as AppScope 1.x sent them. */
import type {ByteWriter} from '../../records/byte-writer.js';
import {type StartOptions, tryWriteRecord, writePayloadHeader, writeStart} from '../../records/ndjson.js';
import type {Process, RelayRecord, Start} from '../../records/types.js';

/** Processes whose start messages are remembered; far more than live at a time. */
const REMEMBERED = 10_000;

export interface Introductions {
  /** Keeps the start messages of a batch; call once before encoding. */
  learn(batch: readonly RelayRecord[]): void;
  /** A new connection knows nobody. */
  forgetPeer(): void;
  /**
   * Start messages of the processes in `records` that the peer does not know yet, then the records' lines. Returns how
   * many records have none.
   */
  write(out: ByteWriter, records: readonly RelayRecord[], options: StartOptions): number;
}

export function createIntroductions(wanted: boolean): Introductions {
  const starts = new Map<Process, Start>();
  let known = new WeakSet<Process>();

  function introduce(out: ByteWriter, record: RelayRecord, options: StartOptions): void {
    const {process} = record;
    if (known.has(process)) return;
    known.add(process);
    const start = starts.get(process) ?? {
      kind: 'start',
      time: process.startTime,
      process,
      configuration: {},
    };
    writeStart(out, start as Start, options);
  }

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
    write(out, records, options) {
      let rejected = 0;
      for (const record of records) {
        if (wanted) introduce(out, record, options);
        // Its start message is what introduce() wrote, now or earlier on this connection.
        if (record.kind === 'start') continue;
        if (record.kind === 'payload') {
          writePayloadHeader(out, record);
          out.bytes(record.bytes);
        } else if (!tryWriteRecord(out, record)) rejected++;
      }
      return rejected;
    },
  };
}
