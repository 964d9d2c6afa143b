// SPDX-License-Identifier: Apache-2.0
/** A receiver of HTTP requests that keeps their bodies, unpacked, and answers as it is told. */
import {createServer, type IncomingHttpHeaders} from 'node:http';
import {gunzipSync} from 'node:zlib';
import {uncompress} from 'snappyjs';

export interface HttpRequest {
  url: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface HttpReply {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

export interface HttpPeer {
  readonly port: number;
  /** Requests that were answered with 2xx. */
  readonly requests: HttpRequest[];
  /** Replies to come; 'hang': none at all. */
  readonly replies: (HttpReply | 'hang')[];
  close(): Promise<void>;
}

function unpack(encoding: string | undefined, body: Buffer): Buffer {
  if (encoding === 'gzip') return gunzipSync(body);
  return encoding === 'snappy' ? Buffer.from(uncompress(body)) : body;
}

/** `usual`: the answer when none was ordered. */
export async function startHttpPeer(
  port = 0,
  usual: (request: HttpRequest) => HttpReply = () => ({status: 200}),
): Promise<HttpPeer> {
  const requests: HttpRequest[] = [];
  const replies: HttpPeer['replies'] = [];
  const server = createServer((message, response) => {
    const parts: Buffer[] = [];
    message.on('data', (part: Buffer) => parts.push(part));
    message.on('end', () => {
      const body = unpack(message.headers['content-encoding'], Buffer.concat(parts));
      const request = {url: message.url ?? '', headers: message.headers, body};
      const reply = replies.shift() ?? usual(request);
      if (reply === 'hang') return;
      if (reply.status < 300) requests.push(request);
      response.writeHead(reply.status, reply.headers).end(reply.body ?? '');
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as {port: number}).port,
    requests,
    replies,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
