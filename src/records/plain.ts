// SPDX-License-Identifier: Apache-2.0
/** Events that make themselves on demand (getters, a line writer) as plain data: for copies that differ, and for storing. */
import type {Event, RelayRecord} from './types.js';

/** A copy with nothing but data, other fields where given. It no longer writes its own line. */
export function plainEvent(event: Event, change: Partial<Pick<Event, 'data' | 'process'>> = {}): Event {
  return {
    kind: 'event',
    sourcetype: event.sourcetype,
    source: event.source,
    time: event.time,
    channel: event.channel,
    data: change.data ?? event.data,
    process: change.process ?? event.process,
  };
}

/** The record itself when it is plain data already. */
export function plainRecord(record: RelayRecord): RelayRecord {
  return record.kind === 'event' && record.writeLine !== undefined ? plainEvent(record) : record;
}
