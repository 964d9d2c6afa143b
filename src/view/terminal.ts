// SPDX-License-Identifier: Apache-2.0
/** What the output goes to: its width and whether it takes colours. */
import type {Environment} from '../session/layout.js';
import {createPaint, type Paint} from './color.js';

export interface Terminal {
  isTty: boolean;
  /** Columns; Infinity when the output is no terminal and COLUMNS does not say. */
  width: number;
  paint: Paint;
}

/** `colour`: true or false forces it; undefined: on a terminal, unless NO_COLOR is set or TERM is dumb. */
export function createTerminal(
  stream: {isTTY?: boolean; columns?: number},
  env: Environment,
  colour?: boolean,
): Terminal {
  const isTty = stream.isTTY === true;
  const auto = isTty && !env.NO_COLOR && env.TERM !== 'dumb';
  return {isTty, width: widthOf(stream, env), paint: createPaint(colour ?? auto)};
}

function widthOf(stream: {isTTY?: boolean; columns?: number}, env: Environment): number {
  const set = Number(env.COLUMNS);
  if (stream.isTTY && stream.columns) return stream.columns;
  if (Number.isInteger(set) && set > 0) return set;
  return stream.isTTY ? 80 : Number.POSITIVE_INFINITY;
}
