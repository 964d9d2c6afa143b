// SPDX-License-Identifier: Apache-2.0
/** Heads and frames → http.req, http.resp, http.* metrics and spans. */
import {describe, expect, it} from 'vitest';
import {MESSAGE_FLAG} from '../../../../src/channel/index.js';
import type {Event, Span} from '../../../../src/records/types.js';
import {EPOCH, memoryChannel} from '../../../helpers/channel-records.js';
import {
  hpackBlock,
  http2Frame,
  makeBodyEnd,
  makeConnClose,
  makeConnOpen,
  makeFrames,
  makeHead,
} from '../../../helpers/protocol-records.js';
import {testRelay} from '../../../helpers/relay.js';

const GET = 'GET /1k.txt?a=b HTTP/1.1\r\nUser-Agent: curl/7.88.1\r\nHost: localhost:18080\r\nX-My: 1\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n';
const TRACES = `
exporters:
  o: {type: otlp, endpoint: "http://127.0.0.1:4317"}
routes:
  - {to: [o]}
`;

function relayOf(records: Buffer[], yaml = '') {
  const relay = testRelay(yaml);
  const channel = relay.folder.add(memoryChannel(1));
  relay.folder.put(channel, ...records);
  relay.folder.end(channel);
  relay.run();
  const http = (source: string) =>
    relay.events(source).map((event: Event) => event.data as Record<string, unknown>);
  const spans = relay.records.filter((record): record is Span => record.kind === 'span');
  return {...relay, http, spans};
}

const address = {
  net_transport: 'IP.TCP',
  net_peer_ip: '127.0.0.1',
  net_peer_port: 18080,
  net_host_ip: '127.0.0.1',
  net_host_port: 36706,
};

describe('HTTP/1', () => {
  it('gives both events with their members in order', () => {
    const relay = relayOf([
      makeConnOpen(),
      makeHead(GET, {role: 'server', tsc: 1_000_000}),
      makeHead(OK, {role: 'server', tx: true, tsc: 1_500_000, ticks: 100_000, body: 1024}),
    ]);
    expect(Object.entries(relay.http('http.req')[0]!)).toEqual(
      Object.entries({
        http_method: 'GET',
        http_target: '/1k.txt?a=b',
        http_flavor: '1.1',
        http_scheme: 'http',
        http_user_agent: 'curl/7.88.1',
        http_host: 'localhost:18080',
        ...address,
      }),
    );
    expect(Object.entries(relay.http('http.resp')[0]!)).toEqual(
      Object.entries({
        http_method: 'GET',
        http_target: '/1k.txt?a=b',
        http_scheme: 'http',
        http_flavor: '1.1',
        http_status_code: 200,
        http_status_text: 'OK',
        http_server_duration: 0.4,
        http_user_agent: 'curl/7.88.1',
        http_host: 'localhost:18080',
        http_response_content_length: 1024,
        ...address,
      }),
    );
    expect(relay.http('net.app')).toMatchObject([{protocol: 'HTTP', fd: 5}]);
  });

  it('shows header fields that the configuration asks for', () => {
    const relay = relayOf(
      [makeHead(GET), makeHead('HTTP/1.1 200 OK\r\nX-Mine: 2\r\nServer: s\r\n\r\n', {tx: true})],
      'event: {watch: [{type: http, headers: ["(?i)x-m.*"]}]}',
    );
    expect(relay.http('http.req')[0]).toMatchObject({'X-My': '1'});
    expect(relay.http('http.resp')[0]).toMatchObject({'X-My': '1', 'X-Mine': '2'});
    expect(relay.http('http.resp')[0]).not.toHaveProperty('Server');
  });

  it('calls it https and client by the record', () => {
    const relay = relayOf([
      makeHead(GET, {role: 'client', tx: true, tls: true, tsc: 5_000_000, ticks: 1_000_000}),
      makeHead(OK, {role: 'client', tls: true, tsc: 9_000_000}),
    ]);
    expect(relay.http('http.resp')[0]).toMatchObject({http_scheme: 'https', http_client_duration: 5});
    expect(relay.metrics('http.duration.client')[0]).toMatchObject({value: 5, attributes: {numops: 1}});
    expect(relay.metrics('http.duration.server')).toEqual([]);
  });

  it('answers pipelined requests in order, and leaves out informational responses', () => {
    const relay = relayOf([
      makeHead(GET.replace('/1k', '/a')),
      makeHead(GET.replace('/1k', '/b')),
      makeHead('HTTP/1.1 100 Continue\r\n\r\n', {tx: true}),
      makeHead(OK, {tx: true}),
      makeHead('HTTP/1.1 404 Not Found\r\n\r\n', {tx: true}),
    ]);
    expect(relay.http('http.resp').map((data) => [data.http_target, data.http_status_code])).toEqual([
      ['/a.txt?a=b', 200],
      ['/b.txt?a=b', 404],
    ]);
  });

  it('pairs a response that was recorded before its request', () => {
    const relay = relayOf([
      makeHead(OK, {role: 'client', tsc: 3_000_000}),
      makeHead(GET, {role: 'client', tx: true, tsc: 4_000_000, ticks: 2_000_000}),
    ]);
    expect(relay.http('http.resp')).toMatchObject([{http_method: 'GET', http_status_code: 200}]);
  });

  it('pairs it, too, when the plaintext of the request has a later time than the response', () => {
    const second = GET.replace('/1k.txt', '/second');
    const relay = relayOf([
      makeHead(OK, {role: 'client', tls: true, tsc: 3_000_000}),
      makeHead(GET, {role: 'client', tls: true, tx: true, tsc: 3_100_000}),
      makeHead(second, {role: 'client', tls: true, tx: true, tsc: 5_000_000}),
      makeHead(OK, {role: 'client', tls: true, tsc: 6_000_000}),
    ]);
    expect(relay.http('http.resp').map((data) => data.http_target)).toEqual(['/1k.txt?a=b', '/second?a=b']);
  });

  it('gives a response alone when its request was never seen', () => {
    const relay = relayOf([makeHead(OK, {tx: true}), makeConnClose()]);
    expect(relay.http('http.resp')).toHaveLength(1);
    expect(relay.http('http.resp')[0]).not.toHaveProperty('http_method');
    const late = relayOf([
      makeHead(OK, {tx: true, message: MESSAGE_FLAG.SYNC}),
      makeHead(GET),
      makeHead(OK, {tx: true}),
    ]);
    expect(late.http('http.resp').map((data) => data.http_method)).toEqual([undefined, 'GET']);
  });

  it('makes nothing of what is no head', () => {
    expect(relayOf([makeHead('GARBAGE\r\n\r\n')]).http('http.req')).toEqual([]);
  });

  it('shows text beyond ASCII as UTF-8', () => {
    const head = Buffer.from('GET /ü HTTP/1.1\r\nUser-Agent: ünï\r\n\r\n').toString('latin1');
    expect(relayOf([makeHead(head)]).http('http.req')[0]).toMatchObject({
      http_target: '/ü',
      http_user_agent: 'ünï',
    });
  });
});

describe('a relay that was killed', () => {
  it('leaves its sums and its open requests to the next one', () => {
    const first = testRelay();
    const channel = first.folder.add(memoryChannel(1));
    first.folder.put(
      channel,
      makeConnOpen(),
      makeHead(GET, {tsc: 1_000_000}),
      makeHead(OK, {tx: true, tsc: 2_000_000}),
    );
    first.folder.put(channel, makeHead(GET, {tsc: 3_000_000}));
    first.run();
    const state = JSON.parse(JSON.stringify(first.states.at(-1)));
    const second = testRelay('', state, first.folder);
    second.folder.put(channel, makeHead(OK, {tx: true, tsc: 5_000_000}));
    second.folder.end(channel);
    second.run();
    expect(second.events('http.resp')[0]!.data).toMatchObject({
      http_target: '/1k.txt?a=b',
      http_server_duration: 2,
    });
    expect(second.metrics('http.req')).toMatchObject([{value: 2}]);
    expect(second.metrics('http.duration.server')[0]).toMatchObject({
      value: 3,
      buckets: {min: 1, max: 2, count: 2},
    });
  });

  it('leaves it the header tables and streams of HTTP/2, and answers that wait for their request', () => {
    /** Into the table: `name: value` with a name of one of the first 61 entries. */
    const indexed = (index: number, value: string) =>
      Buffer.concat([Buffer.from([0x40 | index, value.length]), Buffer.from(value)]);
    const first = testRelay();
    first.time = EPOCH + 1;
    const channel = first.folder.add(memoryChannel(1));
    // :method GET, :path and :authority that later requests refer to.
    const asked = Buffer.concat([Buffer.from([0x82]), indexed(4, '/same'), indexed(1, 'h.example')]);
    first.folder.put(
      channel,
      makeConnOpen(),
      makeFrames(http2Frame(1, 5, 1, asked), {role: 'server', tsc: 1_000_000}),
      makeFrames(http2Frame(1, 5, 3, '8888'), {role: 'server', tx: true, tsc: 1_500_000}),
      makeHead(OK, {object: 2, tx: true, tsc: 3_000_000}),
    );
    first.run();
    expect(first.events('http.resp')).toEqual([]);
    const state = JSON.parse(JSON.stringify(first.states.at(-1)));
    const second = testRelay('', state, first.folder);
    second.time = EPOCH + 1;
    second.folder.put(
      channel,
      makeFrames(http2Frame(1, 5, 1, '88'), {role: 'server', tx: true, tsc: 5_000_000}),
      makeFrames(http2Frame(1, 5, 3, '82bfbe'), {role: 'server', tsc: 1_200_000}),
      makeHead(GET, {object: 2, tsc: 2_000_000}),
    );
    second.folder.end(channel);
    second.run();
    expect(second.events('http.req').map((event) => event.data)).toMatchObject([
      {http_stream: 3, http_target: '/same', http_host: 'h.example'},
      {http_target: '/1k.txt?a=b'},
    ]);
    expect(second.events('http.resp').map((event) => event.data)).toMatchObject([
      {http_stream: 1, http_target: '/same', http_server_duration: 4},
      {http_stream: 3, http_target: '/same'},
      {http_target: '/1k.txt?a=b', http_server_duration: 1},
    ]);
  });

  it('does not shift later pairs when the request of a response is lost', () => {
    const relay = relayOf([
      makeHead(OK, {tx: true, tsc: 1_000_000}),
      makeHead(GET, {tsc: 2_000_000}),
      makeHead(OK, {tx: true, tsc: 4_000_000}),
    ]);
    expect(relay.http('http.resp').map((data) => data.http_server_duration)).toEqual([0, 2]);
  });
});

describe('metrics', () => {
  it('sums by target and status, with the distribution', () => {
    const records = [];
    for (let i = 0; i < 10; i++) {
      const tsc = i * 100_000_000;
      records.push(makeHead(GET, {role: 'server', tsc}));
      records.push(
        makeHead(i === 9 ? OK.replace('200', '500') : OK, {role: 'server', tx: true, tsc: tsc + 20_000_000}),
      );
    }
    const relay = relayOf(records);
    expect(relay.metrics('http.req').map((m) => [m.value, m.attributes])).toEqual([
      [9, {http_target: '/1k.txt', http_status_code: 200}],
      [1, {http_target: '/1k.txt', http_status_code: 500}],
    ]);
    const [duration] = relay.metrics('http.duration.server');
    expect(duration).toMatchObject({
      value: 200,
      attributes: {http_target: '/1k.txt', numops: 10},
      summary: true,
    });
    expect(duration!.buckets).toMatchObject({count: 10, sum: 200, min: 20, max: 20});
    expect(duration!.buckets!.counts[2]).toBe(10);
    expect(relay.metrics('http.resp.content_length')[0]).toMatchObject({value: 10_240});
  });

  it('folds identifiers and bounds the number of targets', () => {
    const records = [];
    for (let i = 0; i < 1000; i++) {
      records.push(
        makeHead(`GET /${i % 2 ? `u/${i}` : `name${'x'.repeat(i)}`} HTTP/1.1\r\n\r\n`),
        makeHead(OK, {tx: true}),
      );
    }
    const targets = relayOf(records)
      .metrics('http.req')
      .map((m) => m.attributes.http_target);
    expect(targets).toContain('/u/{n}');
    expect(targets).toContain('*');
    expect(targets.length).toBeLessThan(250);
  });
});

describe('HTTP/2', () => {
  const request = (stream: number, extra: [string, string][] = []) =>
    http2Frame(
      1,
      5,
      stream,
      hpackBlock([
        [':method', 'GET'],
        [':scheme', 'https'],
        [':path', `/p${stream}`],
        [':authority', 'h.example'],
        ['user-agent', 'ua'],
        ...extra,
      ]),
    );
  const response = (stream: number, flags = 4) =>
    http2Frame(
      1,
      flags,
      stream,
      hpackBlock([
        [':status', '200'],
        ['content-length', '5'],
      ]),
    );

  it('pairs by stream', () => {
    const relay = relayOf([
      makeConnOpen(),
      makeFrames(Buffer.concat([request(1), request(3)]), {role: 'server', tls: true, tsc: 1_000_000}),
      makeFrames(Buffer.concat([response(3), http2Frame(0, 1, 3, '', 5)]), {
        role: 'server',
        tx: true,
        tls: true,
        tsc: 2_000_000,
      }),
      makeFrames(response(1, 5), {role: 'server', tx: true, tls: true, tsc: 3_000_000}),
    ]);
    expect(Object.entries(relay.http('http.req')[0]!)).toEqual(
      Object.entries({
        http_flavor: '2.0',
        http_stream: 1,
        http_method: 'GET',
        http_frame: 'HEADERS',
        http_host: 'h.example',
        http_target: '/p1',
        http_scheme: 'https',
        http_user_agent: 'ua',
        ...address,
      }),
    );
    expect(Object.entries(relay.http('http.resp')[0]!)).toEqual(
      Object.entries({
        http_flavor: '2.0',
        http_stream: 3,
        http_status_code: 200,
        http_status_text: 'OK',
        http_response_content_length: 5,
        ...address,
        http_server_duration: 1,
        http_host: 'h.example',
        http_method: 'GET',
        http_target: '/p3',
        http_user_agent: 'ua',
      }),
    );
    expect(relay.http('http.resp')[1]).toMatchObject({http_stream: 1, http_server_duration: 2});
  });

  it('waits for the trailers of an RPC', () => {
    const grpc = request(1, [
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
    ]).map((x) => x);
    const relay = relayOf(
      [
        makeFrames(Buffer.from(grpc), {role: 'client', tx: true, tsc: 1_000_000}),
        makeFrames(response(1), {role: 'client', tsc: 2_000_000}),
        makeFrames(http2Frame(1, 5, 1, hpackBlock([['grpc-status', '5']])), {role: 'client', tsc: 4_000_000}),
      ],
      TRACES,
    );
    expect(relay.http('http.resp')).toMatchObject([{grpc_status: 5, http_client_duration: 3}]);
    expect(relay.spans[0]).toMatchObject({
      name: 'p1',
      error: true,
      attributes: {'rpc.grpc.status_code': 5, 'error.type': '5'},
    });
  });

  it('answers the request that asked for h2c on stream 1', () => {
    const relay = relayOf([
      makeHead('GET /up HTTP/1.1\r\nUpgrade: h2c\r\n\r\n', {role: 'server'}),
      makeHead('HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n', {role: 'server', tx: true}),
      makeFrames(response(1, 5), {role: 'server', tx: true}),
    ]);
    expect(relay.http('http.resp')).toMatchObject([{http_status_code: 200, http_target: '/up'}]);
  });

  it('gives an answer that overtook its request what the request said', () => {
    const relay = relayOf(
      [
        makeConnOpen(),
        makeFrames(response(3), {role: 'server', tx: true, tls: true, tsc: 3_000_000}),
        makeFrames(http2Frame(0, 1, 3, '', 5), {role: 'server', tx: true, tls: true, tsc: 3_500_000}),
        makeFrames(request(3), {role: 'server', tls: true, tsc: 1_000_000}),
        makeFrames(request(5), {role: 'server', tls: true, tsc: 4_000_000}),
        makeFrames(response(5, 5), {role: 'server', tx: true, tls: true, tsc: 6_000_000}),
      ],
      TRACES,
    );
    expect(
      relay.http('http.resp').map((data) => [data.http_method, data.http_target, data.http_server_duration]),
    ).toEqual([
      ['GET', '/p3', 2],
      ['GET', '/p5', 2],
    ]);
    expect(relay.spans.map((span) => span.attributes['http.response.body.size'])).toEqual([5, undefined]);
    expect(Math.round((relay.spans[0]!.endTime - relay.spans[0]!.startTime) * 1e4)).toBe(25);
  });

  it('waits for the trailers of an RPC whose answer overtook its request', () => {
    const answer = (early: boolean) => {
      const trailers = makeFrames(http2Frame(1, 5, 1, hpackBlock([['grpc-status', '5']])), {
        role: 'client',
        tsc: 4_000_000,
      });
      return relayOf([
        makeFrames(response(1), {role: 'client', tsc: 2_000_000}),
        ...(early ? [trailers] : []),
        makeFrames(request(1, [['content-type', 'application/grpc']]), {
          role: 'client',
          tx: true,
          tsc: 1_000_000,
        }),
        ...(early ? [] : [trailers]),
      ]).http('http.resp');
    };
    expect(answer(false)).toMatchObject([{grpc_status: 5, http_target: '/p1', http_client_duration: 3}]);
    expect(answer(true)).toMatchObject([{grpc_status: 5, http_target: '/p1'}]);
  });

  it('gives an answer alone when its request does not come', () => {
    const relay = testRelay();
    const channel = relay.folder.add(memoryChannel(1));
    const frames = makeFrames(response(1, 5), {role: 'server', tx: true, tsc: 1_000_000_000});
    relay.time = EPOCH + 2;
    relay.folder.put(channel, frames);
    relay.run();
    expect(relay.events('http.resp')).toEqual([]);
    relay.time = EPOCH + 4;
    relay.run();
    expect(relay.events('http.resp').map((event) => event.data)).toMatchObject([{http_status_code: 200}]);
  });

  it('survives a connection joined late', () => {
    const relay = relayOf([
      makeFrames(http2Frame(1, 5, 9, 'be'), {role: 'server', message: MESSAGE_FLAG.SYNC}),
      makeFrames(response(9, 5), {role: 'server', tx: true, message: MESSAGE_FLAG.SYNC}),
    ]);
    expect(relay.http('http.resp')).toMatchObject([{http_status_code: 200}]);
  });
});

describe('spans', () => {
  const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
  const PARENT = '00f067aa0ba902b7';

  it('are not made when nothing takes them', () => {
    expect(relayOf([makeHead(GET), makeHead(OK, {tx: true})]).spans).toEqual([]);
  });

  it('continue the trace of the request', () => {
    const head = GET.replace('X-My: 1', `traceparent: 00-${TRACE}-${PARENT}-01`);
    const relay = relayOf(
      [
        makeConnOpen(),
        makeHead(head, {role: 'server', tsc: 1_000_000}),
        makeHead(OK, {role: 'server', tx: true, tsc: 3_000_000}),
      ],
      TRACES,
    );
    expect(relay.spans[0]).toMatchObject({
      name: 'GET',
      role: 'server',
      traceId: TRACE,
      parentSpanId: PARENT,
      error: false,
      attributes: {
        'http.request.method': 'GET',
        'url.path': '/1k.txt',
        'url.query': 'a=b',
        'url.scheme': 'http',
        'server.address': 'localhost',
        'server.port': 18080,
        'http.response.status_code': 200,
        'network.protocol.version': '1.1',
        'network.peer.address': '127.0.0.1',
        'user_agent.original': 'curl/7.88.1',
      },
    });
    expect(relay.spans[0]!.spanId).toMatch(/^[0-9a-f]{16}$/);
  });

  it.each([
    ['b3 single', `b3: ${TRACE}-${PARENT}-1`],
    ['b3 multi', `X-B3-TraceId: ${TRACE}\r\nX-B3-SpanId: ${PARENT}`],
  ])('take %s', (_, field) => {
    const relay = relayOf([makeHead(GET.replace('X-My: 1', field)), makeHead(OK, {tx: true})], TRACES);
    expect(relay.spans[0]).toMatchObject({traceId: TRACE, parentSpanId: PARENT});
  });

  it('begin a new trace where the context is bad', () => {
    const relay = relayOf(
      [
        makeHead(GET.replace('X-My: 1', `traceparent: 00-${'0'.repeat(32)}-${PARENT}-01`)),
        makeHead(OK, {tx: true}),
      ],
      TRACES,
    );
    expect(relay.spans[0]!.traceId).toMatch(/^(?!0+$)[0-9a-f]{32}$/);
    expect(relay.spans[0]).not.toHaveProperty('parentSpanId');
  });

  it('end with a body whose length comes at its end, and fail for 5xx', () => {
    const head = 'HTTP/1.1 500 Internal Server Error\r\nTransfer-Encoding: chunked\r\n\r\n';
    const relay = relayOf(
      [
        makeHead(GET, {role: 'server', tsc: 1_000_000}),
        makeHead(head, {role: 'server', tx: true, tsc: 2_000_000, message: 0}),
        makeBodyEnd({role: 'server', tx: true, tsc: 9_000_000, body: 77}),
      ],
      TRACES,
    );
    expect(relay.spans).toHaveLength(1);
    const [span] = relay.spans;
    expect(span).toMatchObject({
      error: true,
      attributes: {'http.response.body.size': 77, 'error.type': '500'},
    });
    expect(Math.round((span!.endTime - span!.startTime) * 1e3)).toBe(8);
  });
});
