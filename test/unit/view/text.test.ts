// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {createPaint} from '../../../src/view/color.js';
import {fields, table} from '../../../src/view/table.js';
import {createTerminal} from '../../../src/view/terminal.js';
import {
  cut,
  displayWidth,
  duration,
  numberText,
  oneLine,
  pad,
  shellQuote,
  size,
} from '../../../src/view/text.js';

const plain = createPaint(false);

describe('text', () => {
  it.each([
    [0, '0ms'],
    [250, '250ms'],
    [4_000, '4s'],
    [63_000, '1m3s'],
    [7_500_000, '2h5m'],
    [273_600_000, '3d4h'],
    [1_036_800_000, '12d'],
    [-5, '0ms'],
  ])('%i ms is %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1500, '1.5 kB'],
    [999_950, '1.0 MB'],
    [2_000_000_000, '2.0 GB'],
  ])('%i bytes are %s', (n, text) => {
    expect(size(n)).toBe(text);
  });

  it('measures and cuts wide and combining characters', () => {
    expect(displayWidth('日本')).toBe(4);
    expect(displayWidth('e\u0301')).toBe(1);
    expect(displayWidth('\u001b[31mred\u001b[0m')).toBe(3);
    expect(cut('日本語', 5)).toBe('日本…');
    expect(cut('abc', 3)).toBe('abc');
    expect(cut('abc', 0)).toBe('');
    expect(pad('日', 4)).toBe('日  ');
  });

  it('makes any text harmless for a terminal', () => {
    expect(oneLine('a\r\nb\u001b[2J\u001b]0;title\u0007c\u0000d')).toBe('a  bc d');
  });

  it('writes numbers and shell words', () => {
    expect([1e9, 1.5, 0.123456789].map(numberText)).toEqual(['1000000000', '1.5', '0.123457']);
    expect([`a b`, `it's`, 'plain', ''].map(shellQuote)).toEqual(["'a b'", "'it'\\''s'", 'plain', "''"]);
  });
});

describe('table', () => {
  const columns = [
    {title: 'Id', right: true},
    {title: 'Name', shrink: true, min: 4},
    {title: 'Other', shrink: true, min: 4},
  ];

  it('aligns, and cuts only what may be cut', () => {
    const rows = [
      ['1', 'x'.repeat(50), 'y'.repeat(30)],
      ['22', 'short', 'z'],
    ];
    const lines = table(columns, rows, 40, plain);
    expect(lines[0]).toMatch(/^ID {2}NAME +OTHER$/);
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(40);
    expect(lines[1]).toMatch(/^ 1 {2}x+… {2}y+…$/);
    expect(table(columns, rows, Number.POSITIVE_INFINITY, plain)[1]).toContain('x'.repeat(50));
  });

  it('stays whole when the terminal is absurdly narrow', () => {
    expect(table(columns, [['1', 'name', 'other']], 3, plain)).toHaveLength(2);
  });

  it('writes fields with their continuation lines', () => {
    expect(
      fields(
        [
          ['A', '1'],
          ['Long', 'x\ny'],
        ],
        plain,
      ),
    ).toEqual(['A:    1', 'Long: x\n      y']);
  });
});

describe('terminal', () => {
  it('colours on a terminal unless NO_COLOR or dumb, and when forced', () => {
    const coloured = (tty: boolean, env: Record<string, string>, force?: boolean) =>
      createTerminal({isTTY: tty, columns: 80}, env, force).paint('red', 'x') !== 'x';
    expect(coloured(true, {})).toBe(true);
    expect(coloured(false, {})).toBe(false);
    expect(coloured(true, {NO_COLOR: '1'})).toBe(false);
    expect(coloured(true, {TERM: 'dumb'})).toBe(false);
    expect(coloured(false, {NO_COLOR: '1'}, true)).toBe(true);
  });

  it('takes the width of the terminal, else COLUMNS, else none', () => {
    expect(createTerminal({isTTY: true, columns: 123}, {COLUMNS: '50'}).width).toBe(123);
    expect(createTerminal({}, {COLUMNS: '50'}).width).toBe(50);
    expect(createTerminal({}, {}).width).toBe(Number.POSITIVE_INFINITY);
    expect(createTerminal({isTTY: true}, {}).width).toBe(80);
  });
});
