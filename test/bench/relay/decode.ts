// SPDX-License-Identifier: Apache-2.0
/** Records of one kind through the pipeline into a session's files; prints nanoseconds per event, one sample a line. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {REC} from '../../../src/channel/index.js';
import {defaultConfig} from '../../../src/config/index.js';
import {encodeLine} from '../../../src/records/ndjson.js';
import {settingsSource} from '../../../src/relay/compile.js';
import {Pipeline} from '../../../src/relay/pipeline.js';
import {openSession} from '../../../src/session/index.js';
import {
  closeStruct,
  connStruct,
  makeClose,
  makeOpen,
  makeRecord,
  makeText,
  memoryChannel,
  memoryFolder,
} from '../../helpers/channel-records.js';
import {makeConnOpen, makeHead} from '../../helpers/protocol-records.js';

const PAIRS = 5000;
const SAMPLES = 40;
const PATH = '/usr/lib/python3.11/encodings/aliases.cpython-311.pyc';

const REQUEST =
  'GET /1k.txt HTTP/1.1\r\nHost: localhost:18080\r\nUser-Agent: wrk/4.1.0\r\nAccept: */*\r\n\r\n';
const RESPONSE =
  'HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\nConnection: keep-alive\r\n\r\n';

function records(kind: string): Buffer[] {
  const out: Buffer[] = [];
  for (let i = 1; i <= PAIRS; i++) {
    const at = {object: i, tsc: i * 1000};
    if (kind === 'fs') {
      out.push(makeOpen(PATH, {fd: 3, ...at, mode: 0o100644}));
      out.push(makeClose({rx_bytes: 4096, rx_ops: 2, ticks: 3000}, {fd: 3, ...at}));
    } else if (kind === 'net') {
      // Of a server: each client has a port of its own.
      const conn = connStruct({localPort: 8080, remotePort: 32_768 + (i % 28_000)});
      const moved = closeStruct({rx_bytes: 5, tx_bytes: 6, life_ticks: 1000});
      out.push(makeRecord({type: REC.CONN_OPEN, fd: 5, ...at, payload: conn}));
      out.push(makeRecord({type: REC.CONN_CLOSE, fd: 5, ...at, payload: Buffer.concat([conn, moved])}));
    } else if (kind === 'http') {
      if (i === 1) out.push(makeConnOpen());
      out.push(makeHead(REQUEST, {role: 'server', tsc: at.tsc}));
      out.push(makeHead(RESPONSE, {role: 'server', tx: true, tsc: at.tsc + 500, body: 1024}));
    } else if (kind === 'web') {
      // A server of files: of each pair of a head and an open or close.
      if (i === 1) out.push(makeConnOpen());
      const {tsc} = at;
      if (i % 2 === 1) {
        out.push(makeHead(REQUEST, {role: 'server', tsc}));
        out.push(makeOpen('/srv/www/1k.txt', {fd: 9, ...at, mode: 0o100644}));
      } else {
        out.push(makeHead(RESPONSE, {role: 'server', tx: true, tsc, body: 1024}));
        out.push(makeClose({rx_bytes: 1024, rx_ops: 1, ticks: 3000}, {fd: 9, ...at, object: i - 1}));
      }
    } else {
      const text = `2026-11-30 00:00:00 INFO something happened to customer ${i}\n`;
      for (let k = 0; k < 2; k++) out.push(makeText(text, {fd: 1, object: 1, tsc: at.tsc}));
    }
  }
  return out;
}

const kind = process.argv[2] ?? 'fs';
const dir = mkdtempSync(join(tmpdir(), 'appscope-bench-'));
try {
  const writer = openSession(dir, {encode: encodeLine});
  const folder = memoryFolder();
  const channel = folder.add(memoryChannel(1));
  const batch = Buffer.concat(records(kind));
  const pipeline = new Pipeline({
    folder,
    settings: settingsSource(defaultConfig()),
    sink: {
      linesOnly: true,
      append: (made) => writer.append(made),
      appendLines: (span, process) => writer.appendLines(span, process),
      commit: () => writer.commit(),
    },
  });
  for (let sample = -10; sample < SAMPLES; sample++) {
    folder.put(channel, batch);
    const start = process.cpuUsage();
    while (pipeline.pass(1000)) {
      // More is waiting.
    }
    pipeline.commit();
    const used = process.cpuUsage(start);
    if (sample >= 0) console.log(((used.user + used.system) * 1000) / (2 * PAIRS));
  }
  writer.close();
} finally {
  rmSync(dir, {recursive: true, force: true});
}
