// SPDX-License-Identifier: Apache-2.0
/** A line chart of one metric. */
import asciichart from 'asciichart';
import {numberText} from './text.js';

const HEIGHT = 20;

/** Lines of the chart; the values are sampled down to what fits `width`. */
export function graph(title: string, values: readonly number[], width: number): string[] {
  const columns = Number.isFinite(width) ? width : 160;
  const labels = Math.max(...values.map((v) => numberText(Math.round(v)).length)) + 6;
  const room = Math.max(10, columns - labels - 2);
  const shown = sample(values, room);
  // A single point is drawn as a level line.
  const points = shown.length === 1 ? [shown[0]!, shown[0]!] : shown;
  const flat = Math.min(...points) === Math.max(...points);
  const chart = asciichart.plot(points, {
    height: flat ? 1 : HEIGHT,
    format: (x: number) => label(x).padStart(labels),
  });
  return [title, ...chart.split('\n').map((l: string) => l.trimEnd())];
}

function label(x: number): string {
  return Math.abs(x) >= 100 || Number.isInteger(x) ? String(Math.round(x)) : x.toFixed(2);
}

function sample(values: readonly number[], room: number): number[] {
  if (values.length <= room) return [...values];
  return Array.from({length: room}, (_, i) => values[Math.floor((i * values.length) / room)]!);
}
