// SPDX-License-Identifier: Apache-2.0
import {mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, it} from 'vitest';

import {countEvents} from '../../../src/session/event-counts.js';
import {EventLog} from '../../../src/session/event-log.js';
import {openSession} from '../../../src/session/index.js';
import {encodeJson, makeEvent} from '../../helpers/records.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-counts-'));
  mkdirSync(join(dir, 's'));
});
afterEach(() => rmSync(dir, {recursive: true, force: true}));

it('counts events by source and process from an ordinal on', () => {
  const writer = openSession(join(dir, 's'), {encode: encodeJson});
  const sources = ['http.req', 'fs.open', 'http.req', 'dns.req', 'http.req'];
  writer.append(sources.map((source) => makeEvent({source})));
  writer.commit();
  const log = new EventLog(join(dir, 's'));
  const counts: Record<string, number> = {};
  const count = (from: number) =>
    countEvents(log, from, ['http.req', 'dns.req', 'never'], (source, pid, n) => {
      expect(pid).toBe(makeEvent({}).process.pid);
      counts[source] = n;
    });
  count(0);
  expect(counts).toEqual({'http.req': 3, 'dns.req': 1});
  count(2);
  expect(counts).toEqual({'http.req': 2, 'dns.req': 1});
  log.close();
  writer.close();
});
