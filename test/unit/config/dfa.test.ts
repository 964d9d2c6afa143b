// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {compileDfa, DFA_SIZE, runDfa} from '../../../src/config/dfa.js';
import {WATCH_DEFAULTS} from '../../../src/config/watch.js';

const NAMES = [
  '',
  'a',
  'log',
  '/var/log/syslog',
  '/var/logs/x',
  '/tmp/app.log',
  '/tmp/app.log.1',
  '/tmp/app.log5',
  '/tmp/app.logx',
  '/logs',
  '/etc/passwd',
  'x.LOG',
  '/tmp/é.log',
  '日本',
  'a\nb',
  'aaa',
  'abab',
  'foo123',
  '[x]',
  'a.b',
  'stdout',
  'A-Z_9',
];
const EXACT = [
  WATCH_DEFAULTS.file.name,
  '\\.log$',
  '^/var',
  '^$',
  '^a',
  'a$',
  '^a{3}$',
  '^(ab)+$',
  '[0-9]{2,}',
  '(?i)log$',
  '[^a-z/]$',
  '^.$',
  '^..$',
  '\\d+',
  '\\[x\\]',
  '^(?:stdout|stderr)$',
  'a.b',
  '(?i:A)b',
  '[[:digit:]]',
  '\\x61',
  '^[A-Z]-',
  'log?s*/',
  '(^|/)log(/|$)',
  'a??b',
];
const states = (dfa: Uint8Array) => new DataView(dfa.buffer).getUint16(0, true);

describe('compileDfa', () => {
  it.each(EXACT)('%s accepts the same names as the expression', (pattern) => {
    const dfa = compileDfa([pattern]);
    expect(dfa.length).toBe(DFA_SIZE);
    expect(states(dfa)).toBeLessThanOrEqual(1024);
    const flags = pattern.startsWith('(?i') ? 'iu' : 'u';
    const source = pattern.replace('(?i)', '').replace('(?i:A)', 'A').replace('[[:digit:]]', '[0-9]');
    if (pattern === '(?i:A)b')
      return expect(['xab', 'xAb', 'aB'].map((name) => runDfa(dfa, name))).toEqual([true, true, false]);
    const regex = new RegExp(source, flags);
    for (const name of NAMES) expect([name, runDfa(dfa, name)]).toEqual([name, regex.test(name)]);
  });

  it('joins several expressions', () => {
    const dfa = compileDfa(['^/a', '\\.log$']);
    expect(['/a', 'x.log', 'x'].map((name) => runDfa(dfa, name))).toEqual([true, true, false]);
  });

  it('accepts nothing without an expression and everything for .*', () => {
    expect(states(compileDfa([]))).toBe(0);
    expect(states(compileDfa(['.*']))).toBe(0xffff);
  });

  it.each(['\\bword\\b', '\\pL', '(?m)^a', '(?=a)b', '[', '(a', 'x{1000}', '[ab]*a[ab]{14}$'])(
    '%s, beyond the automaton, accepts everything',
    (pattern) => {
      expect(states(compileDfa([pattern]))).toBe(0xffff);
    },
  );

  it('keeps the default expression small', () => {
    expect(states(compileDfa([WATCH_DEFAULTS.file.name]))).toBeLessThan(16);
  });
});
