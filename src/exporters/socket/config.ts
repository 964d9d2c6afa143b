// SPDX-License-Identifier: Apache-2.0
/** `type: socket` in YAML: the original's NDJSON over a connection, so that existing receivers keep working. */
import type {DeliveryConfig, TlsConfig} from '../../delivery/config.js';

export interface SocketConfig extends DeliveryConfig {
  type: 'socket';
  /** Default `tcp`. `edge`: the first of the well-known Cribl Edge sockets that can be opened. */
  protocol?: 'tcp' | 'udp' | 'unix' | 'edge';
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 9109. */
  port?: number;
  /** `unix`: path of the socket; `@name` is abstract. */
  path?: string;
  tls?: TlsConfig;
  /** Sent as `authToken` in the start message. */
  authtoken?: string;
  /** Send the start message of each process first after connecting. Default true. */
  start_message?: boolean;
  /** Metrics as `ndjson` or `statsd` lines. Default `ndjson`. */
  metric_format?: 'ndjson' | 'statsd';
  /** Adds the original's `breaker` field to start messages. Default false. */
  breaker?: boolean;
}
