// SPDX-License-Identifier: Apache-2.0
/** Colours, or none. */

const CODES = {
  bold: 1,
  dim: 2,
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  cyan: 36,
  grey: 90,
  brightRed: 91,
  brightGreen: 92,
  brightBlue: 94,
  brightMagenta: 95,
  brightCyan: 96,
  brightWhite: 97,
} as const;
export type Colour = keyof typeof CODES;
/** Paints a text; the identity when there are no colours. */
export type Paint = (colour: Colour, text: string) => string;

export function createPaint(enabled: boolean): Paint {
  if (!enabled) return (_, text) => text;
  return (colour, text) => (text === '' ? '' : `\u001b[${CODES[colour]}m${text}\u001b[0m`);
}

/** Colour of a sourcetype in event lists. */
export function sourcetypeColour(sourcetype: string): Colour {
  switch (sourcetype) {
    case 'console':
      return 'brightGreen';
    case 'http':
      return 'brightBlue';
    case 'fs':
      return 'brightCyan';
    case 'net':
      return 'brightRed';
    default:
      return 'yellow';
  }
}
