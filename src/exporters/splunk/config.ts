// SPDX-License-Identifier: Apache-2.0
/** `type: splunk` in YAML: Splunk's HTTP event collector, events and metrics. */
import type {Duration} from '../../base/units.js';
import type {DeliveryConfig, TlsConfig} from '../../delivery/config.js';

export interface SplunkConfig extends DeliveryConfig {
  type: 'splunk';
  /** `https://host:8088`. */
  endpoint: string;
  /** HEC token. */
  token: string;
  /** Index of events; `{proc}`, `{host}`, `{sourcetype}`, `{source}`, `{kind}` … are replaced. Default: the token's. */
  index?: string;
  /** Index of metrics. Default: `index`. */
  metric_index?: string;
  /** Default `{source}`. */
  source?: string;
  /** Default `appscope:{sourcetype}`. */
  sourcetype?: string;
  /** Default `{host}`. */
  host?: string;
  /** Wait for the indexer to acknowledge. Default false. */
  ack?: boolean;
  /** How often acknowledgement is asked for. Default 500ms. */
  ack_interval?: Duration;
  /** Default `gzip`. */
  compression?: 'gzip' | 'none';
  tls?: TlsConfig;
}
