// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {loadConfig} from '../../../src/config/index.js';
import {compileMatcher, compileSettings, settingsSource} from '../../../src/relay/compile.js';
import type {Facts} from '../../../src/relay/settings.js';

const configOf = (text: string) => loadConfig({text, file: 'test', env: {}, cwd: '/'});

function facts(change: Partial<Facts>): Facts {
  const env = change.env ?? {};
  return {
    proc: 'x',
    cmd: 'x y',
    host: 'vm',
    username: 'root',
    env,
    variable: (name) => env[name],
    ancestors: () => [],
    ...change,
  };
}

describe('expressions', () => {
  it('that accept everything cost nothing', () => {
    expect(compileMatcher('.*')).toBeUndefined();
    expect(compileMatcher('')).toBeUndefined();
  });

  it('are searched for', () => {
    const matches = compileMatcher('b+$')!;
    expect(matches('aabb')).toBe(true);
    expect(matches('bba')).toBe(false);
  });

  it('take linear time whatever the text', () => {
    const matches = compileMatcher('^(a+)+$')!;
    expect(matches(`${'a'.repeat(5000)}!`)).toBe(false);
  });
});

describe('settings', () => {
  it('hold the configuration in the form of AppScope 1.x', () => {
    const {configuration} = compileSettings(
      configOf('{tags: {a: b}, metric: {transport: {type: udp, host: h, port: 8125}}}'),
    );
    expect(configuration.current).toMatchObject({
      metric: {
        enable: 'true',
        transport: {type: 'udp', host: 'h', port: '8125', tls: {enable: 'false', validateserver: 'true'}},
        format: {verbosity: 4},
      },
      event: {format: {enhancefs: 'true'}},
      tags: {a: 'b'},
      cribl: {authtoken: ''},
    });
    expect(Object.keys(configuration.current as object)).toEqual([
      'metric',
      'libscope',
      'event',
      'payload',
      'tags',
      'protocol',
      'cribl',
    ]);
  });

  it('are one object for processes with the same configuration', () => {
    const source = settingsSource(configOf('custom: {m: {filter: {procname: x}, config: {tags: {a: b}}}}'));
    expect(source.of(facts({proc: 'y'}))).toBe(source.base);
    const own = source.of(facts({}));
    expect(own.tags).toEqual({a: 'b'});
    expect(source.of(facts({}))).toBe(own);
  });

  it('follow the environment of the process', () => {
    const source = settingsSource(configOf(''));
    expect(source.of(facts({env: {SCOPE_METRIC_VERBOSITY: '7'}})).metrics.verbosity).toBe(7);
    expect(source.of(facts({env: {SCOPE_METRIC_VERBOSITY: 'seven'}})).metrics.verbosity).toBe(4);
  });
});
