// SPDX-License-Identifier: Apache-2.0
/** What both OTLP transports have in common. */
import type {OtlpRequest} from '../../records/otlp/encoder.js';
import {readMessage} from '../../records/otlp/proto.js';

/** `rejected`: of the records, by partial success. */
export type Delivered =
  | {outcome: 'success'; rejected: number; reason?: string}
  | {outcome: 'retryable'; reason: string; afterMs?: number}
  | {outcome: 'failure'; reason: string};

export interface OtlpTransport {
  send(request: OtlpRequest, signal: AbortSignal): Promise<Delivered>;
  /** Undefined when the peer can be reached. */
  check(signal: AbortSignal): Promise<string | undefined>;
  close(): void;
}

/** Export…ServiceResponse in protobuf. */
export function partialSuccess(bytes: Uint8Array): Delivered {
  const partial = readMessage(bytes).get(1)?.[0];
  if (!(partial instanceof Uint8Array)) return {outcome: 'success', rejected: 0};
  const fields = readMessage(partial);
  const rejected = fields.get(1)?.[0];
  const message = fields.get(2)?.[0];
  const reason = message instanceof Uint8Array ? Buffer.from(message).toString() : '';
  return {
    outcome: 'success',
    rejected: typeof rejected === 'number' ? rejected : 0,
    ...(reason === '' ? {} : {reason}),
  };
}

/** The same in JSON. */
export function partialSuccessJson(bytes: Buffer): Delivered {
  try {
    const {partialSuccess: partial = {}} = JSON.parse(bytes.toString() || '{}') as {
      partialSuccess?: Record<string, unknown>;
    };
    const rejected = partial.rejectedDataPoints ?? partial.rejectedLogRecords ?? partial.rejectedSpans ?? 0;
    const reason = partial.errorMessage;
    return {
      outcome: 'success',
      rejected: Number(rejected) || 0,
      ...(typeof reason === 'string' && reason !== '' ? {reason} : {}),
    };
  } catch {
    return {outcome: 'success', rejected: 0};
  }
}

/** retry_delay of the google.rpc.RetryInfo in a google.rpc.Status; undefined when there is none. */
export function retryDelay(status: Uint8Array): number | undefined {
  for (const detail of readMessage(status).get(3) ?? []) {
    if (!(detail instanceof Uint8Array)) continue;
    const any = readMessage(detail);
    const type = any.get(1)?.[0];
    const value = any.get(2)?.[0];
    if (!(type instanceof Uint8Array && value instanceof Uint8Array)) continue;
    if (!Buffer.from(type).toString().endsWith('google.rpc.RetryInfo')) continue;
    const delay = readMessage(value).get(1)?.[0];
    if (!(delay instanceof Uint8Array)) return 0;
    const fields = readMessage(delay);
    const part = (field: number): number => {
      const found = fields.get(field)?.[0];
      return typeof found === 'number' ? found : 0;
    };
    return part(1) * 1000 + part(2) / 1e6;
  }
  return undefined;
}
