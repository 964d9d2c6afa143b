// SPDX-License-Identifier: Apache-2.0
/** The fields of a record that transforms change, whatever its kind: copies, since others hold the same record. */
import type {Attributes, RelayRecord} from '../records/types.js';

export type Fields = Record<string, unknown>;

/** Attributes of metrics and spans, data of events; undefined for records without fields (and events that are text). */
export function fieldsOf(record: RelayRecord): Fields | undefined {
  if (record.kind === 'metric' || record.kind === 'span') return record.attributes;
  return record.kind === 'event' && typeof record.data === 'object' ? record.data : undefined;
}

/** The record with other fields; it must have fields. */
export function withFields(record: RelayRecord, fields: Fields): RelayRecord {
  if (record.kind === 'metric' || record.kind === 'span')
    return {...record, attributes: fields as Attributes};
  return record.kind === 'event' ? {...record, data: fields} : record;
}
