// SPDX-License-Identifier: Apache-2.0
/** Reads OTLP requests with protobufjs, and peers that take them over gRPC and HTTP. */
import {createServer, type Server as HttpServer} from 'node:http';
import {createServer as createHttps} from 'node:https';
import {join} from 'node:path';
import {gunzipSync} from 'node:zlib';
import {Metadata, Server, ServerCredentials, type ServiceError} from '@grpc/grpc-js';
import protobuf from 'protobufjs';

const root = protobuf.loadSync(join(import.meta.dirname, '../fixtures/otlp.proto'));
const TYPES = {metrics: 'MetricsRequest', logs: 'LogsRequest', traces: 'TracesRequest'} as const;
export type OtlpSignal = keyof typeof TYPES;

/** A decoded request: plain objects, names in camelCase, 64-bit numbers as text, bytes as Buffers. */
export type Decoded = Record<string, unknown>;

export function decodeOtlp(signal: OtlpSignal, bytes: Uint8Array): Decoded {
  const type = root.lookupType(`otlp.${TYPES[signal]}`);
  return type.toObject(type.decode(bytes), {
    longs: String,
    bytes: (b: Uint8Array) => Buffer.from(b).toString('hex'),
  });
}

export function encodeResponse(rejected: number, message: string): Buffer {
  const type = root.lookupType('otlp.Response');
  if (rejected === 0) return Buffer.alloc(0);
  return Buffer.from(
    type.encode(type.fromObject({partialSuccess: {rejected, errorMessage: message}})).finish(),
  );
}

interface KeyValue {
  key: string;
  value: Record<string, unknown>;
}

/** Attributes as one object. */
export function flatten(attributes: unknown): Record<string, unknown> {
  const value = (any: Record<string, unknown> | undefined): unknown => {
    const [kind, inner] = Object.entries(any ?? {})[0] ?? [];
    if (kind === 'intValue') return Number(inner);
    if (kind === 'arrayValue')
      return ((inner as {values?: Record<string, unknown>[]}).values ?? []).map(value);
    return inner;
  };
  return Object.fromEntries(((attributes ?? []) as KeyValue[]).map((pair) => [pair.key, value(pair.value)]));
}

/** How a peer answers the next requests; then it takes all. */
export type OtlpAnswer =
  | {status: number; retryAfterMs?: number}
  | {rejected: number; message: string}
  | 'hang';

export interface OtlpPeer {
  port: number;
  readonly requests: {signal: OtlpSignal; body: Decoded; size: number; headers: Record<string, string>}[];
  readonly answers: OtlpAnswer[];
  close(): Promise<void>;
}

function retryInfo(ms: number): Buffer {
  const any = (type: string, value: Buffer): Buffer =>
    Buffer.concat([
      Buffer.from([0x0a, type.length]),
      Buffer.from(type),
      Buffer.from([0x12, value.length]),
      value,
    ]);
  const duration = Buffer.from([0x08, Math.floor(ms / 1000)]);
  const info = Buffer.concat([Buffer.from([0x0a, duration.length]), duration]);
  const detail = any('type.googleapis.com/google.rpc.RetryInfo', info);
  return Buffer.concat([Buffer.from([0x08, 8, 0x1a, detail.length]), detail]);
}

const SERVICES = {
  metrics: 'opentelemetry.proto.collector.metrics.v1.MetricsService',
  logs: 'opentelemetry.proto.collector.logs.v1.LogsService',
  traces: 'opentelemetry.proto.collector.trace.v1.TraceService',
} as const;

export async function grpcPeer(
  port = 0,
  credentials = ServerCredentials.createInsecure(),
): Promise<OtlpPeer> {
  const server = new Server();
  const requests: OtlpPeer['requests'] = [];
  const answers: OtlpAnswer[] = [];
  for (const signal of Object.keys(SERVICES) as OtlpSignal[]) {
    const identity = (value: Buffer): Buffer => value;
    server.addService(
      {
        Export: {
          path: `/${SERVICES[signal]}/Export`,
          requestStream: false,
          responseStream: false,
          requestSerialize: identity,
          requestDeserialize: identity,
          responseSerialize: identity,
          responseDeserialize: identity,
        },
      },
      {
        Export(
          call: {request: Buffer; metadata: Metadata},
          done: (error: Partial<ServiceError> | null, answer?: Buffer) => void,
        ) {
          const answer = answers.shift();
          if (answer === 'hang') return;
          if (answer !== undefined && 'status' in answer) {
            const metadata = new Metadata();
            if (answer.retryAfterMs !== undefined)
              metadata.set('grpc-status-details-bin', retryInfo(answer.retryAfterMs));
            done({code: answer.status, details: 'told so', metadata});
            return;
          }
          requests.push({
            signal,
            body: decodeOtlp(signal, call.request),
            size: call.request.length,
            headers: call.metadata.getMap() as Record<string, string>,
          });
          done(null, encodeResponse(answer?.rejected ?? 0, answer?.message ?? ''));
        },
      },
    );
  }
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, got) =>
      error ? reject(error) : resolve(got),
    );
  });
  return {
    port: bound,
    requests,
    answers,
    close() {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

export async function httpPeer(port = 0, tls?: {key: Buffer; cert: Buffer; ca?: Buffer}): Promise<OtlpPeer> {
  const requests: OtlpPeer['requests'] = [];
  const answers: OtlpAnswer[] = [];
  const listener: Parameters<typeof createServer>[1] = (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const answer = answers.shift();
      if (answer === 'hang') return;
      if (answer !== undefined && 'status' in answer) {
        if (answer.retryAfterMs !== undefined)
          response.setHeader('retry-after', String(answer.retryAfterMs / 1000));
        response.writeHead(answer.status).end('told so');
        return;
      }
      const raw = Buffer.concat(parts);
      const bytes = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
      const signal = request.url!.split('/').at(-1) as OtlpSignal;
      const json = request.headers['content-type'] === 'application/json';
      const body = json ? (JSON.parse(bytes.toString()) as Decoded) : decodeOtlp(signal, bytes);
      requests.push({signal, body, size: bytes.length, headers: request.headers as Record<string, string>});
      const rejected = answer?.rejected ?? 0;
      const partial = {partialSuccess: {rejectedLogRecords: rejected, errorMessage: answer?.message}};
      response.end(
        json ? JSON.stringify(rejected > 0 ? partial : {}) : encodeResponse(rejected, answer?.message ?? ''),
      );
    });
  };
  const server: HttpServer =
    tls === undefined
      ? createServer(listener)
      : createHttps(
          {...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: tls.ca !== undefined},
          listener!,
        );
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port: (server.address() as {port: number}).port,
    requests,
    answers,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
