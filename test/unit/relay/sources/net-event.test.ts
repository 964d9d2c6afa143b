// SPDX-License-Identifier: Apache-2.0
import {expect, it} from 'vitest';
import {ByteWriter} from '../../../../src/records/byte-writer.js';
import {lineOf, writeEvent} from '../../../../src/records/ndjson.js';
import type {Connection} from '../../../../src/relay/sources/address.js';
import {type Closed, NetEvent, NetParts} from '../../../../src/relay/sources/net-event.js';
import {makeProcess} from '../../../helpers/records.js';

const parts = new NetParts(makeProcess(), '572922201');
const connection: Connection = {
  family: 2,
  type: 1,
  localIp: '127.0.0.1',
  localPort: 18080,
  remoteIp: '10.0.0.1',
  remotePort: 443,
  localInode: 0,
  remoteInode: 0,
  flags: 0,
};
const closed: Closed = {micros: 12_500, sent: 2 ** 40, received: 0, reason: 'remote'};

it.each([
  ['open', undefined, undefined, undefined],
  ['open of a named peer', 'peer "x"', 'http', undefined],
  ['close', undefined, 'http', closed],
  ['close of a named peer', 'peer', undefined, {...closed, reason: 'local' as const}],
])('%s: the line is the one that its data gives', (_, name, protocol, end) => {
  const event = new NetEvent(parts, 1795375578.25, 7, connection, name, protocol, end);
  const out = new ByteWriter();
  writeEvent(out, event);
  const {kind, sourcetype, source, time, channel, data, process} = event;
  expect(out.view().toString()).toBe(lineOf({kind, sourcetype, source, time, channel, data, process}));
});

it('whatever came before it: other ends, another second, no descriptor, a duration of any size', () => {
  const own = new NetParts(makeProcess(), '1');
  const out = new ByteWriter();
  let expected = '';
  const ends: [string, number][] = [
    ...Array.from({length: 12}, (): [string, number] => ['10.0.0.1', 443]),
    ['10.0.0.1', 80],
    ['fe80::1', 80],
    ['', 0],
    ['', 0],
  ];
  for (const micros of [0, 1, 10, 999, 1000, 1500, 123_456_789_012, 4e15, Number.MAX_SAFE_INTEGER])
    for (const [i, [ip, port]] of ends.entries())
      for (const [object, time] of [
        [0, 1795375578],
        [9, 1795375578.999999],
        [1_234_567, 1795375579.5 + i],
      ] as const) {
        const end = i % 2 === 0 ? {...closed, micros} : undefined;
        const at = {...connection, remoteIp: ip, remotePort: port, localPort: port};
        const event = new NetEvent(own, time, object, at, undefined, undefined, end);
        writeEvent(out, event);
        const {kind, sourcetype, source, channel, data, process} = event;
        expected += lineOf({kind, sourcetype, source, time, channel, data, process});
      }
  expect(out.view().toString().split('\n')).toEqual(expected.split('\n'));
});
