// SPDX-License-Identifier: Apache-2.0
/** StatsD, detection by first bytes, and payloads. */
import {describe, expect, it} from 'vitest';
import {REC} from '../../../../src/channel/index.js';
import type {Payload} from '../../../../src/records/types.js';
import {memoryChannel} from '../../../helpers/channel-records.js';
import {makeConnOpen, makeHead, makePayload, makePlain} from '../../../helpers/protocol-records.js';
import {testRelay} from '../../../helpers/relay.js';

function relayOf(records: Buffer[], yaml = '') {
  const relay = testRelay(yaml);
  const channel = relay.folder.add(memoryChannel(1));
  relay.folder.put(channel, ...records);
  relay.run();
  const payloads = relay.records.filter((record): record is Payload => record.kind === 'payload');
  const apps = relay.events('net.app').map((event) => (event.data as Record<string, unknown>).protocol);
  return {...relay, payloads, apps};
}

describe('StatsD', () => {
  it('hands samples on with their tags', () => {
    const relay = relayOf([
      makePlain(REC.STATSD, 'app.hits:1|c|@0.5|#env:prod\napp.load:0.5|g\nnone', {tx: true}),
    ]);
    expect(relay.metrics('app.hits')).toMatchObject([{type: 'counter', value: 2, attributes: {env: 'prod'}}]);
    expect(relay.metrics('app.load')).toMatchObject([{type: 'gauge', value: 0.5}]);
    expect(relay.apps).toEqual(['STATSD']);
  });

  it('adds changes of a gauge up', () => {
    const relay = relayOf(
      ['g:10|g', 'g:+5|g', 'g:-3|g'].map((line) => makePlain(REC.STATSD, line, {tx: true})),
    );
    expect(relay.metrics('g').map((metric) => metric.value)).toEqual([10, 15, 12]);
  });

  it('is silent when it is switched off', () => {
    expect(
      relayOf([makePlain(REC.STATSD, 'a:1|c', {tx: true})], 'metric: {watch: [{type: fs}]}').metrics('a'),
    ).toEqual([]);
  });
});

describe('detection', () => {
  const yaml = `
protocol:
  - {name: Redis, regex: "^[*]\\\\d+\\\\r\\\\n"}
  - {name: Magic, regex: "^deadbeef", binary: true, len: 4}
  - {name: Quiet, regex: "^quiet", detect: false}
`;
  it.each([
    ['*1\r\n$4\r\nPING\r\n', ['Redis']],
    ['\xde\xad\xbe\xef\x01', ['Magic']],
    ['\xde\xad\xbe', []],
    ['quiet', []],
    ['HTTP/1.1 200 OK\r\n', ['HTTP']],
    ['other', []],
  ])('%j', (text, apps) => {
    expect(relayOf([makePlain(REC.DETECT, text, {})], yaml).apps).toEqual(apps);
  });

  it('looks at the first bytes of a connection only, and says it once', () => {
    const relay = relayOf(
      [
        makePlain(REC.DETECT, 'nothing', {}),
        makePlain(REC.DETECT, '*1\r\n', {tx: true}),
        makePlain(REC.DETECT, 'HTTP/1.1 200', {object: 2}),
        makeHead('GET / HTTP/1.1\r\n\r\n', {object: 2}),
      ],
      yaml,
    );
    expect(relay.apps).toEqual(['HTTP']);
  });
});

describe('payloads', () => {
  const yaml = 'payload: {enable: true}';
  it('carry direction, protocol and addresses', () => {
    const relay = relayOf(
      [
        makeConnOpen(),
        makeHead('GET / HTTP/1.1\r\n\r\n', {}),
        makePayload('abc', {}),
        makePayload('def', {tx: true, tls: true}),
      ],
      yaml,
    );
    expect(relay.payloads.map((p) => [p.source, String.fromCharCode(...p.bytes)])).toEqual([
      ['netrx', 'abc'],
      ['tlstx', 'def'],
    ]);
    expect(relay.payloads[0]).toMatchObject({
      protocol: 'HTTP',
      localIp: '127.0.0.1',
      localPort: 36706,
      remoteIp: '127.0.0.1',
      remotePort: 18080,
      fd: 5,
    });
  });

  it('of a UNIX socket are named by inodes', () => {
    const local = [7, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
    const relay = relayOf(
      [makeConnOpen({family: 1, local, remote: Array(16).fill(0)}), makePayload('x', {})],
      yaml,
    );
    expect(relay.payloads[0]).toMatchObject({localIp: 'af_unix:7', remoteIp: 'af_unix:9'});
  });

  it('of one protocol when its definition asks for them', () => {
    const relay = relayOf(
      [makePlain(REC.DETECT, 'mine!', {}), makePayload('mine!', {}), makePayload('other', {object: 2})],
      'protocol: [{name: Mine, regex: "^mine", payload: true}]',
    );
    expect(relay.payloads.map((p) => String.fromCharCode(...p.bytes))).toEqual(['mine!']);
  });
});
