// SPDX-License-Identifier: Apache-2.0
/** The fields of a record that transforms change, whatever its kind: copies, since others hold the same record. */
import {plainEvent} from '../records/plain.js';
import type {Attributes, RelayRecord} from '../records/types.js';

export type Fields = Record<string, unknown>;

/** Attributes of metrics and spans, data of events; undefined for records without fields (and events that are text). */
export function fieldsOf(record: RelayRecord): Fields | undefined {
  if (record.kind === 'metric' || record.kind === 'span') return record.attributes;
  if (record.kind !== 'event') return undefined;
  const {data} = record;
  return typeof data === 'object' ? data : undefined;
}

/** The record with other fields; it must have fields. */
export function withFields(record: RelayRecord, fields: Fields): RelayRecord {
  if (record.kind === 'metric' || record.kind === 'span')
    return {...record, attributes: fields as Attributes};
  return record.kind === 'event' ? plainEvent(record, {data: fields}) : record;
}
