// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {loadConfig} from '../../../src/config/index.js';
import type {Metric, RelayRecord} from '../../../src/records/types.js';
import {createRouter} from '../../../src/routing/index.js';
import {event, metric, process} from './records.js';

const EXPORTERS = 'exporters: {a: {type: file, path: /a}, b: {type: file, path: /b}}\n';
function router(text: string, now: () => number = () => 0) {
  return createRouter(loadConfig({text: EXPORTERS + text, file: 'x', env: {}, cwd: '/'}), now);
}
const names = (list: RelayRecord[] | undefined) =>
  (list ?? []).map((record) => (record.kind === 'metric' ? record.name : record.kind));
const fields = (list: RelayRecord[] | undefined) =>
  (list ?? []).map((record) => (record as Metric).attributes);

describe('routes', () => {
  it('each take what they match, until a final one; the default takes the rest', () => {
    const it = router(
      'routes: [{match: {name: "x*"}, to: [a]}, {match: {name: xy}, to: [a, b], final: true}, {match: {name: "xy*"}, to: [b]}]\ndefault: {to: [b]}',
    );
    const out = it.route([metric('x'), metric('xy'), metric('xyz'), metric('other')]);
    expect(names(out.get('a'))).toEqual(['x', 'xy', 'xy', 'xyz']);
    expect(names(out.get('b'))).toEqual(['xy', 'xyz', 'other']);
    expect(it.status()).toMatchObject({
      records: 4,
      unrouted: 0,
      routes: [{matched: 3}, {matched: 1}, {matched: 1}, {name: 'default', matched: 1}],
    });
  });

  it('count what nothing took', () => {
    const it = router('routes: [{match: {kind: event}, to: [a]}]');
    expect(it.route([metric('x')]).size).toBe(0);
    expect(it.status().unrouted).toBe(1);
  });

  it('drop by a final route without a destination', () => {
    const it = router('routes: [{match: {name: x}, to: [], final: true}]\ndefault: {to: [a]}');
    expect(names(it.route([metric('x'), metric('y')]).get('a'))).toEqual(['y']);
  });

  it('mask secrets unless told not to', () => {
    const record = event('console', 'stdout', {message: 'token=abcdef'});
    expect(router('default: {to: [a]}').route([record]).get('a')).toMatchObject([
      {data: {message: 'token=***'}},
    ]);
    expect(router('default: {to: [a]}\nrelay: {redact: false}').route([record]).get('a')![0]).toBe(record);
  });
});

describe('transforms', () => {
  const record = () => metric('m', 1, {attributes: {a: 1, b: 'x', c_1: true}});
  it.each([
    ['{drop: [a, "c*"]}', {b: 'x'}],
    ['{keep: [b, none]}', {b: 'x'}],
    ['{rename: {a: z}}', {z: 1, b: 'x', c_1: true}],
    ['{rename: {a: b}}', {b: 1, c_1: true}],
    ['{add: {b: y, d: 5}}', {a: 1, b: 'y', c_1: true, d: 5}],
    ['{drop: [a]}, {rename: {b: a}}, {keep: [a]}', {a: 'x'}],
  ])('%s', (list, expected) => {
    const given = record();
    const out = router(`routes: [{to: [a], transform: [${list}]}, {to: [b]}]`).route([given]);
    expect(fields(out.get('a'))).toEqual([expected]);
    expect(out.get('b')![0]).toBe(given);
    expect(given.attributes).toEqual({a: 1, b: 'x', c_1: true});
  });

  it('sample keeps its share evenly and counts the rest', () => {
    const it = router('default: {to: [a], transform: [{sample: 0.25}]}');
    expect(it.route(Array.from({length: 100}, (_, i) => metric(`m${i}`))).get('a')).toHaveLength(25);
    expect(it.status().routes[0]).toMatchObject({matched: 100, sampled: 75});
    expect(
      router('default: {to: [a], transform: [{sample: 1}]}')
        .route([metric('x'), metric('y')])
        .get('a'),
    ).toHaveLength(2);
    expect(
      router('default: {to: [a], transform: [{sample: 0}]}')
        .route([metric('x'), metric('y')])
        .get('a'),
    ).toBeUndefined();
  });

  it('limit lets so many per second through, for each process when asked', () => {
    let now = 0;
    const it = router('default: {to: [a], transform: [{limit: {per_second: 2, by: pid}}]}', () => now);
    const [one, two] = [process(), process()];
    const send = () =>
      (it.route([one, one, one, two].map((own) => metric('x', 1, {process: own}))).get('a') ?? []).length;
    expect(send()).toBe(3);
    expect(send()).toBe(1);
    now = 1000;
    expect(send()).toBe(3);
    expect(it.status().routes[0]!.limited).toBe(5);
  });

  it('aggregate joins a series over the interval', () => {
    const it = router('default: {to: [a], transform: [{aggregate: {interval: 10s}}, {drop: [fd]}]}');
    const own = process();
    const make = (name: string, value: number, type: Metric['type'], time: number) =>
      metric(name, value, {type, time, process: own, attributes: {fd: 3}});
    it.due(0);
    const out = it.route([
      make('c', 1, 'counter', 1),
      make('c', 2, 'counter', 2),
      make('g', 5, 'gauge', 1),
      make('g', 4, 'gauge', 2),
      make('t', 2, 'timer', 1),
      make('t', 4, 'timer', 2),
      event('fs', 'fs.open', {}),
    ]);
    expect(names(out.get('a'))).toEqual(['event']);
    expect(it.status().routes[0]!.held).toBe(3);
    expect(it.due(9999).size).toBe(0);
    expect(it.due(10_000).get('a')).toMatchObject([
      {name: 'c', value: 3, time: 2, startTime: 1, summary: true, attributes: {}},
      {name: 'g', value: 4},
      {name: 't', value: 3},
    ]);
    it.route([make('c', 7, 'counter', 3)]);
    expect(it.due(10_001, true).get('a')).toMatchObject([{value: 7}]);
  });

  it('aggregate merges buckets of the same bounds', () => {
    const it = router('default: {to: [a], transform: [{aggregate: {interval: 10s}}]}');
    const own = process();
    const bucket = (counts: number[]) => ({
      bounds: [1, 2],
      counts,
      sum: 1,
      count: 2,
      min: counts[0]!,
      max: 9,
    });
    it.route(
      [
        [1, 0, 1],
        [0, 2, 0],
      ].map((counts) => metric('h', 1, {type: 'histogram', process: own, buckets: bucket(counts)})),
    );
    expect(it.due(0, true).get('a')).toMatchObject([
      {buckets: {counts: [1, 2, 1], sum: 2, count: 4, min: 0, max: 9}},
    ]);
  });

  it('aggregate adds parts up by their attributes', () => {
    const it = router('default: {to: [a], transform: [{aggregate: {interval: 10s}}]}');
    const own = process();
    const part = (mode: string, value: number) => ({attributes: {mode}, value});
    it.route([
      metric('c', 3, {process: own, parts: [part('user', 1), part('system', 2)]}),
      metric('c', 9, {process: own, parts: [part('user', 4), part('idle', 5)]}),
    ]);
    expect(it.due(0, true).get('a')).toMatchObject([
      {value: 12, parts: [part('user', 5), part('system', 2), part('idle', 5)]},
    ]);
  });
});
