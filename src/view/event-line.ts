// SPDX-License-Identifier: Apache-2.0
/** One event as a line of text, or in detail. */
import {type Paint, sourcetypeColour} from './color.js';
import {fields} from './table.js';
import {cut, displayWidth, numberText, oneLine, shortTime} from './text.js';

/** An event line of events.json, parsed. */
export interface EventObject {
  id: string;
  _channel: string;
  body: {
    sourcetype: string;
    _time: number;
    source: string;
    host: string;
    proc: string;
    cmd: string;
    pid: number;
    data: Record<string, unknown> | string;
    [tag: string]: unknown;
  };
}

/** Data fields shown by default; sources that are not here show all, sorted. */
const NET_OPEN = [
  'net_peer_ip',
  'net_peer_port',
  'net_host_ip',
  'net_host_port',
  'net_protocol',
  'net_transport',
];
const DEFAULT_FIELDS: Record<string, readonly string[]> = {
  'http.req': ['http_host', 'http_method', 'http_request_content_length', 'http_scheme', 'http_target'],
  'http.resp': [
    'http_host',
    'http_method',
    'http_scheme',
    'http_target',
    'http_response_content_length',
    'http_status_code',
  ],
  'fs.open': ['file'],
  'fs.close': ['file', 'file_read_bytes', 'file_read_ops', 'file_write_bytes', 'file_write_ops'],
  'net.open': NET_OPEN,
  'net.close': [
    'net_peer_ip',
    'net_peer_port',
    'net_bytes_recv',
    'net_bytes_sent',
    'net_close_reason',
    'net_protocol',
  ],
};

export interface LineOptions {
  paint: Paint;
  /** Columns of the terminal; Infinity: nothing is shortened. */
  width: number;
  /** Show only these data fields. */
  fields?: readonly string[];
  /** Show the hidden data fields too, in `[[ ]]`. */
  allFields?: boolean;
}

/** `[id] Jan _2 15:04:05 proc sourcetype source k:v …` */
export function eventLine(id: number, event: EventObject, options: LineOptions): string {
  const {paint} = options;
  const {body} = event;
  const time = shortTime(body._time * 1000);
  const proc = oneLine(body.proc);
  const source = oneLine(body.source);
  const prefix = `[${id}] ${time} ${proc} ${body.sourcetype} ${source}`;
  const head = [
    `[${paint('blue', String(id))}]`,
    time,
    paint('brightMagenta', proc),
    paint(sourcetypeColour(body.sourcetype), body.sourcetype),
    paint('grey', source),
  ].join(' ');
  const room = Math.max(20, options.width - displayWidth(prefix) - 12);
  return `${head}${dataText(body.source, body.data, room, options)}`;
}

function dataText(
  source: string,
  data: EventObject['body']['data'],
  room: number,
  options: LineOptions,
): string {
  if (typeof data === 'string') return ` ${options.paint('brightWhite', cut(oneLine(data), room))}`;
  const keys = Object.keys(data);
  const shown = options.fields ?? DEFAULT_FIELDS[source] ?? [...keys].sort();
  const text = (list: readonly string[]) =>
    list
      .filter((k) => k in data)
      .map((k) => field(k, data[k], room, options.paint))
      .join(' ');
  const first = text(shown);
  const hidden = options.allFields ? text(keys.filter((k) => !shown.includes(k)).sort()) : '';
  return `${first && ` ${first}`}${hidden && ` [[${hidden}]]`}`;
}

function field(key: string, value: unknown, room: number, paint: Paint): string {
  let text = valueText(value);
  if (key === 'message') text = cut(text, room);
  if (typeof value === 'string' && text.includes(' ')) text = JSON.stringify(text);
  return `${paint('green', key)}:${paint('brightWhite', text)}`;
}

function valueText(value: unknown): string {
  if (typeof value === 'string') return oneLine(value);
  if (typeof value === 'number') return numberText(value);
  return oneLine(JSON.stringify(value));
}

/** The record of one event in full. */
export function eventDetail(id: number, event: EventObject, paint: Paint): string[] {
  const {body} = event;
  const named = new Set(['proc', 'pid', '_time', 'cmd', 'source', 'sourcetype', 'host', 'data']);
  const pairs: [string, string][] = [
    ['ID', String(id)],
    ['Proc', oneLine(body.proc)],
    ['Pid', String(body.pid)],
    ['Time', shortTime(body._time * 1000)],
    ['Command', oneLine(body.cmd)],
    ['Source', oneLine(body.source)],
    ['Sourcetype', body.sourcetype],
    ['Host', oneLine(body.host)],
    ['Channel', event._channel],
  ];
  for (const [key, value] of Object.entries(body)) if (!named.has(key)) pairs.push([key, valueText(value)]);
  const {data} = body;
  if (typeof data === 'string') return fields([...pairs, ['Data', safeLines(data)]], paint);
  const nested = Object.entries(data).map(([k, v]): [string, string] => [
    k,
    typeof v === 'string' ? safeLines(v) : valueText(v),
  ]);
  return [...fields([...pairs, ['Data', '']], paint), ...fields(nested, paint, '  ')];
}

/** Text of several lines, each harmless for the terminal. */
function safeLines(text: string): string {
  return text
    .replace(/\r?\n$/, '')
    .split('\n')
    .map((line) => oneLine(line))
    .join('\n');
}
