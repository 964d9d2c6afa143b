// SPDX-License-Identifier: Apache-2.0
/** Real conversations, both ends in one Node: every request and response is seen on both sides, with and without TLS. */
import {join} from 'node:path';
import {describe, expect, it} from 'vitest';
import {ROOT} from '../../../src/base/root.js';
import {observe} from '../../helpers/observe.js';

const PROGRAM = join(ROOT, 'test/native/probe/conversations.mjs');
const COUNT = 60;

function converse(kind: string) {
  return observe([process.execPath, PROGRAM, kind, String(COUNT)], {
    config: 'event: {watch: [{type: http}, {type: net}, {type: dns}]}',
  });
}

const side = (datas: Record<string, unknown>[], name: string) => datas.filter((data) => name in data);

describe.each([
  ['http', 'http', '1.1'],
  ['https', 'https', '1.1'],
  ['h2', 'https', '2.0'],
  ['h2c', 'http', '2.0'],
])('%s', (kind, scheme, flavor) => {
  it('gives each request and response once on each side', async () => {
    const seen = await converse(kind);
    expect(seen.stderr).toBe('');
    expect(seen.status).toBe(0);
    expect(seen.lost).toEqual({});
    const requests = seen.events('http.req');
    const responses = seen.events('http.resp');
    expect(requests).toHaveLength(2 * COUNT);
    expect(responses).toHaveLength(2 * COUNT);
    for (const name of ['http_server_duration', 'http_client_duration']) {
      const paths = side(responses, name).map((data) => data.http_target);
      expect(new Set(paths).size).toBe(COUNT);
      expect(paths).toHaveLength(COUNT);
    }
    for (const data of [...requests, ...responses]) {
      expect(data).toMatchObject({http_flavor: flavor, net_peer_ip: '127.0.0.1', net_host_ip: '127.0.0.1'});
    }
    for (const data of requests) expect(data.http_scheme).toBe(scheme);
    const status = responses.map((data) => data.http_status_code);
    expect(new Set(status)).toEqual(new Set([200]));
    const sum = seen.metrics('http.req').reduce((all, metric) => all + metric.value, 0);
    expect(sum).toBe(2 * COUNT);
  });
});
