// SPDX-License-Identifier: Apache-2.0
/** Packets and resolver calls → dns.req, dns.resp, dns.* metrics: each lookup once. */
import dnsPacket from 'dns-packet';
import {describe, expect, it} from 'vitest';
import {REC} from '../../../../src/channel/index.js';
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

  it('by packets inside a call of the resolver is one', () => {
    const relay = relayOf([
      query(1, 'A', 'host.corp', {tsc: 2_000_000}),
      answer(1, 'A', 'host.corp', ['192.0.2.1'], {tsc: 3_000_000}),
      call('host', {tsc: 4_000_000, ticks: 3_000_000}),
    ]);
    expect(relay.data('dns.req')).toHaveLength(1);
    expect(relay.data('dns.resp')).toHaveLength(1);
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
