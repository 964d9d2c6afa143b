// SPDX-License-Identifier: Apache-2.0
/** `type: file` in YAML: NDJSON lines into files, or to the standard output. */
import type {Duration, Size} from '../../base/units.js';
import type {DeliveryConfig} from '../../delivery/config.js';

export interface FileConfig extends DeliveryConfig {
  type: 'file';
  /** Absolute path, or `stdout` or `stderr`. `{date}` becomes YYYY-MM-DD. */
  path: string;
  /** `ndjson`: the original's lines. `statsd`: metrics as StatsD lines. Default `ndjson`. */
  format?: 'ndjson' | 'statsd';
  rotate?: {
    /** A file of this size is set aside. Default: no limit. */
    max_bytes?: Size;
    /** A file of this age is set aside. Default: no limit. */
    max_age?: Duration;
    /** How many set-aside files are kept. Default 10. */
    keep?: number;
    /** Compress files that are set aside. Default false. */
    gzip?: boolean;
  };
  /** When data is forced to the device. Default `never`. */
  fsync?: 'never' | 'batch' | 'rotate';
  /** Permissions of new files, octal text. Default "0600". */
  mode?: string;
}
