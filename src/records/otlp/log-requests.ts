// SPDX-License-Identifier: Apache-2.0
/** Log records of many processes into export requests, none above the limit, written in place and copied once. */
import {SCHEMA_URL} from '../semconv.js';
import type {Attributes, Event, Process, Start} from '../types.js';
import {closeResourceLogs, jsonAttributes, jsonLogRecord, openResourceLogs, writeLogRecord} from './logs.js';
import {ProtoWriter} from './proto.js';

export type LogRecords = Map<Process, (Event | Start)[]>;

export interface LogSettings {
  maxBytes: number;
  version: string;
  /** Resource of a process. */
  attributes(process: Process): Attributes;
  /** Takes a finished request. */
  done(bytes: Buffer, count: number): void;
}

const out = new ProtoWriter();

/** Protobuf. Returns how many records cannot be written. */
export function protoLogRequests(groups: LogRecords, observed: number, settings: LogSettings): number {
  let invalid = 0;
  let count = 0;
  out.length = 0;
  const finish = (): void => {
    if (count > 0) settings.done(Buffer.from(out.view()), count);
    out.length = 0;
    count = 0;
  };
  for (const [process, records] of groups) {
    const resource = settings.attributes(process);
    let open = openResourceLogs(out, resource, settings.version);
    for (const record of records) {
      const before = out.length;
      if (!writeLogRecord(out, record, observed)) {
        invalid++;
        continue;
      }
      if (out.length > settings.maxBytes && count > 0) {
        out.length = before;
        closeResourceLogs(out, open);
        finish();
        open = openResourceLogs(out, resource, settings.version);
        writeLogRecord(out, record, observed);
      }
      count++;
    }
    closeResourceLogs(out, open);
  }
  finish();
  return invalid;
}

/** JSON: the same, with texts. */
export function jsonLogRequests(groups: LogRecords, observed: number, settings: LogSettings): number {
  let invalid = 0;
  let elements: string[] = [];
  let lines: string[] = [];
  let size = 0;
  let count = 0;
  const closeElement = (head: string): void => {
    const tail = `],"schemaUrl":"${SCHEMA_URL}"}],"schemaUrl":"${SCHEMA_URL}"}`;
    if (lines.length > 0) elements.push(head + lines.join(',') + tail);
    lines = [];
  };
  const finish = (): void => {
    if (count > 0) settings.done(Buffer.from(`{"resourceLogs":[${elements.join(',')}]}`), count);
    elements = [];
    size = 0;
    count = 0;
  };
  for (const [process, records] of groups) {
    const resource = {attributes: jsonAttributes(Object.entries(settings.attributes(process)))};
    const scope = {name: 'appscope', version: settings.version};
    const head = `{"resource":${JSON.stringify(resource)},"scopeLogs":[{"scope":${JSON.stringify(scope)},"logRecords":[`;
    size += head.length + 200;
    for (const record of records) {
      const line = jsonLine(record, observed);
      if (line === undefined) {
        invalid++;
        continue;
      }
      const bytes = Buffer.byteLength(line) + 1;
      if (count > 0 && size + bytes > settings.maxBytes) {
        closeElement(head);
        finish();
        size = head.length + 200;
      }
      lines.push(line);
      size += bytes;
      count++;
    }
    closeElement(head);
  }
  finish();
  return invalid;
}

function jsonLine(record: Event | Start, observed: number): string | undefined {
  try {
    return JSON.stringify(jsonLogRecord(record, observed));
  } catch {
    return undefined;
  }
}
