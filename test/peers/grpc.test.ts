// SPDX-License-Identifier: Apache-2.0
/** gRPC of another maker: Python's grpcio at both ends. Method and status of every call are those that the programs print. */
import {join} from 'node:path';
import {describe, expect, it} from 'vitest';
import {ROOT} from '../../src/base/root.js';
import {observe} from '../helpers/observe.js';
import {installed} from './support.js';

const python = installed('grpc/bin/python');
const TALK = join(ROOT, 'test/peers/servers/talk.py');

describe.skipIf(python === undefined)('grpcio', () => {
  it('unary and streaming calls of several threads: method and status as both programs say', async () => {
    const seen = await observe([python!, TALK, '40'], {config: 'event: {watch: [{type: http}]}'});
    expect(seen.status).toBe(0);
    expect(seen.lost).toEqual({});
    const printed = seen.stdout.trim().split('\n');
    for (const end of ['client', 'server']) {
      const ours = seen
        .events('http.resp')
        .filter((data) => `http_${end}_duration` in data)
        .map((data) => `${end} ${data.http_target} ${data.grpc_status}`);
      // A method that nobody serves has no handler that could print it.
      const unserved = end === 'server' ? Array.from({length: 3}, () => 'server /demo.Talk/Nothing 12') : [];
      const theirs = [...printed.filter((line) => line.startsWith(end)), ...unserved];
      expect(theirs).toHaveLength(3 * 161);
      expect(ours.sort()).toEqual(theirs.sort());
    }
  });

  it('a call that its client cancels has the status that stands for that', async () => {
    const seen = await observe([python!, TALK, '0'], {config: 'event: {watch: [{type: http}]}'});
    expect(seen.stdout).toContain('client /demo.Talk/Tell 1\n');
    expect(seen.events('http.resp').map((data) => `${data.http_target} ${data.grpc_status}`)).toEqual(
      ['client', 'server'].map(() => '/demo.Talk/Tell 1'),
    );
  });
});
