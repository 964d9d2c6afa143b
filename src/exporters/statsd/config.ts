// SPDX-License-Identifier: Apache-2.0
/** `type: statsd` in YAML. */
import type {DeliveryConfig} from '../../delivery/config.js';

export interface StatsdConfig extends DeliveryConfig {
  type: 'statsd';
  /** `unix`: a datagram socket; `unix_stream`: a stream socket. Default `udp`. */
  protocol?: 'udp' | 'tcp' | 'unix' | 'unix_stream';
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 8125. */
  port?: number;
  /** `unix`, `unix_stream`: path of the socket; `@name` is abstract (stream only). */
  path?: string;
  /** Put before each name; a final `.` is added when missing. Default "". */
  prefix?: string;
  /** `dogstatsd`: `|#k:v`; `name`: tags become parts of the name; `none`. Default `dogstatsd`. */
  tags?: 'dogstatsd' | 'name' | 'none';
  /** Longest line with its newline; tags that do not fit are left out. Default 512. */
  max_len?: number;
  /** Tags of a cardinality above this are left out (0 to 9). Default 4. */
  verbosity?: number;
  /** Bytes of lines packed into one datagram; 0: one line per datagram. Default 1432. */
  datagram_bytes?: number;
  /** Datagrams per second at most; 0: no limit. Default 5000. */
  datagrams_per_second?: number;
}
