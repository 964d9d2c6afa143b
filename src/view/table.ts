// SPDX-License-Identifier: Apache-2.0
/** Tables without borders that fit the terminal. */
import type {Colour, Paint} from './color.js';
import {cut, displayWidth, oneLine, pad} from './text.js';

export interface Column {
  title: string;
  /** Numbers stand right. */
  right?: boolean;
  /** May be cut below its natural width, down to `min`, when the table is too wide. Later columns are cut first. */
  shrink?: boolean;
  min?: number;
  colour?: Colour;
}

const GAP = 2;

/** Lines of the table. `width` Infinity: nothing is cut. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
  paint: Paint,
): string[] {
  const cells = rows.map((row) => columns.map((_, i) => oneLine(row[i] ?? '')));
  const widths = columnWidths(columns, cells, width);
  const line = (texts: readonly string[], head: boolean): string => {
    const parts = texts.map((text, i) => {
      const shown = cut(text, widths[i]!);
      const column = columns[i]!;
      const filled = column.right
        ? shown.padStart(widths[i]! + shown.length - displayWidth(shown))
        : pad(shown, widths[i]!);
      if (head) return paint('bold', filled);
      return column.colour ? paint(column.colour, filled) : filled;
    });
    return parts.join(' '.repeat(GAP)).trimEnd();
  };
  return [
    line(
      columns.map((c) => c.title.toUpperCase()),
      true,
    ),
    ...cells.map((row) => line(row, false)),
  ];
}

function columnWidths(columns: readonly Column[], cells: readonly string[][], width: number): number[] {
  const natural = columns.map((c, i) =>
    cells.reduce((w, row) => Math.max(w, displayWidth(row[i]!)), c.title.length),
  );
  const widths = [...natural];
  let over = widths.reduce((a, b) => a + b, 0) + GAP * (columns.length - 1) - width;
  while (over > 0) {
    let widest = -1;
    columns.forEach((c, i) => {
      const room = widths[i]! - Math.max(c.min ?? 8, c.title.length);
      if (c.shrink && room > 0 && (widest < 0 || widths[i]! >= widths[widest]!)) widest = i;
    });
    if (widest < 0) break;
    const floor = Math.max(columns[widest]!.min ?? 8, columns[widest]!.title.length);
    const less = Math.min(over, widths[widest]! - floor, Math.max(1, Math.ceil(over / 4)));
    widths[widest]! -= less;
    over -= less;
  }
  return widths;
}

/** `Key:  value` lines, keys in one column. */
export function fields(pairs: readonly (readonly [string, string])[], paint: Paint, indent = ''): string[] {
  const width = pairs.reduce((w, [key]) => Math.max(w, displayWidth(key)), 0) + 1;
  return pairs.map(([key, value]) => {
    const [first, ...rest] = value.split('\n');
    const head = `${indent}${paint('green', pad(`${key}:`, width))} ${first}`.trimEnd();
    return [head, ...rest.map((r) => `${indent}${' '.repeat(width + 1)}${r}`)].join('\n');
  });
}
