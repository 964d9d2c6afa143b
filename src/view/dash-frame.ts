// SPDX-License-Identifier: Apache-2.0
/** Draws the dashboard as lines of exactly the terminal's size. */
import type {Paint} from './color.js';
import {type DashModel, PERIOD} from './dash-model.js';
import {type EventObject, eventLine} from './event-line.js';
import {cut, displayWidth, numberText, pad, size, stripAnsi} from './text.js';

export interface FrameOptions {
  width: number;
  height: number;
  paint: Paint;
  /** Text in the top line. */
  title: string;
  /** Text in the last line. */
  footer: string;
}

/** Rows inside the boxes of the two upper rows. */
const ROWS = 5;

export function frame(model: DashModel, options: FrameOptions): string[] {
  const {width, height, paint} = options;
  if (width < 40 || height < 10) return fill([cut('The terminal is too small.', width)], width, height);
  const inner = (n: number) => n - 4;
  const left = Math.floor(width * 0.4);
  const third = Math.floor(width / 3);
  const lines = [paint('bold', pad(cut(options.title, width), width))];
  lines.push(
    ...beside([
      box('Process', processRows(model), left, ROWS, paint),
      box('Network', networkRows(model, inner(width - left), paint), width - left, ROWS, paint),
    ]),
  );
  if (height >= 24) {
    lines.push(
      ...beside([
        box('HTTP', httpRows(model), third, ROWS, paint),
        box('DNS', dnsRows(model), third, ROWS, paint),
        box('Files', fileRows(model), width - 2 * third, ROWS, paint),
      ]),
    );
  }
  const room = height - lines.length - 3;
  const title = `Events: ${model.totalEvents}`;
  lines.push(...box(title, eventRows(model, room, inner(width), paint), width, room, paint));
  lines.push(paint('dim', pad(cut(options.footer, width), width)));
  return fill(lines, width, height);
}

function fill(lines: string[], width: number, height: number): string[] {
  while (lines.length < height) lines.push(' '.repeat(width));
  return lines.slice(0, height);
}

/** A box with a title; `rows` are cut and filled up to `height`. */
function box(title: string, rows: readonly string[], width: number, height: number, paint: Paint): string[] {
  const head = ` ${cut(title, width - 6)} `;
  const top = `┌─${paint('bold', head)}${'─'.repeat(Math.max(0, width - 3 - displayWidth(head)))}┐`;
  const body = Array.from({length: height}, (_, i) => `│ ${fitted(rows[i] ?? '', width - 4)} │`);
  return [top, ...body, `└${'─'.repeat(width - 2)}┘`];
}

/** Painted text that is too wide loses its colours: escapes cannot be cut in the middle. */
function fitted(text: string, width: number): string {
  return displayWidth(text) <= width ? pad(text, width) : pad(cut(stripAnsi(text), width), width);
}

function beside(boxes: string[][]): string[] {
  return boxes[0]!.map((_, i) => boxes.map((b) => b[i]!).join(''));
}

/** An average needs no more than three digits. */
const short = (value: number) => numberText(Number(value.toPrecision(3)));

const row = (label: string, value: string) => `${label.padEnd(10)} ${value}`;

function processRows(m: DashModel): string[] {
  return [
    row('CPU', `${(m.rate('proc.cpu') / 1e4).toFixed(2)} %`),
    row('Memory', size(m.level('proc.mem') * 1024)),
    row('Files', numberText(m.level('proc.fd'))),
    row('Threads', numberText(m.level('proc.thread'))),
    row('Children', numberText(m.level('proc.child'))),
  ];
}

function networkRows(m: DashModel, width: number, paint: Paint): string[] {
  const line = (label: string, name: string) => {
    const text = `${label.padEnd(5)} ${`${size(m.rate(name))}/s`.padEnd(11)}`;
    return `${text} ${paint('cyan', sparkline(m.history(name, Math.max(0, width - text.length - 1))))}`;
  };
  return [
    line('Rcvd', 'net.rx'),
    line('Sent', 'net.tx'),
    `TCP ${numberText(m.level('net.tcp'))}   UDP ${numberText(m.level('net.udp'))}   ports ${numberText(m.level('net.port'))}`,
    `opened ${numberText(m.sum('net.open'))}   closed ${numberText(m.sum('net.close'))}   errors ${numberText(m.sum('net.error'))}`,
    `duration ${short(m.average('net.duration'))} ms`,
  ];
}

function httpRows(m: DashModel): string[] {
  return [
    row('Requests', `${short(m.rate('http.req'))}/s`),
    row('Server', `${short(m.average('http.duration.server'))} ms`),
    row('Client', `${short(m.average('http.duration.client'))} ms`),
    row('Req size', size(m.per('http.req.content_length', 'http.req'))),
    row('Resp size', size(m.per('http.resp.content_length', 'http.req'))),
  ];
}

function dnsRows(m: DashModel): string[] {
  return [
    row('Requests', numberText(m.sum('dns.req'))),
    row('Duration', `${short(m.average('dns.duration'))} ms`),
  ];
}

function fileRows(m: DashModel): string[] {
  return [
    row('Read', `${size(m.rate('fs.read'))}/s`),
    row('Written', `${size(m.rate('fs.write'))}/s`),
    row('Opened', `${numberText(m.sum('fs.open'))}  closed ${numberText(m.sum('fs.close'))}`),
    row('Errors', numberText(m.sum('fs.error'))),
    row('Duration', `${short(m.average('fs.duration'))} µs`),
  ];
}

function eventRows(m: DashModel, count: number, width: number, paint: Paint): string[] {
  return m.events(count).map(({id, line}) => {
    try {
      return eventLine(id, JSON.parse(line) as EventObject, {paint, width});
    } catch {
      return `[${id}]`;
    }
  });
}

const BARS = '▁▂▃▄▅▆▇█';

export function sparkline(values: readonly number[]): string {
  const top = Math.max(...values, 0);
  return values
    .map((v) =>
      v <= 0 || top === 0 ? ' ' : BARS[Math.min(BARS.length - 1, Math.floor((v / top) * BARS.length))]!,
    )
    .join('');
}

/** Zeros of a program that works need a reason. */
export function footer(model: DashModel): string {
  return model.hasNumbers ? `numbers of the last ${PERIOD} s · q quits` : 'no numbers yet · q quits';
}
