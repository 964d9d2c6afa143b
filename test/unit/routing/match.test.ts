// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import type {MatchConfig} from '../../../src/config/index.js';
import {compileMatch} from '../../../src/routing/match.js';
import {compilePattern} from '../../../src/routing/pattern.js';
import {event, metric, process, span} from './records.js';

const RECORDS = {
  http: metric('http.req', 1, {attributes: {op: 'a', port: 80}}),
  open: metric('fs.open', 1, {
    process: process({
      proc: 'bash',
      cmd: 'bash -c x',
      username: 'root',
      containerId: '',
      tags: {team: 'web'},
      pid: 7,
    }),
  }),
  out: event('console', 'stdout', {message: 'hello world'}),
  log: event('file', '/var/log/a.log', {message: 'GET /x'}),
  text: event('file', '/var/log/b.log', 'plain'),
  fs: event('fs', 'fs.open', {file: '/etc/passwd', proc: 'x'}),
  span: span({name: 'GET /', attributes: {'http.route': '/'}}),
};
const matched = (match: MatchConfig): string[] => {
  const condition = compileMatch(match);
  return Object.entries(RECORDS)
    .filter(([, record]) => condition?.(record) ?? true)
    .map(([name]) => name);
};

describe('compileMatch', () => {
  it.each<[MatchConfig, string]>([
    [{}, 'http open out log text fs span'],
    [{kind: 'metric'}, 'http open'],
    [{kind: ['metric', 'span']}, 'http open span'],
    [{kind: 'metric', name: 'http.*'}, 'http'],
    [{name: 'fs.open'}, 'open fs'],
    [{name: '/^(fs|http)\\./'}, 'http open fs'],
    [{source: '/var/log/*.log'}, 'log text'],
    [{sourcetype: ['console', 'file'], proc: 'nginx'}, 'out log text'],
    [{proc: 'b?sh'}, 'open'],
    [{cmd: '/-c\\s/'}, 'open'],
    [{user: 'root'}, 'open'],
    [{container: 'abc', kind: 'metric'}, 'http'],
    [{pid: '7'}, 'open'],
    [{exe: '*/nginx', host: ['h0', 'h1'], kind: 'metric'}, 'http open'],
    [{tag: {team: 'w*'}}, 'open'],
    [{tag: {constructor: '*'}}, ''],
    [{attributes: {port: '80'}}, 'http'],
    [{attributes: {message: '*hello*'}}, 'out'],
    [{attributes: {message: 'plain'}}, 'text'],
    [{attributes: {file: '/etc/*'}}, 'fs'],
    [{attributes: {'http.route': '/'}}, 'span'],
    [{kind: 'event', not: {sourcetype: 'file'}}, 'out fs'],
    [{not: {}}, ''],
    [{any: [{kind: 'span'}, {name: 'http.req'}]}, 'http span'],
    [{all: [{kind: 'event'}, {any: [{source: 'stdout'}, {attributes: {file: '*'}}]}]}, 'out fs'],
    [{any: [{}, {kind: 'span'}]}, 'http open out log text fs span'],
  ])('%j takes %s', (match, expected) => {
    expect(matched(match).join(' ')).toBe(expected);
  });
});

describe('compilePattern', () => {
  it.each([
    ['a*c', ['ac', 'abc', 'abcbc'], ['ab', 'xac']],
    ['*a*b*', ['ab', 'xaxbx'], ['ba']],
    ['?', ['x'], ['', 'xx']],
    ['a.b', ['a.b'], ['axb']],
    ['/a.b/', ['axb', 'xa.bx'], ['ab']],
    ['/(?i)abc/', ['xABCx'], ['ab']],
  ])('%s', (pattern, yes, no) => {
    const test = compilePattern(pattern);
    expect(yes.filter((text) => !test(text))).toEqual([]);
    expect(no.filter(test)).toEqual([]);
  });

  it('stays linear on hostile globs and expressions', () => {
    const text = 'a'.repeat(20_000);
    expect(compilePattern('a*a*a*a*a*a*b')(text)).toBe(false);
    expect(compilePattern('/^(a+)+$/')(`${text}b`)).toBe(false);
  });
});
