// SPDX-License-Identifier: Apache-2.0
/**
 * HTTP/1.0 and 1.1 heads: bytes → request or status line and fields (RFC 9112). Tolerant where real servers are,
 * and never throws: what is no head gives undefined. No I/O.
 */

/** Where the body of a message ends. */
export type BodyForm = 'none' | 'length' | 'chunked' | 'close' | 'tunnel';

interface HeadCommon {
  /** As on the wire: `1.0`, `1.1`. */
  version: string;
  /** Name as sent, value without surrounding blanks, in wire order, one after the other. */
  fields: string[];
  /** Value of the one Content-Length; undefined when absent, malformed or contradictory. */
  contentLength?: number;
  chunked: boolean;
  /** Shapes that make two parsers disagree: both lengths, two lengths, blank before a colon, … */
  suspicious: boolean;
}

export interface RequestHead extends HeadCommon {
  kind: 'request';
  method: string;
  target: string;
}

export interface ResponseHead extends HeadCommon {
  kind: 'response';
  status: number;
  /** As sent; empty when there is none. */
  reason: string;
}

export type Head = RequestHead | ResponseHead;

/** tchar of RFC 9110. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}) +(\S+) +HTTP\/(1\.[0-9])[ \t]*$/;
const STATUS_LINE = /^HTTP\/(1\.[0-9]) +([0-9]{3})(?: (.*))?$/;

/** Parses one head, with or without the empty line that ends it. Each byte becomes one character. */
export function parseHead(bytes: Buffer, start = 0, end = bytes.length): Head | undefined {
  return parseHeadText(bytes.toString('latin1', start, end));
}

/** The same for a head that is a string already, one character per byte. */
export function parseHeadText(text: string): Head | undefined {
  let at = skipEmptyLines(text);
  const lineEnd = endOfLine(text, at);
  const line = text.slice(at, trimCr(text, lineEnd));
  const head = startLine(line);
  if (head === undefined) return undefined;
  at = lineEnd + 1;
  while (at < text.length) {
    const end = endOfLine(text, at);
    const stop = trimCr(text, end);
    if (stop === at) break;
    addField(head, text, at, stop);
    at = end + 1;
  }
  settleBody(head);
  return head;
}

/** RFC 9112 §2.2: a server ignores empty lines before a request. */
function skipEmptyLines(text: string): number {
  let at = 0;
  while (text[at] === '\r' || text[at] === '\n') at++;
  return at;
}

function endOfLine(text: string, from: number): number {
  const at = text.indexOf('\n', from);
  return at < 0 ? text.length : at;
}

function trimCr(text: string, end: number): number {
  return text[end - 1] === '\r' ? end - 1 : end;
}

function startLine(line: string): Head | undefined {
  const common = {fields: [], chunked: false, suspicious: false};
  const status = STATUS_LINE.exec(line);
  if (status) {
    return {
      kind: 'response',
      version: status[1]!,
      status: Number(status[2]),
      reason: status[3] ?? '',
      ...common,
    };
  }
  const request = REQUEST_LINE.exec(line);
  if (request === null || request[1] === 'HTTP') return undefined;
  return {kind: 'request', version: request[3]!, method: request[1]!, target: request[2]!, ...common};
}

function addField(head: Head, text: string, start: number, end: number): void {
  const colon = text.indexOf(':', start);
  if (text[start] === ' ' || text[start] === '\t') {
    foldLine(head, text.slice(start, end));
    return;
  }
  if (colon <= start || colon >= end) {
    head.suspicious = true;
    return;
  }
  const name = text.slice(start, colon);
  if (!TOKEN.test(name)) {
    head.suspicious = true;
    return;
  }
  const value = text.slice(colon + 1, end).trim();
  if (value.includes('\0') || value.includes('\r')) head.suspicious = true;
  head.fields.push(name, value);
}

/** Obsolete line folding: the line goes on with the value before it. */
function foldLine(head: Head, line: string): void {
  head.suspicious = true;
  const last = head.fields.length - 1;
  if (last > 0) head.fields[last] = `${head.fields[last]} ${line.trim()}`;
}

/** Reads the fields that say where the body ends. */
function settleBody(head: Head): void {
  let lengths: string[] | undefined;
  for (let i = 0; i < head.fields.length; i += 2) {
    const name = head.fields[i]!;
    if (name.length === 14 && name.toLowerCase() === 'content-length') {
      lengths = [...(lengths ?? []), ...head.fields[i + 1]!.split(',')];
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      if (isChunked(head.fields[i + 1]!)) head.chunked = true;
      else head.suspicious = true;
    }
  }
  if (lengths === undefined) return;
  const length = agreedLength(lengths);
  if (length === undefined || head.chunked) head.suspicious = true;
  head.contentLength = length;
}

function isChunked(value: string): boolean {
  const last = value.slice(value.lastIndexOf(',') + 1).trim();
  return last.toLowerCase() === 'chunked';
}

function agreedLength(values: readonly string[]): number | undefined {
  const first = values[0]!.trim();
  if (!/^[0-9]{1,15}$/.test(first)) return undefined;
  return values.every((value) => value.trim() === first) ? Number(first) : undefined;
}

/** First value of a field, by its lower-case name; undefined when it is not there. */
export function fieldOf(head: Head, lowerName: string): string | undefined {
  for (let i = 0; i < head.fields.length; i += 2) {
    const name = head.fields[i]!;
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) return head.fields[i + 1];
  }
  return undefined;
}

/** Where the body of a response ends; `method` is that of its request, when it was seen. */
export function responseBody(head: ResponseHead, method: string | undefined): BodyForm {
  if (head.status === 101) return 'tunnel';
  if (head.status < 200 || head.status === 204 || head.status === 304 || method === 'HEAD') return 'none';
  if (method === 'CONNECT' && head.status < 300) return 'tunnel';
  if (head.chunked) return 'chunked';
  return head.contentLength === undefined ? 'close' : 'length';
}
