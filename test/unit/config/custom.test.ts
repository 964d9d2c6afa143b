// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {configFor, loadConfig, type ProcessFacts, withProcessEnvironment} from '../../../src/config/index.js';

const facts = (over: Partial<ProcessFacts> = {}): ProcessFacts => ({
  proc: 'nginx',
  cmd: 'nginx -g daemon off',
  host: 'Dev01',
  username: 'www',
  variable: (name) => ({A: '1', E: ''})[name],
  ancestors: () => ['/usr/bin/bash', '/usr/sbin/sshd'],
  ...over,
});
const config = (text: string) => loadConfig({text, file: 'x', env: {}, cwd: '/'});
const with_ = (filter: string) =>
  configFor(config(`custom: {x: {filter: ${filter}, config: {tags: {hit: y}}}}`), facts()).tags.hit === 'y';

describe('custom filters', () => {
  it.each([
    ['{procname: nginx}', true],
    ['{procname: ngin}', false],
    ['{arg: "-g daemon"}', true],
    ['{hostname: dev01}', true],
    ['{username: root}', false],
    ['{env: A}', true],
    ['{env: A=1}', true],
    ['{env: A=2}', false],
    ['{env: E=}', true],
    ['{env: B}', false],
    ['{ancestor: sshd}', true],
    ['{ancestor: init}', false],
    ['{procname: nginx, username: root}', false],
  ])('%s', (filter, expected) => {
    expect(with_(filter)).toBe(expected);
  });
});

describe('configFor', () => {
  it('lays entries over each other in their order, and leaves the rest', () => {
    const base = config(`
metric: {format: {verbosity: 1, statsdmaxlen: 99}}
tags: {a: base, b: base}
exporters: {f: {type: file, path: /x, timeout: 3s}}
default: {to: [f]}
protocol: [{name: R, regex: r}, {name: S, regex: s}]
custom:
  one: {filter: {procname: nginx}, config: {metric: {format: {verbosity: 5}}, tags: {b: one}, event: {watch: [{type: fs}]}, protocol: [{name: R, regex: q}]}}
  two: {filter: {arg: daemon}, config: {metric: {format: {verbosity: 7}}}}
  three: {filter: {arg: nothing}, config: {metric: {enable: false}}}
`);
    const own = configFor(base, facts());
    expect(own.metric).toMatchObject({enable: true, format: {verbosity: 7, statsdmaxlen: 99}});
    expect(own.tags).toEqual({a: 'base', b: 'one'});
    expect(own.event.watch).toMatchObject([{type: 'fs', name: '.*'}]);
    expect(own.protocol.map(({name, regex}) => name + regex)).toEqual(['Rq', 'Ss']);
    expect(own.exporters).toBe(base.exporters);
    expect(base.metric.format.verbosity).toBe(1);
    expect(configFor(base, facts({proc: 'x', cmd: 'x'}))).toBe(base);
  });
});

describe('withProcessEnvironment', () => {
  const base = config('tags: {a: b}');

  it('is the very configuration when the process says nothing about itself', () => {
    expect(
      withProcessEnvironment(base, {
        SCOPE_DIR: '/x',
        SCOPE_HOME: '/y',
        SCOPE_METRIC_DEST: 'udp://h:1',
        PATH: '/',
      }),
    ).toBe(base);
  });

  it('takes what is right and leaves the rest', () => {
    const own = withProcessEnvironment(base, {
      SCOPE_METRIC_VERBOSITY: '9',
      SCOPE_EVENT_MAXEPS: 'many',
      SCOPE_TAG_team: 'web',
      SCOPE_EVENT_FS: 'false',
      SCOPE_EVENT_DEST: 'tcp://evil:1',
    });
    expect(own.metric.format.verbosity).toBe(9);
    expect(own.event.format.maxeventpersec).toBe(10_000);
    expect(own.tags).toEqual({a: 'b', team: 'web'});
    expect(own.event.watch.map(({type}) => type)).not.toContain('fs');
    expect(own.event.transport).toBeUndefined();
    expect(base.tags).toEqual({a: 'b'});
  });
});
