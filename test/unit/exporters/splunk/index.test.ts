// SPDX-License-Identifier: Apache-2.0
// HEC: forms of events and metrics, templates, one bad event, acknowledgement that does not come.
import {afterEach, expect, test} from 'vitest';
import {type Clock, systemClock} from '../../../../src/base/clock.js';
import type {SplunkExporterConfig} from '../../../../src/config/types.js';
import type {Exporter} from '../../../../src/delivery/exporter.js';
import {createExporter} from '../../../../src/exporters/splunk/index.js';
import {makeContext, makeDelivery, NEVER} from '../../../helpers/delivery.js';
import {type HttpPeer, startHttpPeer} from '../../../helpers/http-peer.js';
import {makeEvent, makeMetric, makeProcess} from '../../../helpers/records.js';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function make(
  change: Partial<SplunkExporterConfig> = {},
  usual?: Parameters<typeof startHttpPeer>[1],
  clock: Clock = systemClock,
): Promise<{exporter: Exporter; peer: HttpPeer}> {
  const peer = await startHttpPeer(0, usual);
  ends.push(() => peer.close());
  const exporter = createExporter(
    {
      ...makeDelivery(),
      type: 'splunk',
      endpoint: `http://127.0.0.1:${peer.port}/base/`,
      token: 'secret',
      index: 'app_{proc}',
      metrics_index: 'metrics',
      source: '{source}',
      sourcetype: 'scope:{sourcetype}',
      host: '{host}',
      acknowledge: false,
      ack_interval: 1,
      compression: 'none',
      ...change,
    },
    makeContext({clock}),
  );
  ends.push(() => exporter.stop());
  return {exporter, peer};
}

const objects = (body: Buffer) => JSON.parse(`[${body.toString().replaceAll('}{', '},{')}]`);

test('text stays text, what happened is an object, metrics are fields', async () => {
  const {exporter, peer} = await make();
  const process = makeProcess({tags: {team: 'blue'}});
  const batch = [
    makeEvent({process}),
    makeEvent({process, sourcetype: 'fs', source: 'fs.open', data: {file: '/etc/x', op: 'open'}}),
    makeMetric({process}),
  ];
  expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'success', rejected: 0});
  expect(peer.requests[0]!.url).toBe('/base/services/collector/event');
  expect(peer.requests[0]!.headers.authorization).toBe('Splunk secret');
  const head = {host: 'vm', index: 'app_echo'};
  const fields = {proc: 'echo', pid: '4242', team: 'blue'};
  expect(objects(peer.requests[0]!.body)).toEqual([
    {
      ...head,
      time: 1_795_375_578.25,
      source: 'stdout',
      sourcetype: 'scope:console',
      event: 'hello\n',
      fields,
    },
    {
      ...head,
      time: 1_795_375_578.25,
      source: 'fs.open',
      sourcetype: 'scope:fs',
      event: {file: '/etc/x', op: 'open', proc: 'echo', pid: 4242, cmd: '/bin/echo hello'},
      fields,
    },
    {
      time: 1_795_375_578.5,
      host: 'vm',
      source: 'fs.open',
      sourcetype: 'scope:metric',
      index: 'metrics',
      event: 'metric',
      fields: {...fields, host: 'vm', unit: 'operation', summary: 'true', 'metric_name:fs.open': 2},
    },
  ]);
});

test('one bad event costs itself: the ones before were taken, the ones behind are sent again', async () => {
  const {exporter, peer} = await make();
  const batch = [0, 1, 2, 3, 4].map((n) => makeEvent({data: {message: `n=${n};`}}));
  peer.replies.push({status: 400, body: JSON.stringify({code: 6, 'invalid-event-number': 2})});
  expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'success', rejected: 1});
  expect(objects(peer.requests[0]!.body).map((object: {event: string}) => object.event)).toEqual([
    'n=3;',
    'n=4;',
  ]);
});

test('a wrong token is waited for, a wrong index is not', async () => {
  const {exporter, peer} = await make();
  const batch = [makeEvent()];
  peer.replies.push({status: 403, body: '{"text":"Invalid token","code":4}'});
  expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'retryable', reason: /Invalid token/});
  peer.replies.push({status: 400, body: '{"text":"Incorrect index","code":7}'});
  expect(await exporter.send(batch, NEVER)).toMatchObject({rejected: 1, reason: /Incorrect index/});
});

test('what is not acknowledged is asked for again, and sent again after five minutes', async () => {
  let indexed = false;
  let ids = 5;
  let now = 1000;
  let asked = 0;
  let abort = new AbortController();
  const clock = {...systemClock, now: () => now};
  const {exporter, peer} = await make(
    {acknowledge: true},
    ({url, body}) => {
      if (url.endsWith('/event')) return {status: 200, body: JSON.stringify({code: 0, ackId: ids++})};
      const {acks} = JSON.parse(body.toString()) as {acks: number[]};
      // Time is over when it was asked for twice.
      if (++asked % 2 === 0) abort.abort();
      return {status: 200, body: JSON.stringify({acks: Object.fromEntries(acks.map((id) => [id, indexed]))})};
    },
    clock,
  );
  const batch = [makeEvent()];
  const sent = () => peer.requests.filter(({url}) => url.endsWith('/event')).length;
  const attempt = () => {
    abort = new AbortController();
    return exporter.send(batch, abort.signal);
  };
  for (const later of [0, 299_000]) {
    now += later;
    expect(await attempt()).toMatchObject({outcome: 'retryable'});
    expect(sent()).toBe(1);
  }
  // A question that is refused is no answer.
  peer.replies.push({status: 503, headers: {'retry-after': '2'}});
  expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'retryable', afterMs: 2000});
  expect(sent()).toBe(1);
  now += 1000;
  expect(await attempt()).toMatchObject({outcome: 'retryable'});
  indexed = true;
  expect(await exporter.send(batch, NEVER)).toMatchObject({outcome: 'success', rejected: 0});
  expect(sent()).toBe(2);
  const last = peer.requests.at(-1)!;
  expect(last.url).toMatch(/\/ack\?channel=[0-9a-f-]{36}$/);
  expect(last.body.toString()).toBe('{"acks":[6]}');
});

test('says that there are no acknowledgements', async () => {
  const {exporter} = await make({acknowledge: true}, () => ({status: 200, body: '{"code":0}'}));
  expect(await exporter.send([makeEvent()], NEVER)).toMatchObject({
    outcome: 'success',
    rejected: 0,
    reason: /no indexer acknowledgement/,
  });
});

test('large batches are cut at objects', async () => {
  const {exporter, peer} = await make();
  const batch = Array.from({length: 100}, () => makeEvent({data: {message: 'x'.repeat(20_000)}}));
  expect(await exporter.send(batch, NEVER)).toMatchObject({rejected: 0});
  expect(peer.requests.length).toBe(3);
  expect(peer.requests.flatMap(({body}) => objects(body))).toHaveLength(100);
});
