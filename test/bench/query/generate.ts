// SPDX-License-Identifier: Apache-2.0
/** generate HOME EVENTS: a session with so many events, made by the real writer. */
import {mkdirSync, writeFileSync} from 'node:fs';
import {encodeLine} from '../../../src/records/ndjson.js';
import type {Event} from '../../../src/records/types.js';
import {openSession} from '../../../src/session/index.js';
import {makeEvent, makeProcess} from '../../helpers/records.js';

const [home = '', events = '0'] = process.argv.slice(2);
const workdir = `${home}/history/nginx_1_4194999_1795375578042340000`;
mkdirSync(workdir, {recursive: true});
writeFileSync(`${workdir}/args.json`, JSON.stringify({id: 1, argv: ['nginx'], pid: 4_194_999}));
const writer = openSession(workdir, {encode: encodeLine, capBytes: Number.POSITIVE_INFINITY});
const nginx = makeProcess({proc: 'nginx', cmd: 'nginx -g daemon off;'});

function event(i: number): Event {
  const time = 1_795_375_578 + i / 1e5;
  if (i % 50 === 0) {
    const data = {net_transport: 'IP.TCP', net_peer_ip: '127.0.0.1', net_peer_port: 30_000 + (i % 29_000)};
    return makeEvent({sourcetype: 'net', source: 'net.open', data, process: nginx, time});
  }
  const data = {
    proc: 'nginx',
    pid: 42,
    host: 'vm',
    file: `/srv/www/file${i % 5000}.html`,
    proc_uid: 0,
    op: 'openat',
  };
  return makeEvent({sourcetype: 'fs', source: i % 2 ? 'fs.open' : 'fs.close', data, process: nginx, time});
}

const BATCH = 5000;
for (let i = 0; i < Number(events); i += BATCH) {
  writer.append(Array.from({length: Math.min(BATCH, Number(events) - i)}, (_, k) => event(i + k)));
  writer.commit();
}
writer.setStatus({state: 'ended'});
writer.close();
