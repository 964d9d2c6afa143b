// SPDX-License-Identifier: Apache-2.0
/** OTLP over gRPC: our own calls on @grpc/grpc-js, because the exporters of OpenTelemetry neither retry nor batch resources. */
import {
  Client,
  type ClientOptions,
  compressionAlgorithms,
  credentials,
  Metadata,
  type ServiceError,
  status as Status,
} from '@grpc/grpc-js';
import type {OtlpExporterConfig} from '../../config/types.js';
import {authorization} from '../../delivery/http.js';
import type {TlsOptions} from '../../delivery/tls.js';
import type {OtlpRequest, Signal} from '../../records/otlp/encoder.js';
import {installFrames, ownMessage} from './frames.js';
import {type Delivered, type OtlpTransport, partialSuccess, retryDelay} from './transport.js';

const METHODS: Record<Signal, string> = {
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
};
/** As the OTLP specification lists them; RESOURCE_EXHAUSTED only when the peer says when to come back. */
const RETRYABLE = new Set<number>([
  Status.CANCELLED,
  Status.DEADLINE_EXCEEDED,
  Status.ABORTED,
  Status.OUT_OF_RANGE,
  Status.UNAVAILABLE,
  Status.DATA_LOSS,
]);

function failed(error: ServiceError): Delivered {
  const details = error.metadata?.get('grpc-status-details-bin')[0];
  const afterMs = details instanceof Uint8Array ? retryDelay(details) : undefined;
  const reason = `${Status[error.code] ?? error.code}: ${error.details}`;
  if (RETRYABLE.has(error.code) || (error.code === Status.RESOURCE_EXHAUSTED && afterMs !== undefined)) {
    return {outcome: 'retryable', reason, ...(afterMs === undefined ? {} : {afterMs})};
  }
  return {outcome: 'failure', reason};
}

export function createGrpcTransport(
  config: OtlpExporterConfig,
  endpoint: URL,
  tls: TlsOptions | undefined,
  userAgent: string,
): OtlpTransport {
  installFrames();
  const options: ClientOptions = {
    'grpc.primary_user_agent': userAgent,
    'grpc.max_reconnect_backoff_ms': 5000,
    'grpc.initial_reconnect_backoff_ms': 200,
    // A client that is closed takes its connection with it.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.default_compression_algorithm':
      config.compression === 'gzip' ? compressionAlgorithms.gzip : compressionAlgorithms.identity,
    ...(tls?.servername ? {'grpc.ssl_target_name_override': tls.servername} : {}),
  };
  const channel =
    tls === undefined
      ? credentials.createInsecure()
      : credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null, {
          rejectUnauthorized: tls.rejectUnauthorized,
          ...(tls.rejectUnauthorized ? {} : {checkServerIdentity: () => undefined}),
        });
  const port = endpoint.port || (tls === undefined ? '80' : '443');
  let client: Client | undefined;
  const open = (): Client => {
    client ??= new Client(`${endpoint.hostname}:${port}`, channel, options);
    return client;
  };

  function metadata(): Metadata {
    const out = new Metadata();
    for (const [name, value] of Object.entries({...config.headers, ...authorization(config.auth)})) {
      out.set(name.toLowerCase(), value);
    }
    return out;
  }

  /** A connection may be dead and nobody said so: what did not answer in time is not asked again. */
  function close(): void {
    client?.close();
    client = undefined;
  }

  function call({signal, bytes}: OtlpRequest, head: Metadata, abort: AbortSignal): Promise<Delivered> {
    return new Promise((resolve) => {
      const made = open().makeUnaryRequest(
        METHODS[signal],
        (value: Buffer) => value,
        (value: Buffer) => value,
        bytes,
        head,
        (error: ServiceError | null, answer?: Buffer) => {
          abort.removeEventListener('abort', cancel);
          resolve(error === null ? partialSuccess(answer ?? Buffer.alloc(0)) : failed(error));
        },
      );
      const cancel = (): void => {
        made.cancel();
        close();
      };
      abort.addEventListener('abort', cancel);
      if (abort.aborted) cancel();
    });
  }

  return {
    async send(request, abort) {
      ownMessage(request.bytes, request.lent === true);
      let head: Metadata;
      try {
        head = metadata();
      } catch (error) {
        // A token file may be there again.
        return {outcome: 'retryable', reason: (error as Error).message};
      }
      return call(request, head, abort);
    },
    check(abort) {
      return new Promise((resolve) => {
        const deadline = Date.now() + 5000;
        const give = (reason?: string): void => resolve(reason);
        abort.addEventListener('abort', () => give('aborted'), {once: true});
        open().waitForReady(deadline, (error) =>
          give(
            error === undefined || error === null
              ? undefined
              : `cannot connect to ${endpoint.host}: ${error.message}`,
          ),
        );
      });
    },
    close,
  };
}
