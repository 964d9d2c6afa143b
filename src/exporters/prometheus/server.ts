// SPDX-License-Identifier: Apache-2.0
/** The listener of the scrape endpoint. */
import {readFileSync} from 'node:fs';
import {createServer, type RequestListener, type Server} from 'node:http';
import {createServer as createSecure} from 'node:https';
import {gzipSync} from 'node:zlib';
import {ScopeError} from '../../base/errors.js';

export interface ScrapeServer {
  /** Rejects with the reason when it cannot listen. */
  start(): Promise<void>;
  /** host:port it listens on; undefined before start. */
  readonly address: string | undefined;
  stop(): Promise<void>;
}

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** `host:port`, `[::1]:port` or `:port`, which is loopback too: who wants all addresses says 0.0.0.0. */
export function parseListen(text: string): {host: string; port: number} {
  const at = text.lastIndexOf(':');
  const host = text.slice(0, at).replace(/^\[|\]$/g, '');
  return {host: host === '' ? '127.0.0.1' : host, port: Number(text.slice(at + 1))};
}

export function createScrapeServer(
  settings: {listen: string; path: string; tls?: {cert_file: string; key_file: string}},
  render: (openMetrics: boolean) => string,
): ScrapeServer {
  const {host, port} = parseListen(settings.listen);
  const listener: RequestListener = (request, response) => {
    const path = (request.url ?? '').split('?')[0];
    if (path === '/healthz') {
      response.writeHead(200, {'content-type': 'text/plain'}).end('ok\n');
      return;
    }
    if (path !== settings.path) {
      response.writeHead(404, {'content-type': 'text/plain'}).end(`${settings.path} is here\n`);
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, {allow: 'GET, HEAD'}).end();
      return;
    }
    const openMetrics = String(request.headers.accept ?? '').includes('application/openmetrics-text');
    const text = Buffer.from(render(openMetrics));
    const packed = String(request.headers['accept-encoding'] ?? '').includes('gzip');
    response.writeHead(200, {
      'content-type': openMetrics ? OPEN_METRICS : TEXT,
      ...(packed ? {'content-encoding': 'gzip'} : {}),
    });
    response.end(request.method === 'HEAD' ? undefined : packed ? gzipSync(text, {level: 1}) : text);
  };
  let server: Server | undefined;

  function make(): Server {
    if (settings.tls === undefined) return createServer(listener);
    const {cert_file, key_file} = settings.tls;
    return createSecure({cert: readFileSync(cert_file), key: readFileSync(key_file)}, listener);
  }

  return {
    get address() {
      const address = server?.address();
      return typeof address === 'object' && address !== null ? `${host}:${address.port}` : undefined;
    },
    async start() {
      if (server !== undefined) return;
      try {
        const made = make();
        await new Promise<void>((resolve, reject) => {
          // Once it listens, this is a connection that could not be accepted (EMFILE): the next one may be.
          made.on('error', reject);
          made.listen(port, host, () => resolve());
        });
        server = made;
      } catch (error) {
        const text = `cannot listen on ${settings.listen}: ${(error as Error).message}`;
        throw new ScopeError('SCOPE_DESTINATION', text, {cause: error});
      }
    },
    async stop() {
      const last = server;
      server = undefined;
      if (last === undefined) return;
      await new Promise<void>((resolve) => {
        last.close(() => resolve());
        last.closeAllConnections();
      });
    },
  };
}
