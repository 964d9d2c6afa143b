// SPDX-License-Identifier: Apache-2.0
/** Cheap estimate of what a record takes in memory and on a wire; queues and batches are bounded by it. */
import type {Event, RelayRecord} from '../records/types.js';

function fields(object: object): number {
  let bytes = 0;
  for (const key in object) {
    const value = (object as Record<string, unknown>)[key];
    bytes += key.length + 8;
    if (typeof value === 'string') bytes += value.length;
    else if (Array.isArray(value)) for (const item of value) bytes += 4 + String(item).length;
    else bytes += 8;
  }
  return bytes;
}

/** Kinds of events whose fields are few and known: what they take besides their texts. */
const KNOWN: Readonly<Record<string, number | undefined>> = {fs: 250, net: 250, console: 15, file: 15};

function dataSize(event: Event): number {
  if (event.path !== undefined) return KNOWN.fs! + event.path.length;
  const {data} = event;
  if (typeof data === 'string') return data.length;
  const known = KNOWN[event.sourcetype];
  if (known === undefined) return fields(data);
  return known + length(data.message) + length(data.file);
}

const length = (value: unknown): number => (typeof value === 'string' ? value.length : 0);

/** Bytes of one record, without its process (shared by many). */
export function recordSize(record: RelayRecord): number {
  switch (record.kind) {
    case 'event':
      return 200 + record.source.length + dataSize(record);
    case 'metric':
      return 200 + record.name.length + fields(record.attributes) + (record.buckets?.counts.length ?? 0) * 8;
    case 'span':
      return 300 + record.name.length + fields(record.attributes);
    case 'payload':
      return 250 + record.bytes.length;
    case 'start':
      return 4096;
  }
}
