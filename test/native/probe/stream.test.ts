// SPDX-License-Identifier: Apache-2.0
/** The decoders of native/probe, driven by a script: what is recorded of a conversation, however it is cut up. */
import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {ROOT} from '../../../src/base/root.js';
import {random} from '../../unit/protocol/random.js';

let dir: string;
let driver: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-stream-'));
  driver = join(dir, 'driver');
  const sources = [
    'stream',
    'sniff',
    'head',
    'hold',
    'http1',
    'http1_body',
    'http2',
    'websocket',
    'dns',
    'statsd',
    'payload',
  ];
  execFileSync(
    'gcc',
    [
      '-std=c11',
      '-D_GNU_SOURCE',
      '-g',
      '-O1',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-fsanitize=address,undefined',
      '-fno-sanitize-recover=all',
      '-Inative',
      '-Inative/include',
      '-o',
      driver,
      'test/native/probe/stream_driver.c',
      ...sources.map((name) => `native/probe/${name}.c`),
    ],
    {cwd: ROOT, stdio: 'inherit', timeout: 60_000},
  );
});

afterAll(() => rmSync(dir, {recursive: true, force: true}));

const TCP = 6;
const UDP = 7;
const SERVER = 4;
const CLIENT = 8;
const FOUND = 1024;
/** Bits of SC_WANT_LIST. */
const WANT_DNS = 5;
const WANT_MDNS = 16;
const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
const rx = (...pieces: string[]): string => `rx ${pieces.map(hex).join('|')}`;
const tx = (...pieces: string[]): string => `tx ${pieces.map(hex).join('|')}`;

/** Output lines of each connection. */
function run(lines: string[], flags = SERVER, kind = TCP): string[] {
  const script = [`new ${kind} ${flags}`, ...lines].join('\n');
  return runScript(script).split('\n').slice(1, -1);
}

function runScript(script: string): string {
  return execFileSync(driver, {
    input: `${script}\n`,
    encoding: 'utf8',
    timeout: 30_000,
    maxBuffer: 1 << 26,
    env: {...process.env, ASAN_OPTIONS: 'detect_leaks=0'},
  });
}

const GET = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n';
const shown = (text: string): string => text.replaceAll('\r', '\\r').replaceAll('\n', '\\n');

describe('HTTP/1', () => {
  it('records one line for each head of a keep-alive connection', () => {
    expect(run([rx(GET), tx(OK, 'hello'), rx(GET), tx(`${OK}hello`), 'close'])).toEqual([
      `rx HTTP1 body=0 END ${shown(GET)}`,
      `tx HTTP1 body=5 END ${shown(OK)}`,
      `rx HTTP1 body=0 END ${shown(GET)}`,
      `tx HTTP1 body=5 END ${shown(OK)}`,
      'protocol 2',
    ]);
  });

  it('counts a body that sendfile sends', () => {
    const long = OK.replace('5', '100000');
    expect(run([rx(GET), tx(long), 'skip tx 65536', 'skip tx 34464', rx(GET), tx(OK, 'hello')])).toEqual([
      `rx HTTP1 body=0 END ${shown(GET)}`,
      `tx HTTP1 body=0 ${shown(long)}`,
      `rx HTTP1 body=0 END ${shown(GET)}`,
      `tx HTTP1 body=5 END ${shown(OK)}`,
    ]);
  });

  it.each([16_384, 17_408, 100_000, 1_060_000])(
    'knows connections with descriptors of %d and more',
    (base) => {
      const one = [
        `new ${TCP} ${SERVER}`,
        rx(GET.slice(0, 9)),
        rx(GET.slice(9)),
        tx(OK, 'he'),
        tx('llo'),
        'close',
      ];
      const script = [`base ${base}`, ...one, ...one, ...one].join('\n');
      const lines = runScript(script).split('\n').slice(0, -1);
      const seen = ['--', `rx HTTP1 body=0 END ${shown(GET)}`, `tx HTTP1 body=2 ${shown(OK)}`, 'protocol 2'];
      expect(lines).toEqual([...seen, ...seen, ...seen]);
    },
  );

  it('tells the length of a chunked body, with trailers, at its end', () => {
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(
      run([rx(GET), tx(head), tx('5;x=y\r\nhello\r\nA\r\n0123456789\r\n'), tx('0\r\nX: y\r\n\r\n')]),
    ).toEqual([
      `rx HTTP1 body=0 END ${shown(GET)}`,
      `tx HTTP1 body=0 ${shown(head)}`,
      'tx HTTP1_END body=15 END',
    ]);
    expect(run([rx(GET), tx(head, '5\r\nhello\r\n0\r\n\r\n')])[1]).toBe(`tx HTTP1 body=5 END ${shown(head)}`);
  });

  it('ends a body without length with the connection', () => {
    const head = 'HTTP/1.0 200 OK\r\n\r\n';
    expect(run([tx(GET), rx(`${head}abc`), rx('def'), 'end rx', 'close'], CLIENT).slice(1)).toEqual([
      `rx HTTP1 body=3 ${shown(head)}`,
      'rx HTTP1_END body=6 END',
      'protocol 2',
    ]);
  });

  it('tells a body that was cut short', () => {
    expect(run([tx(GET), rx(`${OK}he`), 'end rx', 'close'], CLIENT).slice(1)).toEqual([
      `rx HTTP1 body=2 ${shown(OK)}`,
      'rx HTTP1_END body=2 SHORT',
      'protocol 2',
    ]);
  });

  it('knows responses without a body', () => {
    const head = GET.replace('GET', 'HEAD');
    const long = OK.replace('5', '99');
    const lines = run([
      rx(head),
      tx(long),
      rx(GET),
      tx('HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n'),
      rx(GET),
      tx('HTTP/1.1 204 No Content\r\n\r\n'),
      rx(GET),
      tx('HTTP/1.1 100 Continue\r\n\r\n', OK, 'hello'),
    ]);
    expect(lines).toHaveLength(9);
    expect(lines.every((line) => line.includes(' END '))).toBe(true);
  });

  it('keeps pipelined requests and their responses apart', () => {
    const lines = run([
      rx(`${GET}${GET.replace('GET', 'HEAD')}POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc${GET}`),
      tx(`${OK}hello${OK}${OK}hello`),
      tx(OK),
      tx('hello'),
    ]);
    expect(lines.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      ...Array(4).fill('rx HTTP1'),
      ...Array(4).fill('tx HTTP1'),
    ]);
  });

  it('goes silent after CONNECT and counts frames after an upgrade to WebSocket', () => {
    const connect = 'CONNECT a:1 HTTP/1.1\r\n\r\n';
    expect(
      run([rx(connect), tx('HTTP/1.1 200 Connection established\r\n\r\n'), rx(GET), 'close']).at(-1),
    ).toBe('protocol 6');
    const upgrade = 'GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
    const accept = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n';
    expect(
      run([
        rx(upgrade),
        tx(`${accept}\x81\x02hi`),
        rx('\x81\x85\x01\x02\x03\x04abcde\x82\xfe\x01\x00\x01\x02\x03\x04'),
        rx('x'.repeat(256)),
        'close',
      ]),
    ).toEqual([
      `rx HTTP1 body=0 END ${shown(upgrade)}`,
      `tx HTTP1 body=0 END ${shown(accept)}`,
      'rx WEBSOCKET body=261 count=2 END',
      'tx WEBSOCKET body=2 count=1 END',
      'protocol 7',
    ]);
  });

  it('records the first 16 KiB of a head that is longer, and stays in step', () => {
    const big = `GET / HTTP/1.1\r\nX: ${'a'.repeat(1 << 20)}\r\n\r\n`;
    const lines = run([
      rx(big.slice(0, 10_000)),
      rx(big.slice(10_000)),
      tx(OK, 'hello'),
      rx(GET),
      tx(OK, 'hello'),
    ]);
    const begin = 'rx HTTP1 CUT body=0 skip=1032215 END GET /';
    expect(lines[0]!.slice(0, begin.length)).toBe(begin);
    expect(lines[2]).toBe(`rx HTTP1 body=0 END ${shown(GET)}`);
    expect(run([rx(big)])[0]!.slice(0, begin.length)).toBe(begin);
  });

  it('finds its place on a connection that was open before', () => {
    const lines = run(
      [tx('middle of a body'), tx('\r\nmore'), rx(GET), tx(OK, 'hello'), rx(GET)],
      SERVER | FOUND,
    );
    expect(lines).toEqual([
      `rx HTTP1 body=0 END SYNC ${shown(GET)}`,
      `tx HTTP1 body=5 END SYNC ${shown(OK)}`,
      `rx HTTP1 body=0 END ${shown(GET)}`,
    ]);
  });

  it('finds its place again after bytes that are no message', () => {
    const lines = run([rx(GET), tx(OK, 'hello and more'), rx(GET), tx(OK, 'hello')]);
    expect(lines.at(-1)).toBe(`tx HTTP1 body=5 END SYNC ${shown(OK)}`);
  });

  it('marks the record after one that was lost', () => {
    expect(run([rx(GET), 'fail 1', tx(OK, 'hello'), rx(GET), tx(OK, 'hello')]).at(-1)).toContain('SYNC');
  });

  it.each([
    ['SMTP', '220 mail ESMTP\r\n', 'EHLO x\r\n'],
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n', 'SSH-2.0-x\r\n'],
    ['RTSP', 'RTSP/1.0 200 OK\r\n\r\n', 'OPTIONS rtsp://h RTSP/1.0\r\n\r\n'],
    ['Redis', '+PONG\r\n', 'PING\r\n'],
    ['PostgreSQL', 'R\0\0\0\b\0\0\0\0', '\0\0\0\b\x04\xd2\x16/'],
    ['binary', '\xff\xfe\0\0', '\x80\x01'],
    ['capitals only', 'A', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
  ])('%s gives no record and is left alone', (_, answer, question) => {
    expect(run([rx(question), tx(answer), 'close'])).toEqual(['protocol 1']);
    expect(run([tx(answer), rx(question), 'close']).at(-1)).toMatch(/^protocol [01]$/);
  });

  it('reads requests that smuggle as a server does that follows the RFC', () => {
    const smuggle =
      'POST / HTTP/1.1\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n';
    const lines = run([rx(smuggle)]);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain('GET /smuggled');
    const twice = 'POST / HTTP/1.1\r\nContent-Length: 6\r\nContent-Length: 60\r\n\r\n';
    expect(run([rx(twice), rx(GET)])).toHaveLength(2);
  });

  it.each([
    ['no digits', '\r\n'],
    ['not hex', 'xyz\r\n'],
    ['too long', 'fffffffffffffffffffff\r\n'],
    ['a chunk longer than its size', '1\r\nabc\r\n'],
    ['trailers without end', `0\r\n${'X: y\r\n'.repeat(10_000)}`],
  ])('chunks that break the RFC end in a loss of place: %s', (_, chunks) => {
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    const lines = run([rx(GET), tx(head), tx(chunks), tx(OK, 'hello')]);
    expect(lines.at(-1)).toBe(`tx HTTP1 body=5 END SYNC ${shown(OK)}`);
  });

  it('takes plaintext of TLS instead of the ciphertext', () => {
    const lines = run([
      rx('\x16\x03\x01\x02\x00\x01'),
      tx('\x16\x03\x03'),
      rx('\x17\x03\x03zzz'),
      `tls ${rx(GET)}`,
      `tls ${tx(OK, 'hello')}`,
      tx('\x17\x03\x03yyy'),
      'close',
    ]);
    expect(lines).toEqual([
      `rx HTTP1 TLS body=0 END ${shown(GET)}`,
      `tx HTTP1 TLS body=5 END ${shown(OK)}`,
      'protocol 2',
    ]);
  });
});

/** Records without what depends on how the bytes came: body so far, END, and records of ends. */
function essence(lines: string[]): string[] {
  return lines
    .filter((line) => !line.includes('HTTP1_END'))
    .map((line) => line.replace(/ body=[0-9]+/, '').replace(' END', ''));
}

describe('the same records come however a conversation is cut', () => {
  const request =
    `${GET}POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\nHEAD /b HTTP/1.1\r\n\r\n` +
    'PUT /c HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789';
  const response = `HTTP/1.1 100 Continue\r\n\r\n${OK}helloHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1a\r\n${'z'.repeat(26)}\r\n0\r\n\r\n${OK}HTTP/1.1 204 No Content\r\n\r\n`;

  it('HTTP/1: at every place, into bytes, and at random', () => {
    const whole = essence(run([rx(request), tx(response)]));
    expect(whole).toHaveLength(9);
    const next = random(42);
    const cuts: number[][] = [];
    for (let at = 1; at < request.length; at++) cuts.push([at]);
    cuts.push(Array.from({length: Math.max(request.length, response.length)}, (_, i) => i));
    for (let round = 0; round < 60; round++) {
      cuts.push(Array.from({length: 1 + next(8)}, () => next(request.length)).sort((a, b) => a - b));
    }
    const script: string[] = [];
    for (const cut of cuts) {
      script.push(
        `new ${TCP} ${SERVER}`,
        ...pieces(request, cut).map((p) => rx(p)),
        ...pieces(response, cut).map((p) => tx(p)),
      );
      script.push(
        `new ${TCP} ${SERVER}`,
        rx(...pieces(request, cut.slice(0, 60))),
        tx(...pieces(response, cut.slice(0, 60))),
      );
    }
    for (const part of runScript(script.join('\n')).split('--\n').slice(1)) {
      expect(essence(part.split('\n').slice(0, -1))).toEqual(whole);
    }
  });

  it('HTTP/2: frames are the same bytes', () => {
    const frames = [
      frame(4, 0, 0, '\0\x03\0\0\0\x64'),
      frame(8, 0, 0, '\0\0\xff\xff'),
      frame(1, 4, 1, 'abcdef'),
      frame(0, 0, 1, 'x'.repeat(300)),
      frame(1, 0, 3, 'header'),
      frame(9, 4, 3, 'more'),
      frame(6, 0, 0, '12345678'),
      frame(0, 1, 1, ''),
      frame(3, 0, 3, '\0\0\0\x08'),
      frame(7, 0, 0, '\0\0\0\0\0\0\0\0'),
    ].join('');
    const bytes = `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${frames}`;
    const records = (part: string): string =>
      part
        .split('\n')
        .map((line) => line.replace(/^rx HTTP2 body=0 ?/, ''))
        .join('');
    const whole = records(runScript(`new ${TCP} ${SERVER}\n${rx(bytes)}`).split('--\n')[1]!);
    expect(whole).toContain('abcdef');
    expect(whole).not.toContain('xxx');
    expect(whole).not.toContain('12345678');
    const script: string[] = [];
    for (let at = 1; at < bytes.length; at++) {
      script.push(`new ${TCP} ${SERVER}`, rx(bytes.slice(0, at)), rx(bytes.slice(at)));
    }
    script.push(`new ${TCP} ${SERVER}`, ...[...bytes].map((byte) => rx(byte)));
    for (const part of runScript(script.join('\n')).split('--\n').slice(1)) expect(records(part)).toBe(whole);
  });
});

function pieces(text: string, cuts: number[]): string[] {
  const out: string[] = [];
  let from = 0;
  for (const at of cuts) {
    if (at > from && at < text.length) {
      out.push(text.slice(from, at));
      from = at;
    }
  }
  return [...out, text.slice(from)];
}

function frame(type: number, flags: number, stream: number, payload: string): string {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return head.toString('latin1') + payload;
}

describe('HTTP/2', () => {
  const headers = frame(1, 5, 1, 'block');
  it('is known by the preface, or by SETTINGS that come before it', () => {
    expect(
      run([
        rx(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${frame(4, 0, 0, '')}${headers}`),
        tx(frame(4, 0, 0, ''), headers),
      ]),
    ).toHaveLength(2);
    expect(
      run([tx(frame(4, 0, 0, '')), rx(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${headers}`), 'close']),
    ).toHaveLength(2);
  });

  it('begins after an upgrade to h2c', () => {
    const upgrade = 'GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n';
    const accept = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n';
    const lines = run([
      rx(upgrade),
      tx(`${accept}${headers}`),
      rx(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${headers}`),
      'close',
    ]);
    expect(lines.map((line) => line.split(' ')[1])).toEqual(['HTTP1', 'HTTP1', 'HTTP2', 'HTTP2', '3']);
  });

  it('is found late by transfers made of frames', () => {
    const lines = run([tx('junk'), rx(headers), tx('junk'), tx(headers)], SERVER | FOUND);
    expect(lines).toHaveLength(2);
    expect(lines.every((line) => line.includes('SYNC'))).toBe(true);
  });

  it('does not hold a frame longer than its buffer', () => {
    const lines = run([
      rx(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${frame(1, 4, 1, 'a'.repeat(20_000))}${headers}`),
    ]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('SYNC');
  });

  it('counts DATA sent by sendfile', () => {
    const lines = run([
      rx('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      tx(frame(4, 0, 0, '')),
      tx(frame(0, 0, 1, 'x'.repeat(1000)).slice(0, 9)),
      'skip tx 1000',
      tx(headers),
    ]);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain('block');
  });
});

describe('DNS and StatsD', () => {
  const query = '\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01';
  it('records datagrams of port 53 whole', () => {
    expect(run(['port 53', tx(query.slice(0, 5), query.slice(5)), rx(query)], CLIENT, UDP)).toHaveLength(2);
    expect(run([tx(query)], CLIENT, UDP)).toEqual([]);
  });
  it('records those of port 5353 when that is wanted', () => {
    const [dns, mdns] = [1 << WANT_DNS, 1 << WANT_MDNS];
    expect(run([`want ${dns}`, 'port 5353', tx(query)], CLIENT, UDP)).toEqual([]);
    expect(run([`want ${dns | mdns}`, 'port 5353', tx(query)], CLIENT, UDP)).toHaveLength(1);
  });
  it('takes packets out of a TCP stream', () => {
    const packet = `\0\x13${query}`;
    const lines = run(
      ['port 53', tx(packet + packet.slice(0, 7)), tx(packet.slice(7)), rx('\0'), rx(packet.slice(1))],
      CLIENT,
    );
    expect(lines).toHaveLength(3);
    expect(new Set(lines.map((line) => line.slice(3))).size).toBe(1);
  });
  it('knows StatsD by the first datagram', () => {
    expect(run([tx('a:1|c\nb:2|g'), tx('c:3|ms')], CLIENT, UDP)).toEqual([
      'tx STATSD a:1|c\\nb:2|g',
      'tx STATSD c:3|ms',
    ]);
    expect(run([tx('a:1|x'), tx('c:3|ms'), 'close'], CLIENT, UDP)).toEqual(['protocol 1']);
  });
});

describe('payloads', () => {
  it('captures every byte up to the cap, also of unknown protocols', () => {
    const lines = run(['want 128', 'cap 10', rx('\x01\x02', 'abc'), rx('defghijkl'), tx('z')]);
    expect(lines).toEqual([
      'rx PAYLOAD body=0 \\x01\\x02abc',
      'rx PAYLOAD CUT body=5 skip=4 defgh',
      'tx PAYLOAD body=0 z',
    ]);
  });
  it('gives the first bytes of each direction for detection', () => {
    const lines = run(['want 256', rx('x'.repeat(300)), rx('more'), tx('y')]);
    expect(lines).toEqual([`rx DETECT ${'x'.repeat(256)}`, 'tx DETECT y']);
  });
});

it('nothing random breaks memory or makes a head', () => {
  const next = random(1);
  const seeds = [
    GET,
    OK,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    frame(1, 4, 1, 'ab'),
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ];
  const script: string[] = [];
  for (let round = 0; round < 400; round++) {
    script.push(`new ${TCP} ${next(2) ? SERVER : CLIENT | (next(2) * FOUND)}`);
    for (let i = next(8); i >= 0; i--) {
      const bytes = Buffer.from(seeds[next(seeds.length)]! + seeds[next(seeds.length)]!, 'latin1');
      for (let k = next(4); k > 0; k--) bytes[next(bytes.length)] = next(256);
      const text = bytes.subarray(next(3) ? 0 : next(bytes.length)).toString('latin1');
      const action = next(10);
      if (action === 0) script.push(`skip tx ${next(50)}`);
      else if (action === 1) script.push('end rx');
      else script.push(next(2) ? rx(text) : tx(text.slice(0, 5), text.slice(5)));
    }
    script.push('close');
  }
  const out = runScript(script.join('\n'));
  for (const line of out.split('\n')) {
    if (/ HTTP1 /.test(line)) expect(line).toMatch(/HTTP\/1/);
  }
});
