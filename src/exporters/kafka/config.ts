// SPDX-License-Identifier: Apache-2.0
/** `type: kafka` in YAML. */
import type {Size} from '../../base/units.js';
import type {DeliveryConfig, TlsConfig} from '../../delivery/config.js';

export interface KafkaConfig extends DeliveryConfig {
  type: 'kafka';
  /** `host:port` of brokers to begin with. */
  brokers: string[];
  /** `{kind}`, `{host}`, `{pid}`, `{proc}`, `{name}`, `{source}`, `{sourcetype}` … are replaced. Default `scope.{kind}`. */
  topic?: string;
  /** Records of one key keep their order. Default `{host}-{pid}`. */
  key?: string;
  /** Values: `json` (the original's line), `otlp_proto` (an export request), `otlp_json`. Default `json`. */
  format?: 'json' | 'otlp_proto' | 'otlp_json';
  /** Many records of one key in one message (JSON: lines). Default false. */
  packed?: boolean;
  /** Size of a packed message. Default 64KiB. */
  packed_bytes?: Size;
  /** Default `none`. */
  compression?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
  /** Default `all`, which is idempotent. */
  acks?: 'all' | 'leader' | 'none';
  sasl?: {mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string};
  tls?: TlsConfig;
  /** Default `appscope`. */
  client_id?: string;
  /** Largest message. Default 900KiB. */
  max_message_bytes?: Size;
}
