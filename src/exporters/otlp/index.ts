// SPDX-License-Identifier: Apache-2.0
/** Exporter `otlp`: metrics, logs and traces to an OpenTelemetry collector, over gRPC or HTTP. */
import type {OtlpExporterConfig} from '../../config/types.js';
import type {ExporterContext} from '../../delivery/context.js';
import type {Exporter, SendResult} from '../../delivery/exporter.js';
import {parseUrl} from '../../delivery/http.js';
import {tlsOptions} from '../../delivery/tls.js';
import {createOtlpEncoder, type OtlpRequest, type Signal} from '../../records/otlp/encoder.js';
import type {RelayRecord} from '../../records/types.js';
import {createGrpcTransport} from './grpc.js';
import {createHttpTransport} from './http.js';

const SIGNALS: Partial<Record<RelayRecord['kind'], Signal>> = {
  metric: 'metrics',
  event: 'logs',
  start: 'logs',
  span: 'traces',
};

/** A batch is encoded once: a second time would add to cumulative sums, and what was sent is not sent again. */
interface Progress {
  batch: readonly RelayRecord[];
  requests: OtlpRequest[];
  next: number;
  rejected: number;
  reason: string | undefined;
}

export function createExporter(config: OtlpExporterConfig, context: ExporterContext): Exporter {
  const endpoint = parseUrl(config.endpoint, `exporters.${context.name}.endpoint`);
  const tls = tlsOptions(config.tls, endpoint.protocol === 'https:' || endpoint.protocol === 'grpcs:');
  const userAgent = `appscope/${context.version}`;
  const transport =
    config.protocol === 'grpc'
      ? createGrpcTransport(config, endpoint, tls, userAgent)
      : createHttpTransport(config, endpoint, tls, userAgent);
  const encoder = createOtlpEncoder({
    form: config.protocol === 'http/json' ? 'json' : 'protobuf',
    temporality: config.temporality,
    maxBytes: config.max_request_bytes,
    maxSeries: config.max_series,
    resource: config.resource_attributes ?? {},
    version: context.version,
  });
  const signals = new Set<string>(config.signals);
  let progress: Progress | undefined;

  function begin(batch: readonly RelayRecord[]): Progress {
    const {requests, invalid} = encoder.encode(batch, context.clock.now(), context.clock.wall());
    const reason = invalid > 0 ? 'values that are no numbers' : undefined;
    return {batch, requests, next: 0, rejected: invalid, reason};
  }

  return {
    type: 'otlp',
    accepts: (record) => signals.has(SIGNALS[record.kind] ?? ''),
    start: () => Promise.resolve(),
    async send(batch, signal): Promise<SendResult> {
      if (progress?.batch !== batch) progress = begin(batch);
      const state = progress;
      for (; state.next < state.requests.length; state.next++) {
        const request = state.requests[state.next]!;
        const result = await transport.send(request, signal);
        if (result.outcome === 'retryable') return result;
        if (result.outcome === 'failure') state.rejected += request.count;
        else state.rejected += Math.min(request.count, result.rejected);
        state.reason = result.reason ?? state.reason;
      }
      progress = undefined;
      const reason = state.reason === undefined ? {} : {reason: state.reason};
      return {outcome: 'success', rejected: state.rejected, ...reason};
    },
    check: (signal) => transport.check(signal),
    stop() {
      transport.close();
      return Promise.resolve();
    },
  };
}
