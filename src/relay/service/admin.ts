// SPDX-License-Identifier: Apache-2.0
/** The listener of `relay.admin`: /healthz, /metrics (the relay's own figures) and /status. */
import {createServer, type Server} from 'node:http';
import {ScopeError} from '../../base/errors.js';
import {figures, type SelfFigure} from './self.js';
import type {ServiceStatus} from './status.js';

export interface Admin {
  readonly port: number;
  close(): Promise<void>;
}

const escapeValue = (text: string): string =>
  text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');

/** Prometheus text format. */
export function metricsText(status: ServiceStatus): string {
  const families = new Map<string, SelfFigure[]>();
  for (const figure of figures(status))
    families.set(figure.name, [...(families.get(figure.name) ?? []), figure]);
  const lines: string[] = [];
  for (const [name, list] of families) {
    const {type, help} = list[0]!;
    const shown = name.replaceAll('.', '_') + (type === 'counter' ? '_total' : '');
    lines.push(`# HELP ${shown} ${help}`, `# TYPE ${shown} ${type}`);
    for (const {attributes, value} of list) {
      const labels = Object.entries(attributes).map(([key, text]) => `${key}="${escapeValue(String(text))}"`);
      lines.push(`${shown}${labels.length > 0 ? `{${labels.join(',')}}` : ''} ${value}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** `host:port`; without a host it is 127.0.0.1. */
export function parseListen(text: string): {host: string; port: number} {
  const at = text.lastIndexOf(':');
  const host = text.slice(0, at).replace(/^\[|\]$/g, '');
  return {host: host === '' ? '127.0.0.1' : host, port: Number(text.slice(at + 1))};
}

function answer(server: Server, status: () => ServiceStatus): void {
  server.on('request', (request, response) => {
    const reply = (code: number, type: string, body: string): void => {
      response.writeHead(code, {'content-type': type, 'cache-control': 'no-store'}).end(body);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') return reply(405, 'text/plain', 'GET only\n');
    switch ((request.url ?? '').split('?')[0]) {
      case '/healthz': {
        const {state, exporters, processes} = status();
        const failing = exporters
          .filter((one) => one.state === 'retrying' || one.state === 'failing')
          .map((one) => one.name);
        return reply(
          state === 'running' ? 200 : 503,
          'application/json',
          `${JSON.stringify({state, processes: processes.live, failing})}\n`,
        );
      }
      case '/metrics':
        return reply(200, 'text/plain; version=0.0.4; charset=utf-8', metricsText(status()));
      case '/status':
        return reply(200, 'application/json', `${JSON.stringify(status())}\n`);
      default:
        return reply(404, 'text/plain', 'there are /healthz, /metrics and /status\n');
    }
  });
}

/** Listens; rejects with a ScopeError when it cannot. */
export function startAdmin(listen: string, status: () => ServiceStatus): Promise<Admin> {
  const {host, port} = parseListen(listen);
  const server = createServer({requestTimeout: 10_000, headersTimeout: 5000, maxHeaderSize: 8192});
  server.maxConnections = 64;
  answer(server, status);
  return new Promise((resolve, reject) => {
    // Once it listens, this is a connection that could not be accepted (EMFILE): the next one may be.
    server.on('error', (cause) =>
      reject(
        new ScopeError('SCOPE_IO', `relay.admin: cannot listen on ${host}:${port}: ${cause.message}`, {
          cause,
        }),
      ),
    );
    server.listen(port, host, () => {
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address ? address.port : port,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}
