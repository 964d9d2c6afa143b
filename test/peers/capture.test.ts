// SPDX-License-Identifier: Apache-2.0
/**
 * What is seen beside what was on the wire: tshark's decoding of a capture, the server's own log and the events agree on
 * method, target, status, sizes and peer of every exchange, on the bytes of every connection and on every lookup.
 */
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, describe, expect, it} from 'vitest';
import {type Observed, observe} from '../helpers/observe.js';
import {Capture, whyNot} from './capture.js';
import {Dnsmasq} from './dnsmasq.js';
import {has, lines, type Nginx, told, Web} from './web.js';

const reason = whyNot();
if (reason !== undefined) console.warn(`nothing is compared with a capture: ${reason}`);

let web: Web;
let capture: Capture | undefined;
beforeAll(() => {
  web = new Web();
});
afterEach(() => {
  capture?.kill();
  capture = undefined;
});
afterAll(() => {
  web.end();
});

/** `METHOD target status length peer` of each, sorted. */
const answersOf = (seen: Observed): string[] =>
  seen
    .events('http.resp')
    .map((d) =>
      [
        d.http_method,
        d.http_target,
        d.http_status_code,
        d.http_response_content_length,
        d.net_peer_port,
      ].join(' '),
    )
    .sort();

interface Message {
  stream: string;
  fromServer: boolean;
  /** Port of the client. */
  peer: string;
  values: string[][];
}

/** The messages of a server's port, in order; one per packet, or the lists of several. */
function messages(port: number, protocol: string, names: string[]): Message[] {
  const display = `${protocol} && tcp.port == ${port}`;
  const rows = capture!.fields(
    display,
    ['tcp.stream', 'tcp.srcport', 'tcp.dstport', ...names],
    [`tcp.port==${port},${protocol}`],
  );
  return rows.map(([stream, from, to, ...values]) => {
    const fromServer = from![0] === String(port);
    return {stream: stream![0]!, fromServer, peer: (fromServer ? to : from)![0]!, values};
  });
}

/** Requests and answers of each connection in their order: one waits for the other. */
function pairs(
  all: Message[],
  request: (m: Message) => string[],
  answer: (m: Message) => string[],
): string[] {
  const waiting = new Map<string, string[]>();
  const out: string[] = [];
  for (const message of all) {
    const queue = waiting.get(message.stream) ?? [];
    waiting.set(message.stream, queue);
    if (!message.fromServer) queue.push(...request(message));
    else for (const one of answer(message)) out.push(`${queue.shift()} ${one} ${message.peer}`);
  }
  return out.sort();
}

/** `sent received peer` of each connection, sorted: payload of TCP, without what was sent again. */
function bytesOnWire(port: number): string[] {
  const sums = new Map<string, [number, number]>();
  const rows = capture!.fields(`tcp.port == ${port} && tcp.len > 0 && !tcp.analysis.retransmission`, [
    'tcp.srcport',
    'tcp.dstport',
    'tcp.len',
  ]);
  for (const [from, to, length] of rows) {
    const fromServer = from![0] === String(port);
    const peer = (fromServer ? to : from)![0]!;
    const sum = sums.get(peer) ?? [0, 0];
    sum[fromServer ? 0 : 1] += Number(length![0]);
    sums.set(peer, sum);
  }
  return [...sums].map(([peer, [sent, received]]) => `${sent} ${received} ${peer}`).sort();
}

const bytesSeen = (seen: Observed, port: number): string[] =>
  seen
    .events('net.close')
    .filter((d) => d.net_host_port === port)
    .map((d) => `${d.net_bytes_sent} ${d.net_bytes_recv} ${d.net_peer_port}`)
    .sort();

async function captured(server: Nginx, port: number, load: () => Promise<unknown>): Promise<Observed> {
  capture = await Capture.start(join(web.folder('capture'), 'all.pcapng'), `tcp port ${port}`);
  const seen = await web.serve(server, load);
  await capture.stop();
  return seen;
}

describe.skipIf(reason !== undefined || !has('nginx', 'curl', 'h2load'))('nginx', () => {
  it.each([
    ['http with sendfile', ''],
    ['http without sendfile', '/off'],
  ])('%s', async (_, prefix) => {
    const server = await web.nginx();
    const at = `http://127.0.0.1:${server.http}`;
    const seen = await captured(server, server.http, async () => {
      await web.run('h2load', '--h1', '-n', '200', '-c', '4', `${at}${prefix}/1k.txt`);
      await web.run('h2load', '--h1', '-n', '6', '-c', '2', `${at}${prefix}/1m.bin?x=1`);
      for (const words of [['-I'], ['-r', '10-19'], ['-d', 'abc'], ['-X', 'OPTIONS']])
        await web.run('curl', '-s', '-o', '/dev/null', ...words, `${at}${prefix}/1k.txt`, `${at}/nosuch`);
    });
    const wire = pairs(
      messages(server.http, 'http', [
        'http.request.method',
        'http.request.uri',
        'http.response.code',
        'http.content_length_header',
      ]),
      ({values: [methods, targets]}) => methods!.map((method, i) => `${method} ${targets![i]}`),
      ({values: [, , codes, lengths]}) => codes!.map((code, i) => `${code} ${lengths![i]}`),
    );
    expect(wire).toHaveLength(215);
    expect(answersOf(seen)).toEqual(wire);
    expect(told(wire)).toEqual(told(lines(server.log)));
    const bytes = bytesOnWire(server.http);
    expect(bytes.length).toBeGreaterThan(6);
    // The connection that only looked whether it listens has no bytes on either side.
    expect(bytesSeen(seen, server.http)).toEqual(bytes);
  });

  it('HTTP/2 without TLS', async () => {
    const server = await web.nginx();
    const seen = await captured(server, server.h2c, async () => {
      const at = `http://127.0.0.1:${server.h2c}`;
      await web.run('h2load', '-n', '100', '-c', '3', '-m', '1', `${at}/1k.txt?y=2`);
      await web.run('h2load', '-n', '3', '-c', '1', '-m', '1', `${at}/1m.bin`);
      await web.run('curl', '-s', '--http2-prior-knowledge', '-I', `${at}/nosuch`);
    });
    const wire = pairs(
      messages(server.h2c, 'http2', [
        'http2.headers.method',
        'http2.headers.path',
        'http2.headers.status',
        'http2.headers.content_length',
      ]),
      ({values: [methods, paths]}) => methods!.map((method, i) => `${method} ${paths![i]}`),
      ({values: [, , codes, lengths]}) => codes!.map((code, i) => `${code} ${lengths![i]}`),
    );
    expect(wire).toHaveLength(104);
    const ours = answersOf(seen).filter((line) => !line.includes('/last'));
    expect(ours).toEqual(wire);
    expect(told([...wire, 'GET /last 404'])).toEqual(told(lines(server.log)));
    expect(bytesSeen(seen, server.h2c)).toEqual(bytesOnWire(server.h2c));
  });
});

const ASK = `
const {Resolver} = require('dns').promises;
const [server] = process.argv.slice(1);
(async () => {
  const resolver = new Resolver({timeout: 5000});
  resolver.setServers([server]);
  for (let i = 0; i < 5; i++) await resolver.resolve4('host' + i + '.test');
  await resolver.resolve6('six.test');
  await resolver.resolve4('alias.test');
  await resolver.resolve4('none.test').catch(() => 0);
})();`;

describe.skipIf(reason !== undefined || !has('dnsmasq') || process.getuid?.() !== 0)('lookups', () => {
  it('equal the packets and the log of the name server', async () => {
    const base = web.folder('dns');
    const server = await Dnsmasq.start(base);
    try {
      capture = await Capture.start(join(base, 'all.pcapng'), `port 53 and host ${server.address}`);
      const seen = await observe([process.execPath, '-e', ASK, server.address], {
        config: 'event: {watch: [{type: dns}]}',
      });
      await capture.stop();
      expect(seen.stderr).toBe('');
      const asked = capture.fields('dns.flags.response == 0', ['dns.qry.name']).map(([name]) => name![0]!);
      expect(asked).toHaveLength(8);
      expect(seen.events('dns.req').map((data) => data.domain)).toEqual(asked);
      expect(server.queries().map(({name}) => name)).toEqual(asked);
      const answered = capture
        .fields('dns.flags.response == 1 && dns.count.answers > 0', ['dns.qry.name', 'dns.a', 'dns.aaaa'])
        .map(([name, a, aaaa]) => ({domain: name![0]!, addrs: [...a!, ...aaaa!]}));
      expect(answered).toHaveLength(7);
      expect(seen.events('dns.resp').map(({domain, addrs}) => ({domain, addrs}))).toEqual(answered);
    } finally {
      await server.stop();
    }
  });
});
