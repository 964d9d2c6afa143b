// SPDX-License-Identifier: Apache-2.0
/** Packets and resolver calls → dns.req, dns.resp, dns.* metrics: each lookup once. */
import dnsPacket from 'dns-packet';
import {describe, expect, it} from 'vitest';
import {REC, REC_FLAG} from '../../../../src/channel/index.js';
import {memoryChannel} from '../../../helpers/channel-records.js';
import {type MessageFields, makePlain} from '../../../helpers/protocol-records.js';
import {testRelay} from '../../../helpers/relay.js';

function relayOf(records: Buffer[], yaml = '') {
  const relay = testRelay(yaml);
  const channel = relay.folder.add(memoryChannel(1));
  relay.folder.put(channel, ...records);
  relay.folder.end(channel);
  relay.run();
  const data = (source: string) => relay.events(source).map((event) => event.data);
  return {...relay, data};
}

const query = (id: number, type: string, name: string, fields: MessageFields = {}) =>
  makePlain(REC.DNS, dnsPacket.encode({type: 'query', id, questions: [{type, name}]}), {
    tx: true,
    tid: 7,
    ...fields,
  });
const answer = (id: number, type: string, name: string, data: string[], fields: MessageFields = {}) =>
  makePlain(
    REC.DNS,
    dnsPacket.encode({
      type: 'response',
      id,
      flags: data.length === 0 ? 3 : 0,
      questions: [{type, name}],
      answers: data.map((address) => ({type, name, data: address})),
    }),
    {tid: 7, ...fields},
  );
const call = (name: string, fields: MessageFields = {}) =>
  makePlain(REC.RESOLVE, name, {tid: 7, object: 0, fd: -1, ...fields});

describe('a lookup', () => {
  it('by packets for A and AAAA is one, repetitions included', () => {
    const relay = relayOf([
      query(1, 'A', 'example.org', {tsc: 1_000_000}),
      query(2, 'AAAA', 'example.org', {tsc: 1_100_000}),
      query(1, 'A', 'example.org', {tsc: 2_000_000}),
      answer(1, 'A', 'example.org', ['192.0.2.1'], {tsc: 3_000_000}),
      answer(2, 'AAAA', 'example.org', ['2001:db8::1'], {tsc: 4_000_000}),
    ]);
    expect(relay.data('dns.req')).toEqual([{domain: 'example.org'}]);
    expect(relay.data('dns.resp')).toEqual([
      {domain: 'example.org', duration: 3, addrs: ['192.0.2.1', '2001:db8::1']},
    ]);
    expect(relay.metrics('dns.req')[0]).toMatchObject({value: 1});
    expect(relay.metrics('dns.duration')[0]).toMatchObject({value: 3, buckets: {count: 1}});
  });

  it('whose answers were cut goes on by TCP', () => {
    const cut = (id: number, type: 'A' | 'AAAA') =>
      makePlain(
        REC.DNS,
        dnsPacket.encode({type: 'response', id, flags: 0x0200, questions: [{type, name: 'big.org'}]}),
        {tid: 7, tsc: 2_000_000},
      );
    const relay = relayOf([
      query(1, 'A', 'big.org', {tsc: 1_000_000}),
      query(2, 'AAAA', 'big.org', {tsc: 1_000_000}),
      cut(1, 'A'),
      cut(2, 'AAAA'),
      query(1, 'A', 'big.org', {object: 2, tsc: 3_000_000}),
      answer(1, 'A', 'big.org', ['192.0.2.1', '192.0.2.2'], {object: 2, tsc: 4_000_000}),
      query(2, 'AAAA', 'big.org', {object: 2, tsc: 5_000_000}),
      answer(2, 'AAAA', 'big.org', ['2001:db8::1'], {object: 2, tsc: 6_000_000}),
      call('big.org', {tsc: 7_000_000, ticks: 6_500_000}),
    ]);
    expect(relay.data('dns.req')).toEqual([{domain: 'big.org'}]);
    expect(relay.data('dns.resp')).toEqual([
      {domain: 'big.org', duration: 5, addrs: ['192.0.2.1', '192.0.2.2', '2001:db8::1']},
    ]);
  });

  it('by packets inside a call of the resolver is one', () => {
    const relay = relayOf([
      query(1, 'A', 'host.corp', {tsc: 2_000_000}),
      answer(1, 'A', 'host.corp', ['192.0.2.1'], {tsc: 3_000_000}),
      call('host', {tsc: 4_000_000, ticks: 3_000_000}),
    ]);
    expect(relay.data('dns.req')).toHaveLength(1);
    expect(relay.data('dns.resp')).toHaveLength(1);
  });

  it('is a call of the resolver with all its packets: search domains, aliases, repetitions', () => {
    const more = {flags: REC_FLAG.MORE};
    const relay = relayOf([
      call('host', {...more, tsc: 1_000_000}),
      query(1, 'A', 'host.one', {tsc: 1_100_000}),
      answer(1, 'A', 'host.one', [], {tsc: 1_200_000}),
      query(2, 'A', 'host.two', {tsc: 1_300_000}),
      answer(2, 'A', 'host.two', ['192.0.2.1'], {tsc: 1_400_000}),
      query(3, 'A', 'host.two', {tsc: 1_500_000}),
      answer(3, 'A', 'host.two', ['192.0.2.1'], {tsc: 1_600_000}),
      // Another thread's packets are its own.
      query(4, 'A', 'other.two', {tid: 8}),
      call('host', {tsc: 3_000_000, ticks: 2_000_000}),
    ]);
    expect(relay.data('dns.req')).toEqual([{domain: 'host'}, {domain: 'other.two'}]);
    expect(relay.data('dns.resp')).toEqual([{domain: 'host', duration: 2, addrs: ['192.0.2.1']}]);
  });

  it('is one call, too, that is made again with more room, and calls inside each other', () => {
    const [more, cut] = [{flags: REC_FLAG.MORE}, {flags: REC_FLAG.CUT}];
    const relay = relayOf([
      call('a', {...more, tsc: 1_000_000}),
      call('a', {...cut, ret: 34, tsc: 2_000_000}),
      call('a', {...more, tsc: 3_000_000}),
      call('a', {tsc: 4_000_000}),
      call('b', {...more, tsc: 5_000_000}),
      call('b', {...more, tsc: 6_000_000}),
      call('b', {tsc: 7_000_000}),
      call('b', {tsc: 8_000_000}),
      // Never ended: its thread was cancelled.
      call('c', {...more, tsc: 9_000_000}),
      call('d', {...more, tsc: 10_000_000}),
      call('d', {ret: -2, tsc: 11_000_000}),
    ]);
    expect(relay.data('dns.req').map((data) => (data as {domain: string}).domain)).toEqual([
      'a',
      'b',
      'c',
      'd',
    ]);
    expect(relay.data('dns.resp')).toEqual([
      {domain: 'a', duration: 3},
      {domain: 'b', duration: 3},
    ]);
  });

  it('by a call alone has its duration', () => {
    const relay = relayOf([call('localhost', {tsc: 5_000_000, ticks: 2_000_000})]);
    expect(relay.data('dns.req')).toEqual([{domain: 'localhost'}]);
    expect(relay.data('dns.resp')).toEqual([{domain: 'localhost', duration: 2}]);
  });

  it('by a resolver function that calls another is one', () => {
    const relay = relayOf([
      call('localhost', {tsc: 4_000_000, ticks: 1_000_000}),
      call('localhost', {tsc: 5_000_000, ticks: 3_000_000}),
      call('localhost', {tsc: 9_000_000, ticks: 1_000_000}),
    ]);
    expect(relay.data('dns.req')).toHaveLength(2);
  });

  it('that fails has no response', () => {
    const relay = relayOf([
      query(1, 'A', 'no.invalid'),
      answer(1, 'A', 'no.invalid', []),
      call('nope', {ret: -2, tid: 8}),
    ]);
    expect(relay.data('dns.req')).toHaveLength(2);
    expect(relay.data('dns.resp')).toEqual([]);
  });

  it('of another thread is another', () => {
    const relay = relayOf([
      query(1, 'A', 'x.org'),
      query(2, 'A', 'x.org', {tid: 9}),
      answer(2, 'A', 'x.org', ['192.0.2.1'], {tid: 7}),
    ]);
    expect(relay.data('dns.req')).toHaveLength(2);
    expect(relay.data('dns.resp')).toHaveLength(1);
  });
});

it('by multicast is answered without its question', () => {
  const relay = relayOf([
    query(0, 'A', 'printer.local', {tsc: 1_000_000}),
    makePlain(
      REC.DNS,
      dnsPacket.encode({
        type: 'response',
        id: 0,
        answers: [
          {type: 'A', name: 'other.local', data: '192.0.2.8'},
          {type: 'A', name: 'printer.local', data: '192.0.2.9'},
        ],
      }),
      {tid: 7, tsc: 3_000_000},
    ),
  ]);
  expect(relay.data('dns.req')).toEqual([{domain: 'printer.local'}]);
  expect(relay.data('dns.resp')).toEqual([{domain: 'printer.local', duration: 2, addrs: ['192.0.2.9']}]);
});

it("a name server's side and garbage give nothing", () => {
  const packet = dnsPacket.encode({type: 'query', id: 1, questions: [{type: 'A', name: 'x'}]});
  const relay = relayOf([
    makePlain(REC.DNS, packet, {}),
    makePlain(REC.DNS, Buffer.alloc(40, 0xff), {tx: true}),
  ]);
  expect(relay.events().filter((event) => event.sourcetype === 'dns')).toEqual([]);
});

it('single metrics carry the name', () => {
  const relay = relayOf([call('localhost')], 'metric: {format: {verbosity: 6}}');
  expect(relay.metrics('dns.req')).toMatchObject([
    {value: 1, attributes: {domain: 'localhost'}, summary: false},
  ]);
});
