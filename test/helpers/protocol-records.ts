// SPDX-License-Identifier: Apache-2.0
/** Records of protocols on a connection, as the probes make them. */
import {FD_FLAG, MESSAGE_FLAG, OFFSETS, REC, REC_FLAG} from '../../src/channel/index.js';
import {type ConnFields, closeStruct, connStruct, makeRecord, type RecordFields} from './channel-records.js';

export interface MessageFields extends Partial<RecordFields> {
  body?: number;
  skip?: number;
  count?: number;
  /** Bits of MESSAGE_FLAG. */
  message?: number;
  tx?: boolean;
  tls?: boolean;
  role?: 'server' | 'client';
}

function flagsOf(fields: MessageFields): number {
  const role = fields.role === 'client' ? REC_FLAG.CLIENT : fields.role === 'server' ? REC_FLAG.SERVER : 0;
  return (fields.tx ? REC_FLAG.TX : 0) | (fields.tls ? REC_FLAG.TLS : 0) | role | (fields.flags ?? 0);
}

function messageRecord(type: number, bytes: Buffer | string, fields: MessageFields): Buffer {
  const {message: M} = OFFSETS;
  const struct = Buffer.alloc(M.size);
  struct.writeBigUInt64LE(BigInt(fields.body ?? 0), M.body);
  struct.writeUInt32LE(fields.skip ?? 0, M.skip);
  struct.writeUInt16LE(fields.message ?? 0, M.flags);
  struct.writeUInt16LE(fields.count ?? 0, M.count);
  const payload = Buffer.concat([struct, typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes]);
  return makeRecord({object: 1, fd: 5, ...fields, type, flags: flagsOf(fields), payload});
}

/** A head; `message` defaults to the whole message having been seen. */
export function makeHead(head: string, fields: MessageFields = {}): Buffer {
  return messageRecord(REC.HTTP1, head, {message: MESSAGE_FLAG.END, ...fields});
}

export function makeBodyEnd(fields: MessageFields): Buffer {
  return messageRecord(REC.HTTP1_END, '', {message: MESSAGE_FLAG.END, ...fields});
}

export function makeFrames(frames: Buffer, fields: MessageFields): Buffer {
  return messageRecord(REC.HTTP2, frames, fields);
}

export function makePayload(bytes: Buffer | string, fields: MessageFields): Buffer {
  return messageRecord(REC.PAYLOAD, bytes, fields);
}

/** DNS, STATSD, RESOLVE, DETECT: bytes without a struct before them. */
export function makePlain(type: number, bytes: Buffer | string, fields: MessageFields): Buffer {
  const payload = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
  return makeRecord({object: 1, fd: 5, ...fields, type, flags: flagsOf(fields), payload});
}

export function makeConnOpen(conn: ConnFields = {}, fields: Partial<RecordFields> = {}): Buffer {
  const payload = connStruct({flags: FD_FLAG.SERVER, ...conn});
  return makeRecord({type: REC.CONN_OPEN, object: 1, fd: 5, ...fields, payload});
}

export function makeConnClose(conn: ConnFields = {}, fields: Partial<RecordFields> = {}): Buffer {
  const payload = Buffer.concat([connStruct(conn), closeStruct({rx_bytes: 1})]);
  return makeRecord({type: REC.CONN_CLOSE, object: 1, fd: 5, ...fields, payload});
}

/** One HTTP/2 frame; `length` differs from the payload's for DATA, whose payload is cut. */
export function http2Frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer | string,
  length?: number,
): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload.replaceAll(' ', ''), 'hex') : payload;
  const out = Buffer.alloc(9 + body.length);
  out.writeUIntBE(length ?? body.length, 0, 3);
  out[3] = type;
  out[4] = flags;
  out.writeUInt32BE(stream, 5);
  body.copy(out, 9);
  return out;
}

/** A header block of literals without indexing. */
export function hpackBlock(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(
    fields.map(([name, value]) =>
      Buffer.concat([
        Buffer.from([0, name.length]),
        Buffer.from(name),
        Buffer.from([value.length]),
        Buffer.from(value),
      ]),
    ),
  );
}
