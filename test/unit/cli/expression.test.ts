// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {compileExpression, compilePredicate, expressionHints} from '../../../src/cli/expression.js';

const NAMES = ['proc', 'pid', 'source', 'data'];
const event = {
  proc: 'curl',
  pid: 7,
  source: 'http.resp',
  data: {http_status_code: 404, file: '/etc/passwd', list: ['a', 'b']},
};
const value = (text: string) => compileExpression(text, NAMES)(event);

describe('--eval expressions', () => {
  it.each([
    ['pid == 7', true],
    ['pid === "7"', false],
    ['data.http_status_code >= 400 && proc != "nginx"', true],
    ['data["http_status_code"] % 2 == 0', true],
    ['!data.missing', true],
    ['data.missing.deeper == undefined', true],
    ['source.startsWith("http") ? proc.toUpperCase() : 1', 'CURL'],
    ['data.file.indexOf("pass") > 0 || false', true],
    ['data.list.includes("b")', true],
    ['[1, 2].includes(2)', true],
    ['source.length + 1', 10],
    ['-pid + +"8"', 1],
    ['data.file.slice(1, 4)', 'etc'],
    ['parseInt("12px")', 12],
    ['proc ?? "none"', 'curl'],
    ['(1 + 2) * 3 - 4 / 2', 7],
  ])('%s', (text, expected) => {
    expect(value(text)).toEqual(expected);
  });

  it.each([
    'process.exit()',
    'data.constructor("return process")()',
    'proc.constructor.constructor("return 1")()',
    'this',
    'require("fs")',
    'pid = 1',
    'a; b',
    '`x`',
    '(() => 1)()',
    'new Date()',
    'data[',
    '',
  ])('refuses or finds nothing in: %s', (text) => {
    expect(() => {
      const got = value(text);
      if (got !== undefined) return;
      throw new Error('nothing');
    }).toThrow();
  });

  it('reaches nothing inherited', () => {
    for (const text of [
      'data.constructor',
      'data.__proto__',
      'proc.constructor',
      'data["toString"]',
      'proc.at',
    ]) {
      expect(value(text)).toBeUndefined();
    }
  });

  it('demands a boolean as a predicate', () => {
    expect(compilePredicate('pid > 1', NAMES)(event)).toBe(true);
    expect(() => compilePredicate('pid', NAMES)(event)).toThrow(/not boolean: 7/);
  });
});

describe('hints of an expression', () => {
  it.each([
    ['source == "fs.open" && data.file == "/etc/passwd"', {sources: ['fs.open'], match: '/etc/passwd'}],
    ['"fs" === sourcetype && (pid == 4711 && proc != "x")', {sourcetypes: ['fs'], match: '4711'}],
    ['data.net_host_port == 30500 && data.n == 7', {match: '30500'}],
    ['source == "a" || source == "b"', {}],
    ['!(source == "fs")', {}],
    ['data.x == "05"', {}],
    ['data.x == "tab\\there"', {}],
    ['data.x == -5 && data.y == 1.5 && data.z == true', {}],
    ['pid > 3', {}],
    ['data.file.length == 4711', {}],
    ['data["length"] == 4711', {}],
    ['data["size"] == 4711', {match: '4711'}],
  ])('%s', (text, hints) => {
    expect(expressionHints(text)).toEqual(hints);
  });
});
