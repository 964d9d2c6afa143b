// SPDX-License-Identifier: Apache-2.0
/** What the index keeps of an event line, taken from its text. */

export interface LineFacts {
  sourcetype: string;
  source: string;
  pid: number;
}

/** Undefined for lines that are no events: start messages, metrics, broken text. */
export function lineFacts(line: Buffer): LineFacts | undefined {
  if (line.length < 2 || line.indexOf('"type":"evt"') < 0) return undefined;
  try {
    const {body} = JSON.parse(line.toString('utf8')) as {body?: Partial<LineFacts>};
    if (!body) return undefined;
    return {sourcetype: String(body.sourcetype), source: String(body.source), pid: Number(body.pid) || 0};
  } catch {
    return undefined;
  }
}
