// SPDX-License-Identifier: Apache-2.0
/** Real conversations, both ends in one Node: every request and response is seen on both sides, with and without TLS. */
import {join} from 'node:path';
import {describe, expect, it} from 'vitest';
import {ROOT} from '../../../src/base/root.js';
import {observe} from '../../helpers/observe.js';

const PROGRAM = join(ROOT, 'test/native/probe/conversations.mjs');
const COUNT = 60;

function converse(kind: string) {
  return observe([process.execPath, PROGRAM, kind, String(COUNT)], {
    config: 'event: {watch: [{type: http}, {type: net}, {type: dns}]}',
  });
}

const side = (datas: Record<string, unknown>[], name: string) => datas.filter((data) => name in data);

describe.each([
  ['http', 'http', '1.1'],
  ['https', 'https', '1.1'],
  ['h2', 'https', '2.0'],
  ['h2c', 'http', '2.0'],
])('%s', (kind, scheme, flavor) => {
  it('gives each request and response once on each side', async () => {
    const seen = await converse(kind);
    expect(seen.stderr).toBe('');
    expect(seen.status).toBe(0);
    expect(seen.lost).toEqual({});
    const requests = seen.events('http.req');
    const responses = seen.events('http.resp');
    expect(requests).toHaveLength(2 * COUNT);
    expect(responses).toHaveLength(2 * COUNT);
    for (const name of ['http_server_duration', 'http_client_duration']) {
      const paths = side(responses, name).map((data) => data.http_target);
      expect(new Set(paths).size).toBe(COUNT);
      expect(paths).toHaveLength(COUNT);
    }
    for (const data of [...requests, ...responses]) {
      expect(data).toMatchObject({http_flavor: flavor, net_peer_ip: '127.0.0.1', net_host_ip: '127.0.0.1'});
    }
    for (const data of requests) expect(data.http_scheme).toBe(scheme);
    const status = responses.map((data) => data.http_status_code);
    expect(new Set(status)).toEqual(new Set([200]));
    const sum = seen.metrics('http.req').reduce((all, metric) => all + metric.value, 0);
    expect(sum).toBe(2 * COUNT);
  });
});

describe('connections beyond 16,384 descriptors', () => {
  it('are decoded as all others', async () => {
    const script = `
      const fs = require('fs'), http = require('http');
      const many = [];
      for (let i = 0; i < 17000; i++) many.push(fs.openSync('/dev/null'));
      const server = http.createServer((q, r) => r.end('hello')).listen(0, '127.0.0.1', async () => {
        const agent = new http.Agent({keepAlive: true, maxSockets: 2});
        const get = (path) => new Promise((done) =>
          http.get({port: server.address().port, host: '127.0.0.1', agent, path}, (r) => r.resume().on('end', done)));
        for (let i = 0; i < 10; i++) await Promise.all([get('/a' + i), get('/b' + i)]);
        console.log(fs.openSync('/dev/null'));
        server.close();
        agent.destroy();
      });`;
    const limit = 'ulimit -n 18000 || exit 77; exec "$@"';
    const seen = await observe(['sh', '-c', limit, 'sh', process.execPath, '-e', script], {
      config: 'event: {watch: [{type: http}, {type: net}]}',
    });
    // A machine that allows no more has nothing to show.
    if (seen.status === 77) return;
    expect(Number(seen.stdout)).toBeGreaterThan(17_000);
    const targets = Array.from({length: 10}, (_, i) => [`/a${i}`, `/b${i}`]).flat();
    for (const name of ['http_server_duration', 'http_client_duration']) {
      expect(
        side(seen.events('http.resp'), name)
          .map((data) => data.http_target)
          .sort(),
      ).toEqual(targets.sort());
    }
    expect(seen.events('net.close').map((data) => data.net_protocol)).toEqual([
      'http',
      'http',
      'http',
      'http',
    ]);
  });
});

describe('gRPC', () => {
  it('gives the method and the status of each call, from both ends, and spans', async () => {
    const seen = await observe([process.execPath, PROGRAM, 'grpc', '20'], {
      config: `
event: {watch: [{type: http}]}
exporters: {o: {type: otlp, endpoint: "http://127.0.0.1:4317"}}
routes: [{to: [o]}]`,
    });
    expect(seen.stderr).toBe('');
    for (const name of ['http_server_duration', 'http_client_duration']) {
      const calls = side(seen.events('http.resp'), name);
      expect(calls).toHaveLength(20);
      expect(calls.map((data) => data.grpc_status)).toEqual(calls.map((_, i) => (i % 5 === 0 ? 5 : 0)));
      expect(new Set(calls.map((data) => data.http_target))).toEqual(new Set(['/demo.Talk/Say']));
    }
    const spans = seen.records.filter((record) => record.kind === 'span');
    expect(spans).toHaveLength(40);
    expect(spans[0]).toMatchObject({
      name: 'demo.Talk/Say',
      attributes: {
        'rpc.system': 'grpc',
        'rpc.service': 'demo.Talk',
        'rpc.method': 'Say',
        'rpc.grpc.status_code': 5,
      },
    });
    expect(spans.filter((span) => span.error)).toHaveLength(4);
  });
});

describe('a connection', () => {
  it.each([
    ['160301000401000000', 'tls'],
    [Buffer.from('GET / HTTP/1.0\r\n\r\n').toString('hex'), 'http'],
    ['00112233445566', undefined],
  ])('of both families that begins with %s ends as %s, with IPv4 addresses', async (hex, protocol) => {
    const script = `
      const server = require('net').createServer((s) => s.on('data', () => s.end()).on('close', () => server.close()));
      server.listen(0, '::', () => require('net').connect(server.address().port, '127.0.0.1').end('${hex}', 'hex').resume());`;
    const seen = await observe([process.execPath, '-e', script], {config: 'event: {watch: [{type: net}]}'});
    const closed = seen.events('net.close');
    expect(closed).toHaveLength(2);
    for (const data of closed) {
      expect(data).toMatchObject({net_peer_ip: '127.0.0.1', net_host_ip: '127.0.0.1'});
      expect(data.net_protocol).toBe(protocol);
    }
  });
});

describe('a lookup, StatsD, payloads', () => {
  const node = (script: string, config: string) => observe([process.execPath, '-e', script], {config});

  it('of localhost by getaddrinfo is one dns.req and one dns.resp', async () => {
    const seen = await node("require('dns').lookup('localhost', () => {})", 'event: {watch: [{type: dns}]}');
    expect(seen.events('dns.req')).toEqual([{domain: 'localhost'}]);
    expect(seen.events('dns.resp')).toMatchObject([{domain: 'localhost'}]);
    expect(seen.metrics('dns.req')).toMatchObject([{value: 1}]);
  });

  it.skipIf(process.getuid?.() !== 0)('by packets, UDP and TCP, has its addresses', async () => {
    const seen = await observe([process.execPath, PROGRAM, 'dns', '10'], {
      config: 'event: {watch: [{type: dns}]}',
    });
    expect(seen.stderr).toBe('');
    const names = [
      ...Array.from({length: 10}, (_, i) => `host${i}.example`),
      'six.example',
      'no.example',
      'over.tcp',
    ];
    expect(seen.events('dns.req').map((data) => data.domain)).toEqual(names);
    expect(seen.events('dns.resp').map((data) => [data.domain, data.addrs])).toEqual(
      names
        .filter((name) => name !== 'no.example')
        .map((name) => [name, [name === 'six.example' ? '2001:db8::5' : '192.0.2.5']]),
    );
    for (const data of seen.events('dns.resp')) expect(data.duration).toBeGreaterThan(0);
  });

  it('sent as datagrams is captured with its tags', async () => {
    const seen = await node(
      `const s = require('dgram').createSocket('udp4');
       s.send('jobs.done:3|c|#queue:mail', 8125, '127.0.0.1', () => s.send('jobs.size:7|g', 8125, '127.0.0.1', () => s.close()))`,
      'event: {watch: [{type: net}]}',
    );
    expect(seen.metrics('jobs.done')).toMatchObject([
      {value: 3, type: 'counter', attributes: {queue: 'mail'}},
    ]);
    expect(seen.metrics('jobs.size')).toMatchObject([{value: 7, type: 'gauge'}]);
  });

  it('are the bytes of the plaintext, whole and in order', async () => {
    const seen = await observe([process.execPath, PROGRAM, 'https', '3'], {
      config: 'payload: {enable: true}',
    });
    const bytes = (source: string) =>
      Buffer.concat(
        seen.records.flatMap((r) => (r.kind === 'payload' && r.source === source ? [r.bytes] : [])),
      ).toString('latin1');
    const sent = bytes('tlstx');
    expect(sent.match(/^GET|POST|HEAD/g)!.length).toBeGreaterThan(0);
    expect(sent.split('HTTP/1.1').length - 1).toBe(6);
    expect(sent.length).toBe(bytes('tlsrx').length);
    expect(sent + bytes('nettx')).not.toContain('\x17\x03\x03');
  });
});
