// SPDX-License-Identifier: Apache-2.0
/** Heads of HTTP/1 messages: real ones, odd ones, hostile ones. */
import {describe, expect, it} from 'vitest';
import {fieldOf, type Head, parseHead, parseHeadText, responseBody} from '../../../src/protocol/http1.js';
import {random} from './random.js';

const head = (text: string): Head => {
  const parsed = parseHead(Buffer.from(text, 'latin1'));
  if (parsed === undefined) throw new Error(`no head: ${JSON.stringify(text)}`);
  return parsed;
};

describe('requests', () => {
  it('reads line and fields in order', () => {
    expect(head('GET /a?b=c HTTP/1.1\r\nHost: x:80\r\nUser-Agent:curl\r\n\r\n')).toEqual({
      kind: 'request',
      method: 'GET',
      target: '/a?b=c',
      version: '1.1',
      fields: ['Host', 'x:80', 'User-Agent', 'curl'],
      chunked: false,
      suspicious: false,
    });
  });

  it.each([
    ['CONNECT host:443 HTTP/1.1\r\n\r\n', 'CONNECT', 'host:443'],
    ['OPTIONS * HTTP/1.0\r\n\r\n', 'OPTIONS', '*'],
    ['M-SEARCH * HTTP/1.1\r\n\r\n', 'M-SEARCH', '*'],
    ['GET http://h/p HTTP/1.1\r\n\r\n', 'GET', 'http://h/p'],
    ['\r\n\r\nGET / HTTP/1.1\r\n\r\n', 'GET', '/'],
    ['GET / HTTP/1.1\nHost: h\n\n', 'GET', '/'],
    ['GET /\xff\xfe HTTP/1.1\r\n\r\n', 'GET', '/\xff\xfe'],
  ])('accepts %j', (text, method, target) => {
    expect(head(text)).toMatchObject({kind: 'request', method, target});
  });

  it('does not need the empty line', () => {
    expect(head('POST / HTTP/1.1\r\nContent-Length: 12\r\nHost: h')).toMatchObject({contentLength: 12});
  });
});

describe('responses', () => {
  it.each([
    ['HTTP/1.1 200 OK\r\n\r\n', 200, 'OK'],
    ['HTTP/1.1 404 Not Found\r\n\r\n', 404, 'Not Found'],
    ['HTTP/1.1 200\r\n\r\n', 200, ''],
    ['HTTP/1.1 200 \r\n\r\n', 200, ''],
    ['HTTP/1.0 999 odd  one\r\n\r\n', 999, 'odd  one'],
  ])('%j', (text, status, reason) => {
    expect(head(text)).toMatchObject({kind: 'response', status, reason});
  });

  it('knows where the body ends', () => {
    const of = (text: string, method?: string) => {
      const parsed = head(`HTTP/1.1 ${text}\r\n\r\n`);
      return parsed.kind === 'response' ? responseBody(parsed, method) : undefined;
    };
    expect(of('200 OK\r\nContent-Length: 5', 'GET')).toBe('length');
    expect(of('200 OK\r\nContent-Length: 5', 'HEAD')).toBe('none');
    expect(of('200 OK\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 5')).toBe('chunked');
    expect(of('204 No Content\r\nContent-Length: 5')).toBe('none');
    expect(of('304 Not Modified\r\nContent-Length: 5')).toBe('none');
    expect(of('100 Continue')).toBe('none');
    expect(of('101 Switching Protocols')).toBe('tunnel');
    expect(of('200 OK', 'CONNECT')).toBe('tunnel');
    expect(of('200 OK')).toBe('close');
  });
});

describe('shapes of request smuggling are marked and read the safe way', () => {
  const request = (fields: string) => head(`POST / HTTP/1.1\r\n${fields}\r\n\r\n`);
  it('both lengths: chunked wins', () => {
    expect(request('Content-Length: 4\r\nTransfer-Encoding: chunked')).toMatchObject({
      chunked: true,
      suspicious: true,
    });
  });
  it.each([
    ['two lengths', 'Content-Length: 4\r\nContent-Length: 5'],
    ['a list of lengths', 'Content-Length: 4, 5'],
    ['a sign', 'Content-Length: +4'],
    ['a minus', 'Content-Length: -1'],
    ['hex', 'Content-Length: 0x4'],
    ['too many digits', 'Content-Length: 99999999999999999999'],
    ['empty', 'Content-Length:'],
  ])('%s: no length', (_, fields) => {
    const parsed = request(fields);
    expect(parsed.contentLength).toBeUndefined();
    expect(parsed.suspicious).toBe(true);
  });
  it('equal lengths are one', () => {
    expect(request('Content-Length: 4, 4\r\ncontent-length: 4')).toMatchObject({
      contentLength: 4,
      suspicious: false,
    });
  });
  it.each([
    ['blank before the colon', 'Transfer-Encoding : chunked'],
    ['a control character in the name', 'Transfer-\x01Encoding: chunked'],
    ['an unknown coding', 'Transfer-Encoding: xchunked'],
    ['chunked not last', 'Transfer-Encoding: chunked, identity'],
    ['a folded line', 'X: a\r\n Transfer-Encoding: chunked'],
    ['no colon', 'Transfer-Encoding'],
    ['a lone CR', 'X: a\rTransfer-Encoding: chunked'],
    ['a NUL', 'X: a\0b'],
  ])('%s: not chunked', (_, fields) => {
    expect(request(fields)).toMatchObject({chunked: false, suspicious: true});
  });
});

describe('what is no head', () => {
  it.each([
    '',
    '\r\n\r\n',
    'GET',
    'GET /',
    'GET / HTTP/2.0\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 abc\r\n\r\n',
    'HTTP/3 200 OK\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '220 smtp ready\r\n',
    'EHLO HTTP\r\n\r\n',
    'GE\x00T / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1x\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01',
    'HTTP /x HTTP/1.1\r\n\r\n',
  ])('%j gives undefined', (text) => {
    expect(parseHeadText(text)).toBeUndefined();
  });

  it('a megabyte of header is read in linear time', () => {
    const long = `GET / HTTP/1.1\r\nX: ${'a'.repeat(1 << 20)}\r\n\r\n`;
    expect(fieldOf(head(long), 'x')).toHaveLength(1 << 20);
    const many = `GET / HTTP/1.1\r\n${'X: 1\r\n'.repeat(100_000)}\r\n`;
    expect(head(many).fields).toHaveLength(200_000);
  });

  it('never throws on mutations of real heads', () => {
    const next = random(9112);
    const base = Buffer.from(
      'POST /a/b HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n0123456789',
    );
    for (let round = 0; round < 5000; round++) {
      const bytes = Buffer.from(base);
      for (let i = next(6); i >= 0; i--) bytes[next(bytes.length)] = next(256);
      const parsed = parseHead(bytes, 0, next(bytes.length + 1));
      if (parsed === undefined) continue;
      expect(parsed.fields.length % 2).toBe(0);
      if (parsed.contentLength !== undefined) expect(parsed.contentLength).toBeGreaterThanOrEqual(0);
    }
  });
});

it('finds a field by its exact name only', () => {
  const parsed = head('GET / HTTP/1.1\r\nX-Host: no\r\nHOST: yes\r\n\r\n');
  expect(fieldOf(parsed, 'host')).toBe('yes');
  expect(fieldOf(parsed, 'hos')).toBeUndefined();
});
