// SPDX-License-Identifier: Apache-2.0
/** DNS packets: encoded by dns-packet, decoded here; hostile ones by hand. */
import dnsPacket from 'dns-packet';
import {describe, expect, it} from 'vitest';
import {formatIpv6, parseDns} from '../../../src/protocol/dns.js';
import {random} from './random.js';

describe('parseDns', () => {
  it('reads a query', () => {
    const query = dnsPacket.encode({
      type: 'query',
      id: 7,
      flags: dnsPacket.RECURSION_DESIRED,
      questions: [{type: 'AAAA', name: 'example.org'}],
    });
    expect(parseDns(query)).toEqual({
      id: 7,
      response: false,
      opcode: 0,
      truncated: false,
      rcode: 'NOERROR',
      name: 'example.org',
      type: 'AAAA',
      answers: [],
    });
  });

  it('reads answers of every usual type', () => {
    const packet = dnsPacket.encode({
      type: 'response',
      id: 9,
      questions: [{type: 'A', name: 'www.example.org'}],
      answers: [
        {type: 'CNAME', name: 'www.example.org', ttl: 60, data: 'host.example.org'},
        {type: 'A', name: 'host.example.org', ttl: 61, data: '192.0.2.7'},
        {type: 'AAAA', name: 'host.example.org', ttl: 62, data: '2001:db8::7'},
        {type: 'PTR', name: '7.2.0.192.in-addr.arpa', ttl: 63, data: 'host.example.org'},
        {
          type: 'SRV',
          name: '_x._tcp.example.org',
          ttl: 64,
          data: {priority: 1, weight: 2, port: 443, target: 'host.example.org'},
        },
        {type: 'MX', name: 'example.org', ttl: 65, data: {preference: 10, exchange: 'mail.example.org'}},
        {type: 'TXT', name: 'example.org', ttl: 66, data: ['v=spf1 ', '-all']},
      ],
    });
    const message = parseDns(packet)!;
    expect(message).toMatchObject({response: true, name: 'www.example.org', type: 'A', rcode: 'NOERROR'});
    expect(message.answers.map((answer) => `${answer.type} ${answer.ttl} ${answer.data}`)).toEqual([
      'CNAME 60 host.example.org',
      'A 61 192.0.2.7',
      'AAAA 62 2001:db8::7',
      'PTR 63 host.example.org',
      'SRV 64 1 2 443 host.example.org',
      'MX 65 10 mail.example.org',
      'TXT 66 v=spf1 -all',
    ]);
  });

  it('reads a failure', () => {
    const packet = dnsPacket.encode({
      type: 'response',
      id: 1,
      flags: 3,
      questions: [{type: 'A', name: 'no.invalid'}],
    });
    expect(parseDns(packet)).toMatchObject({rcode: 'NXDOMAIN', answers: [], name: 'no.invalid'});
  });

  it('reads a packet in the middle of a buffer', () => {
    const query = dnsPacket.encode({type: 'query', id: 3, questions: [{type: 'A', name: 'a.b'}]});
    const padded = Buffer.concat([Buffer.alloc(5), query, Buffer.alloc(5)]);
    expect(parseDns(padded, 5, 5 + query.length)).toMatchObject({name: 'a.b', id: 3});
  });

  it('escapes what would look like other labels', () => {
    const bytes = Buffer.from('00010000000100000000000003612e620109000001 0001'.replaceAll(' ', ''), 'hex');
    expect(parseDns(bytes)?.name).toBe('a\\.b.\\009');
  });

  const header = '0001 8180 0001 0001 0000 0000';
  it.each([
    ['a pointer to itself', `${header} c00c 0001 0001`],
    ['a pointer forwards', `${header} c0ff 0001 0001`],
    ['a label beyond the packet', `${header} 3f61 62`],
    ['a reserved label type', `${header} 8061 6200 0001 0001`],
    ['no type', `${header} 0161 00`],
    ['a header cut short', '0001 8180 0001'],
    ['a thousand questions', '0001 0000 0400 0000 0000 0000'],
  ])('%s gives undefined', (_, hex) => {
    expect(parseDns(Buffer.from(hex.replaceAll(' ', ''), 'hex'))).toBeUndefined();
  });

  it('keeps the question when an answer is cut', () => {
    const packet = Buffer.from(
      `${header} 0161 00 0001 0001 c00c 0001 0001 00000001 0004 0a00`.replaceAll(' ', ''),
      'hex',
    );
    expect(parseDns(packet)).toMatchObject({name: 'a', answers: []});
  });

  it('never throws on mutations', () => {
    const next = random(1035);
    const base = dnsPacket.encode({
      type: 'response',
      questions: [{type: 'A', name: 'www.example.org'}],
      answers: [
        {type: 'CNAME', name: 'www.example.org', data: 'host.example.org'},
        {type: 'SRV', name: 'x', data: {port: 1, target: 'host.example.org'}},
        {type: 'TXT', name: 'x', data: 'abc'},
      ],
    });
    for (let round = 0; round < 5000; round++) {
      const bytes = Buffer.from(base);
      for (let i = next(8); i >= 0; i--) bytes[next(bytes.length)] = next(256);
      const message = parseDns(bytes, 0, next(bytes.length + 1));
      if (message) expect(message.answers.length).toBeLessThanOrEqual(256);
    }
  });
});

it.each([
  ['20010db8000000000000000000000001', '2001:db8::1'],
  ['00000000000000000000000000000000', '::'],
  ['00000000000000000000000000000001', '::1'],
  ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
  ['00010000000000020000000000000003', '1:0:0:2::3'],
  ['fe800000000000000000000000000000', 'fe80::'],
])('formats %s as %s', (hex, text) => {
  expect(formatIpv6(Buffer.from(hex, 'hex'))).toBe(text);
});
