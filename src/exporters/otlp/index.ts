// SPDX-License-Identifier: Apache-2.0
/** Exporter `otlp`: metrics, logs and traces to an OpenTelemetry collector, over gRPC or HTTP. */
import type {OtlpExporterConfig} from '../../config/types.js';
import type {ExporterContext} from '../../delivery/context.js';
import type {RenderingExporter, SendResult} from '../../delivery/exporter.js';
import {parseUrl} from '../../delivery/http.js';
import {createLogRecords} from '../../delivery/log-records.js';
import {renderAll} from '../../delivery/render.js';
import {tlsOptions} from '../../delivery/tls.js';
import {createOtlpEncoder, type OtlpRequest, type Signal} from '../../records/otlp/encoder.js';
import type {Item} from '../../records/rendered.js';
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
  batch: readonly Item[];
  requests: OtlpRequest[];
  next: number;
  rejected: number;
  reason: string | undefined;
}

export function createExporter(config: OtlpExporterConfig, context: ExporterContext): RenderingExporter {
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

  const rendering = config.protocol === 'http/json' ? undefined : createLogRecords(context.clock);

  function begin(batch: readonly Item[]): Progress {
    const {items, rejected} = rendering ? renderAll(batch, rendering) : {items: batch, rejected: 0};
    const {requests, invalid} = encoder.encode(items, context.clock.now(), context.clock.wall());
    const refused = rejected + invalid;
    return {
      batch,
      requests,
      next: 0,
      rejected: refused,
      reason: refused > 0 ? 'values that are no numbers' : undefined,
    };
  }

  return {
    type: 'otlp',
    rendering,
    accepts: (record) => signals.has(SIGNALS[record.kind] ?? ''),
    start: () => Promise.resolve(),
    async send(batch: readonly Item[], signal: AbortSignal): Promise<SendResult> {
      if (progress?.batch !== batch) progress = begin(batch);
      const state = progress;
      for (; state.next < state.requests.length; state.next++) {
        const request = state.requests[state.next]!;
        const result = await transport.send(request, signal);
        if (result.outcome === 'retryable') return result;
        // A peer that failed may have answered before it read to the end.
        if (result.outcome === 'success') encoder.release(request);
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
