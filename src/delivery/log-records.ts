// SPDX-License-Identifier: Apache-2.0
/** Events as log records of protobuf when they are accepted; metrics, whose sums add up over batches, and spans stay records. */
import type {Clock} from '../base/clock.js';
import {writeLogRecord} from '../records/otlp/logs.js';
import {ProtoWriter} from '../records/otlp/proto.js';
import type {Rendering} from './exporter.js';

export function createLogRecords(clock: Clock): Rendering {
  const out = new ProtoWriter(0);
  let observed = 0;
  return {
    out,
    form: 'logs',
    begin() {
      observed = clock.wall() / 1000;
    },
    write: (record) =>
      record.kind === 'event' || record.kind === 'start' ? writeLogRecord(out, record, observed) : undefined,
  };
}
