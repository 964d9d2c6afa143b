// SPDX-License-Identifier: Apache-2.0
/** OTLP over HTTP, protobuf or JSON. */
import type {OtlpExporterConfig} from '../../config/types.js';
import {compress} from '../../delivery/gzip.js';
import {authorization, createHttpClient, refusal} from '../../delivery/http.js';
import type {TlsOptions} from '../../delivery/tls.js';
import type {Signal} from '../../records/otlp/encoder.js';
import {type OtlpTransport, partialSuccess, partialSuccessJson} from './transport.js';

const PATHS: Record<Signal, string> = {metrics: '/v1/metrics', logs: '/v1/logs', traces: '/v1/traces'};

/** As the OTLP specification lists them: all others, 500 too, would come back for the same request. */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export function createHttpTransport(
  config: OtlpExporterConfig,
  endpoint: URL,
  tls: TlsOptions | undefined,
  userAgent: string,
): OtlpTransport {
  const client = createHttpClient(tls);
  const json = config.protocol === 'http/json';

  /** The endpoint is the base of the signals' paths; a path that names a signal is taken as it is. */
  function urlOf(signal: Signal): URL {
    const url = new URL(endpoint);
    const path = url.pathname.replace(/\/+$/, '');
    url.pathname = path.endsWith(PATHS[signal]) ? path : path + PATHS[signal];
    return url;
  }

  return {
    async send({signal, bytes}, abort) {
      try {
        const gzipped = config.compression === 'gzip';
        const headers = {
          'user-agent': userAgent,
          'content-type': json ? 'application/json' : 'application/x-protobuf',
          ...(gzipped ? {'content-encoding': 'gzip'} : {}),
          ...config.headers,
          ...authorization(config.auth),
        };
        const body = gzipped ? await compress(bytes) : bytes;
        const answer = await client.post(urlOf(signal), headers, body, abort);
        const refused = refusal(answer, Date.now(), RETRYABLE);
        if (refused !== undefined) return refused;
        return json ? partialSuccessJson(answer.body) : partialSuccess(answer.body);
      } catch (error) {
        return {outcome: 'retryable', reason: (error as Error).message};
      }
    },
    async check(abort) {
      try {
        const headers = {
          'content-type': json ? 'application/json' : 'application/x-protobuf',
          ...config.headers,
        };
        const body = Buffer.from(json ? '{}' : '');
        await client.post(urlOf('metrics'), {...headers, ...authorization(config.auth)}, body, abort);
        return undefined;
      } catch (error) {
        return `cannot connect to ${endpoint.host}: ${(error as Error).message}`;
      }
    },
    close: () => client.close(),
  };
}
