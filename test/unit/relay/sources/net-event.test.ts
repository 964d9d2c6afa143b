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
const closed: Closed = {millis: 12.5, sent: 2 ** 40, received: 0, reason: 'remote'};

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
