// SPDX-License-Identifier: Apache-2.0
/** Log records of many processes into export requests, none above the limit, written in place. */
import type {Rendered} from '../rendered.js';
import {SCHEMA_URL} from '../semconv.js';
import type {Attributes, Event, Process, Start} from '../types.js';
import {closeResourceLogs, jsonAttributes, jsonLogRecord, openResourceLogs, writeLogRecord} from './logs.js';
import {fieldEnd, ProtoWriter} from './proto.js';

export type LogRecords = Map<Process, (Event | Start)[]>;
/** Log records in protobuf, some of them written already (writeLogRecord). */
export type LogItems = Map<Process, (Event | Start | Rendered)[]>;

export interface LogSettings {
  maxBytes: number;
  version: string;
  /** Resource of a process. */
  attributes(process: Process): Attributes;
  /** Takes a finished request. In protobuf its bytes are lent: see giveBack(). */
  done(bytes: Buffer, count: number): void;
}

/** Bytes in front of a request in protobuf that are nobody's: gRPC has a place for its head, and copies nothing. */
export const REQUEST_ROOM = 5;
const FIRST_BYTES = 256 * 1024;
/** Memory of requests, used again when they have been taken: fresh memory costs page faults and collections. */
const idle: Buffer[] = [];
const IDLE_KEPT = 2;
const out = new ProtoWriter(0);

/** Nobody reads this request of protoLogRequests() any more. */
export function giveBack(request: Buffer): void {
  if (idle.length < IDLE_KEPT) idle.push(Buffer.from(request.buffer));
}

/** Protobuf. Returns how many records cannot be written. */
export function protoLogRequests(groups: LogItems, observed: number, settings: LogSettings): number {
  let invalid = 0;
  let count = 0;
  const begin = (): void => {
    if (out.buffer.length === 0) out.buffer = idle.pop() ?? Buffer.allocUnsafeSlow(FIRST_BYTES);
    out.length = REQUEST_ROOM;
  };
  const finish = (): void => {
    if (count > 0) {
      settings.done(out.buffer.subarray(REQUEST_ROOM, out.length), count);
      out.buffer = Buffer.alloc(0);
    }
    begin();
    count = 0;
  };
  begin();
  for (const [process, items] of groups) {
    const resource = settings.attributes(process);
    let open = openResourceLogs(out, resource, settings.version);
    /** What `write` appends is in a request of its own when it is too much for this one. */
    const append = (records: number, write: () => boolean): boolean => {
      const before = out.length;
      if (!write()) return false;
      if (out.length - REQUEST_ROOM > settings.maxBytes && count > 0) {
        out.length = before;
        closeResourceLogs(out, open);
        finish();
        open = openResourceLogs(out, resource, settings.version);
        write();
      }
      count += records;
      return true;
    };
    for (const item of items) {
      if (item.kind !== 'rendered') {
        if (!append(1, () => writeLogRecord(out, item, observed))) invalid++;
        continue;
      }
      for (const {bytes, records} of pieces(item, settings.maxBytes / PIECES)) {
        append(records, () => {
          out.bytes(bytes);
          return true;
        });
      }
    }
    closeResourceLogs(out, open);
  }
  finish();
  return invalid;
}

/** A run is put into requests in pieces of this part of their size. */
const PIECES = 8;

/** Whole log records of a run, together as many as `most` bytes hold. */
function* pieces({bytes, count}: Rendered, most: number): Generator<{bytes: Buffer; records: number}> {
  if (bytes.length <= most) {
    yield {bytes, records: count};
    return;
  }
  let from = 0;
  let at = 0;
  let records = 0;
  while (at < bytes.length) {
    const end = fieldEnd(bytes, at);
    if (records > 0 && end - from > most) {
      yield {bytes: bytes.subarray(from, at), records};
      from = at;
      records = 0;
    }
    at = end;
    records++;
  }
  yield {bytes: bytes.subarray(from), records};
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
