// SPDX-License-Identifier: Apache-2.0
/** TLS settings of a destination, files read once. */
import {readFileSync} from 'node:fs';
import {ScopeError} from '../base/errors.js';

/** As in src/config/types.ts. */
export interface TlsKeys {
  enable: boolean;
  ca_file?: string;
  cert_file?: string;
  key_file?: string;
  server_name?: string;
  insecure_skip_verify: boolean;
}

/** What tls.connect, https and grpc take. */
export interface TlsOptions {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
  servername?: string;
  rejectUnauthorized: boolean;
}

function read(key: string, path: string | undefined): Buffer | undefined {
  if (path === undefined || path === '') return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ScopeError(
      'SCOPE_CONFIG_INVALID',
      `tls.${key}: cannot read ${path}: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

/** Undefined when TLS is off. `on`: the address asks for it. */
export function tlsOptions(config: TlsKeys | undefined, on: boolean): TlsOptions | undefined {
  if (config === undefined) return on ? {rejectUnauthorized: true} : undefined;
  if (!config.enable && !on) return undefined;
  const options: TlsOptions = {rejectUnauthorized: !config.insecure_skip_verify};
  const ca = read('ca_file', config.ca_file);
  const cert = read('cert_file', config.cert_file);
  const key = read('key_file', config.key_file);
  if (ca !== undefined) options.ca = ca;
  if (cert !== undefined) options.cert = cert;
  if (key !== undefined) options.key = key;
  if (config.server_name) options.servername = config.server_name;
  return options;
}
