// SPDX-License-Identifier: Apache-2.0
/** DNS messages (RFC 1035): bytes → question, answers, result. Bounded against hostile packets. No I/O. */

export interface DnsAnswer {
  name: string;
  /** `A`, `AAAA`, `CNAME`, …; `TYPE65` for those without a name here. */
  type: string;
  ttl: number;
  /** Address, name or text; hex for types not decoded. */
  data: string;
}

export interface DnsMessage {
  id: number;
  response: boolean;
  opcode: number;
  truncated: boolean;
  /** `NOERROR`, `NXDOMAIN`, … */
  rcode: string;
  /** Of the first question; empty when there is none. */
  name: string;
  type: string;
  answers: DnsAnswer[];
}

const TYPES = new Map<number, string>([
  [1, 'A'],
  [2, 'NS'],
  [5, 'CNAME'],
  [6, 'SOA'],
  [12, 'PTR'],
  [13, 'HINFO'],
  [15, 'MX'],
  [16, 'TXT'],
  [28, 'AAAA'],
  [33, 'SRV'],
  [35, 'NAPTR'],
  [39, 'DNAME'],
  [41, 'OPT'],
  [43, 'DS'],
  [46, 'RRSIG'],
  [47, 'NSEC'],
  [48, 'DNSKEY'],
  [52, 'TLSA'],
  [64, 'SVCB'],
  [65, 'HTTPS'],
  [99, 'SPF'],
  [255, 'ANY'],
  [257, 'CAA'],
]);
const RCODES = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
];
const HEADER = 12;
const MAX_NAME = 255;
const MAX_ANSWERS = 256;

/** What a reader of a packet returns; `next` is where the bytes after it begin. */
interface Name {
  text: string;
  next: number;
}

class Malformed extends Error {}

/** Decodes one packet; undefined when it is no DNS message with a sane header and question. */
export function parseDns(bytes: Buffer, start = 0, end = bytes.length): DnsMessage | undefined {
  if (end - start < HEADER) return undefined;
  const packet = bytes.subarray(start, end);
  const flags = packet.readUInt16BE(2);
  const questions = packet.readUInt16BE(4);
  const message: DnsMessage = {
    id: packet.readUInt16BE(0),
    response: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 15,
    truncated: (flags & 0x0200) !== 0,
    rcode: RCODES[flags & 15] ?? `RCODE${flags & 15}`,
    name: '',
    type: '',
    answers: [],
  };
  if (message.opcode > 5 || questions > 16) return undefined;
  try {
    const at = readQuestions(packet, questions, message);
    readAnswers(packet, at, packet.readUInt16BE(6), message);
  } catch (error) {
    if (!(error instanceof Malformed) && !(error instanceof RangeError)) throw error;
    if (questions > 0 && message.type === '') return undefined;
  }
  return message;
}

function readQuestions(packet: Buffer, count: number, message: DnsMessage): number {
  let at = HEADER;
  for (let i = 0; i < count; i++) {
    const name = readName(packet, at);
    const type = packet.readUInt16BE(name.next);
    packet.readUInt16BE(name.next + 2);
    at = name.next + 4;
    if (i === 0) {
      message.name = name.text;
      message.type = typeName(type);
    }
  }
  return at;
}

function readAnswers(packet: Buffer, from: number, count: number, message: DnsMessage): void {
  let at = from;
  for (let i = 0; i < Math.min(count, MAX_ANSWERS); i++) {
    const name = readName(packet, at);
    const type = packet.readUInt16BE(name.next);
    const ttl = packet.readUInt32BE(name.next + 4);
    const length = packet.readUInt16BE(name.next + 8);
    const data = name.next + 10;
    if (data + length > packet.length) throw new Malformed();
    message.answers.push({
      name: name.text,
      type: typeName(type),
      ttl,
      data: readData(packet, type, data, length),
    });
    at = data + length;
  }
}

function typeName(type: number): string {
  return TYPES.get(type) ?? `TYPE${type}`;
}

function readData(packet: Buffer, type: number, at: number, length: number): string {
  switch (type) {
    case 1:
      if (length !== 4) throw new Malformed();
      return packet.subarray(at, at + 4).join('.');
    case 28:
      if (length !== 16) throw new Malformed();
      return formatIpv6(packet.subarray(at, at + 16));
    case 2:
    case 5:
    case 12:
    case 39:
      return readName(packet, at).text;
    case 15:
      return `${packet.readUInt16BE(at)} ${readName(packet, at + 2).text}`;
    case 33:
      return [0, 2, 4]
        .map((o) => packet.readUInt16BE(at + o))
        .join(' ')
        .concat(' ', readName(packet, at + 6).text);
    case 16:
    case 99:
      return readText(packet, at, at + length);
    default:
      return packet.toString('hex', at, at + length);
  }
}

function readText(packet: Buffer, from: number, end: number): string {
  const parts: string[] = [];
  for (let at = from; at < end; at += packet[at]! + 1) {
    parts.push(packet.toString('latin1', at + 1, Math.min(at + 1 + packet[at]!, end)));
  }
  return parts.join('');
}

/** Reads a name; pointers only lead backwards, so it always ends. */
function readName(packet: Buffer, from: number): Name {
  const labels: string[] = [];
  let at = from;
  let next = -1;
  let total = 0;
  for (;;) {
    const length = packet[at];
    if (length === undefined) throw new Malformed();
    if (length === 0) break;
    if ((length & 0xc0) === 0xc0) {
      const target = packet.readUInt16BE(at) & 0x3fff;
      if (next < 0) next = at + 2;
      if (target >= at) throw new Malformed();
      at = target;
      continue;
    }
    if (length > 63 || at + 1 + length > packet.length) throw new Malformed();
    total += length + 1;
    if (total > MAX_NAME) throw new Malformed();
    labels.push(label(packet, at + 1, length));
    at += length + 1;
  }
  return {text: labels.join('.'), next: next < 0 ? at + 1 : next};
}

/** Presentation form: a dot or a byte that does not print is escaped (RFC 4343). */
function label(packet: Buffer, at: number, length: number): string {
  const text = packet.toString('latin1', at, at + length);
  return text.replace(/[^!-~]|[.\\]/g, (c) =>
    c === '.' || c === '\\' ? `\\${c}` : `\\${String(c.charCodeAt(0)).padStart(3, '0')}`,
  );
}

/** RFC 5952: lower case, the longest run of zeros (of two or more) as `::`. */
export function formatIpv6(bytes: Uint8Array): string {
  const words: number[] = [];
  for (let i = 0; i < 16; i += 2) words.push((bytes[i]! << 8) | bytes[i + 1]!);
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && words[i + run] === 0) run++;
    if (run > bestLength) {
      best = i;
      bestLength = run;
    }
  }
  const hex = words.map((word) => word.toString(16));
  if (best < 0) return hex.join(':');
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + bestLength).join(':')}`;
}
