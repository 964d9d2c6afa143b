// SPDX-License-Identifier: Apache-2.0
/** StatsD and DogStatsD lines that an application sends: text → metrics. No I/O. */

export interface StatsdSample {
  name: string;
  value: number;
  type: 'counter' | 'gauge' | 'timer' | 'histogram' | 'set';
  /** `+5|g`, `-5|g`: a change of the gauge. */
  relative: boolean;
  /** Share of the events that was sent; 1 when not sampled. */
  rate: number;
  /** Tags in the order sent; a tag without a value has an empty one. */
  tags: [name: string, value: string][];
}

const TYPES = {
  c: 'counter',
  g: 'gauge',
  ms: 'timer',
  h: 'histogram',
  d: 'histogram',
  s: 'set',
} as const;
const LINE = /^([^:|\n\0]+):([^|]+)\|(ms|[cghds])((?:\|[^|]*)*)$/;
const NUMBER = /^[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,3})?$/;

/** Every metric of a datagram or of a piece of a stream; lines that are none are left out. */
export function parseStatsd(text: string): StatsdSample[] {
  const samples: StatsdSample[] = [];
  for (const line of text.split('\n')) {
    const match = LINE.exec(line.trim());
    if (match) addSamples(samples, match);
  }
  return samples;
}

/** DogStatsD packs several values of one metric in a line: `name:1:2:3|h`. */
function addSamples(samples: StatsdSample[], match: RegExpExecArray): void {
  const type = TYPES[match[3] as keyof typeof TYPES];
  const rest = extras(match[4]!);
  for (const raw of match[2]!.split(':')) {
    const value = type === 'set' && !NUMBER.test(raw) ? 1 : parseNumber(raw);
    if (value === undefined) return;
    const relative = type === 'gauge' && (raw[0] === '+' || raw[0] === '-');
    samples.push({name: match[1]!, value, type, relative, rate: rest.rate, tags: rest.tags});
  }
}

function parseNumber(text: string): number | undefined {
  if (!NUMBER.test(text)) return undefined;
  const value = Number(text.replace(',', '.'));
  return Number.isFinite(value) ? value : undefined;
}

function extras(text: string): {rate: number; tags: [string, string][]} {
  let rate = 1;
  let tags: [string, string][] = [];
  for (const part of text.split('|')) {
    if (part[0] === '@') {
      const value = Number(part.slice(1));
      if (value > 0 && value <= 1) rate = value;
    } else if (part[0] === '#') {
      tags = part
        .slice(1)
        .split(',')
        .filter((tag) => tag !== '')
        .map(splitTag);
    }
  }
  return {rate, tags};
}

function splitTag(tag: string): [string, string] {
  const colon = tag.indexOf(':');
  return colon < 0 ? [tag, ''] : [tag.slice(0, colon), tag.slice(colon + 1)];
}
