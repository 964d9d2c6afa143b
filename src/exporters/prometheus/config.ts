// SPDX-License-Identifier: Apache-2.0
/** `type: prometheus` in YAML: a page to be scraped, remote write, or both. */
import type {Duration} from '../../base/units.js';
import type {AuthConfig, DeliveryConfig, TlsConfig} from '../../delivery/config.js';

export interface PrometheusConfig extends DeliveryConfig {
  type: 'prometheus';
  /** Address of the page `/metrics`. No listener when absent. */
  listen?: string;
  /** Path of the page. Default `/metrics`. */
  path?: string;
  /** Send samples to a receiver. */
  remote_write?: {
    /** `http://host:9090/api/v1/write`. */
    url: string;
    headers?: Record<string, string>;
    tls?: TlsConfig;
    auth?: AuthConfig;
    /** Labels added to every series. */
    external_labels?: Record<string, string>;
    /** How often changed series are sent. Default 10s. */
    interval?: Duration;
  };
  /** `semconv`: OpenTelemetry names; `appscope`: the original's. Default `appscope`. */
  names?: 'semconv' | 'appscope';
  /** Put before each name. Default "". */
  prefix?: string;
  /** Attributes that become labels besides proc, pid, host. Default: those of verbosity 4 and below. */
  labels?: string[];
  /** Series kept at most; new ones above it are counted and left out. Default 20000. */
  max_series?: number;
  /** Series of an ended process are removed after this time. Default 5m. */
  stale_after?: Duration;
  /** Trace ids of spans as exemplars of durations. Default false. */
  exemplars?: boolean;
}
