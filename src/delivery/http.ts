// SPDX-License-Identifier: Apache-2.0
/** HTTP requests of exporters: connections kept, aborted by signal, answers bounded. */
import {readFileSync} from 'node:fs';
import {
  Agent as HttpAgent,
  type IncomingMessage,
  type RequestOptions,
  request as requestHttp,
} from 'node:http';
import {Agent as HttpsAgent, request as requestHttps} from 'node:https';
import {ScopeError} from '../base/errors.js';
import type {SendResult} from './exporter.js';
import {parseRetryAfter} from './retry.js';
import type {TlsOptions} from './tls.js';

export interface HttpAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  /** At most ANSWER_LIMIT bytes of it. */
  body: Buffer;
}

export interface HttpClient {
  /** Rejects when there was no answer. */
  post(url: URL, headers: Record<string, string>, body: Uint8Array, signal: AbortSignal): Promise<HttpAnswer>;
  close(): void;
}

const ANSWER_LIMIT = 256 * 1024;

export function createHttpClient(tls: TlsOptions | undefined): HttpClient {
  const plain = new HttpAgent({keepAlive: true, maxSockets: 4});
  const secure = new HttpsAgent({keepAlive: true, maxSockets: 4, ...tls});

  function exchange(url: URL, options: RequestOptions, body: Uint8Array): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const https = url.protocol === 'https:';
      const begin = https ? requestHttps : requestHttp;
      const request = begin(url, {...options, agent: https ? secure : plain}, (answer) => {
        const parts: Buffer[] = [];
        let size = 0;
        answer.on('data', (part: Buffer) => {
          if (size < ANSWER_LIMIT) parts.push(part.subarray(0, ANSWER_LIMIT - size));
          size += part.length;
        });
        answer.on('end', () => {
          resolve({status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts)});
        });
        answer.on('error', reject);
        answer.on('aborted', () => reject(new Error('the answer broke off')));
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  return {
    async post(url, headers, body, signal) {
      const options = {method: 'POST', headers: {...headers, 'content-length': String(body.length)}, signal};
      try {
        return await exchange(url, options, body);
      } catch (error) {
        // A kept connection that the peer closed meanwhile says nothing about the peer: once more on a new one.
        if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET' || signal.aborted) throw error;
        return exchange(url, options, body);
      }
    },
    close() {
      plain.destroy();
      secure.destroy();
    },
  };
}

/** As in src/config/types.ts. */
export interface AuthKeys {
  type: 'basic' | 'bearer';
  username?: string;
  password?: string;
  token?: string;
  token_file?: string;
}

/** Makes the Authorization header; a token file is read at each call, so that it may change. */
export function authorization(auth: AuthKeys | undefined): Record<string, string> {
  if (auth === undefined) return {};
  if (auth.type === 'basic') {
    const pair = `${auth.username ?? ''}:${auth.password ?? ''}`;
    return {authorization: `Basic ${Buffer.from(pair).toString('base64')}`};
  }
  if (auth.token_file === undefined) return {authorization: `Bearer ${auth.token ?? ''}`};
  try {
    return {authorization: `Bearer ${readFileSync(auth.token_file, 'utf8').trim()}`};
  } catch (error) {
    throw new ScopeError('SCOPE_DESTINATION', `auth.token_file: ${(error as Error).message}`, {cause: error});
  }
}

/** Parses an address that the schema let through. */
export function parseUrl(text: string, key: string): URL {
  try {
    return new URL(text);
  } catch (cause) {
    throw new ScopeError('SCOPE_CONFIG_INVALID', `${key}: "${text}" is not a URL (https://host:port/path)`, {
      cause,
    });
  }
}

const RETRYABLE: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** What a status means when the request as such was fine; undefined for 2xx. `retryable`: those after which it may be taken. */
export function refusal(
  answer: HttpAnswer,
  wall: number,
  retryable = RETRYABLE,
): Exclude<SendResult, {outcome: 'success'}> | undefined {
  if (answer.status >= 200 && answer.status < 300) return undefined;
  const text = answer.body.toString('utf8', 0, 300).replace(/\s+/g, ' ').trim();
  const reason = `HTTP ${answer.status}${text === '' ? '' : `: ${text}`}`;
  if (!retryable.has(answer.status)) return {outcome: 'failure', reason};
  const afterMs = parseRetryAfter(answer.headers['retry-after'], wall);
  return {outcome: 'retryable', reason, ...(afterMs === undefined ? {} : {afterMs})};
}
