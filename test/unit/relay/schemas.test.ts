// SPDX-License-Identifier: Apache-2.0
/** Everything the relay makes keeps the schemas of AppScope 1.x, at every verbosity. */
import {describe, expect, it} from 'vitest';
import {COUNTER, REC} from '../../../src/channel/index.js';
import {lineOf} from '../../../src/records/ndjson.js';
import {
  closeStruct,
  connStruct,
  makeClose,
  makeExit,
  makeOpen,
  makeRecord,
  makeText,
  memoryChannel,
} from '../../helpers/channel-records.js';
import {testRelay} from '../../helpers/relay.js';
import {problemsOf, schemaOf} from '../../helpers/schemas.js';

const call = (nr: number, fields: object) => makeRecord({type: REC.CALL, nr, ...fields});
const path = Buffer.from('/nowhere');

/** One of everything. */
function records(): Buffer[] {
  const conn = connStruct({});
  const unix = connStruct({family: 1});
  const closed = closeStruct({rx_bytes: 5, tx_bytes: 6, life_ticks: 123456});
  return [
    makeOpen('/etc/hosts', {fd: 3, object: 9, mode: 0o100644}),
    makeText('out\n', {fd: 1, object: 1}),
    makeOpen('/var/log/x.log', {fd: 4, object: 10}),
    makeText('line\n', {fd: 4, object: 10}),
    makeRecord({type: REC.DELETE, nr: 87, payload: path}),
    makeRecord({type: REC.CONN_OPEN, fd: 5, object: 3, payload: conn}),
    makeRecord({type: REC.CONN_OPEN, fd: 6, object: 4, payload: unix}),
    call(0, {ret: 511, fd: 3, object: 9, ticks: 1500}),
    call(1, {ret: 5, fd: 4, object: 10, ticks: 1500}),
    call(45, {ret: 5, fd: 5, object: 3}),
    call(44, {ret: 6, fd: 6, object: 4}),
    call(262, {ret: 0, payload: path}),
    call(8, {ret: 0, fd: 3, object: 9}),
    call(257, {ret: -2, payload: path}),
    call(42, {ret: -111, fd: 5, object: 3}),
    makeRecord({type: REC.CONN_CLOSE, fd: 5, object: 3, payload: Buffer.concat([conn, closed])}),
    makeRecord({type: REC.CONN_CLOSE, fd: 6, object: 4, payload: Buffer.concat([unix, closed])}),
    makeClose({rx_bytes: 511, rx_ops: 1, ticks: 1500}, {fd: 3, object: 9}),
    makeExit({utime_us: 1000, rss_kib: 2048, threads: 1, fds: 3}, {tsc: 1e9}),
  ];
}

describe('records', () => {
  for (const verbosity of [0, 4, 5, 6, 7, 8, 9]) {
    it(`at verbosity ${verbosity} keep the schemas`, () => {
      const kinds = ['fs', 'net', 'console', 'file', 'metric'].map((type) => `{type: ${type}}`).join(', ');
      const relay = testRelay(
        `{metric: {format: {verbosity: ${verbosity}}}, event: {watch: [${kinds}]}, tags: {team: a}}`,
      );
      const channel = relay.folder.add(memoryChannel(1));
      channel.counter.fill(3, 0, COUNTER.NET_TX_OPS);
      relay.folder.put(channel, ...records());
      relay.folder.end(channel, 0);
      relay.run();
      const lines = relay.records.map(lineOf);
      expect(lines.flatMap(problemsOf)).toEqual([]);
      const checked = new Set(lines.map((line) => schemaOf(JSON.parse(line))));
      expect(checked.size).toBeGreaterThan(20);
    });
  }
});
