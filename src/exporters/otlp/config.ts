// SPDX-License-Identifier: Apache-2.0
/** `type: otlp` in YAML: OpenTelemetry metrics, logs and traces. */
import type {Duration, Size} from '../../base/units.js';
import type {AuthConfig, DeliveryConfig, TlsConfig} from '../../delivery/config.js';

export interface OtlpConfig extends DeliveryConfig {
  type: 'otlp';
  /** `http://host:4317`, `https://…`, or for HTTP the base of `/v1/metrics`, `/v1/logs`, `/v1/traces`. */
  endpoint: string;
  /** Default `grpc`. */
  protocol?: 'grpc' | 'http/protobuf' | 'http/json';
  /** Sent with every request. */
  headers?: Record<string, string>;
  /** Default `gzip`. */
  compression?: 'gzip' | 'none';
  tls?: TlsConfig;
  auth?: AuthConfig;
  /** Default `cumulative`. */
  temporality?: 'cumulative' | 'delta';
  /** What is sent. Default all three. */
  signals?: ('metrics' | 'logs' | 'traces')[];
  /** `semconv`: OpenTelemetry names; `appscope`: the original's. Default `semconv`. */
  names?: 'semconv' | 'appscope';
  /** Attributes added to every resource. */
  resource?: Record<string, string>;
  /** Put the command line into the resource as process.command_args (may hold secrets). Default false. */
  command_args?: boolean;
  /** Largest request before compression. Default 3MiB. */
  max_request_bytes?: Size;
  /** Series kept for cumulative sums; above it new series go out as deltas of an overflow series. Default 100000. */
  max_series?: number;
  /** A series not seen for this long is forgotten. Default 10m. */
  series_ttl?: Duration;
}
