// SPDX-License-Identifier: Apache-2.0
import {appendFileSync, cpSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import type {Event} from '../../../src/records/types.js';
import {EventLog} from '../../../src/session/event-log.js';
import {openSession} from '../../../src/session/index.js';
import {type EventQuery, findEvents} from '../../../src/session/query.js';
import {encodeJson, makeEvent, makeProcess} from '../../helpers/records.js';

const COUNT = 3000;
let dir: string;
let copy: string;

function event(i: number): Event {
  const kinds = [
    {sourcetype: 'fs', source: 'fs.open', data: {file: `/f/${i}`}},
    {sourcetype: 'fs', source: 'fs.close', data: {file: `/f/${i}`, n: i}},
    {sourcetype: 'console', source: 'stdout', data: {message: `line ${i} ${'.'.repeat(i % 700)}`}},
    {sourcetype: 'file', source: `/var/log/app-${i % 300}.log`, data: {message: 'logged'}},
  ] as const;
  return makeEvent(kinds[i % 4]);
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-query-'));
  const w = openSession(dir, {encode: encodeJson});
  for (let i = 0; i < COUNT; i++) {
    if (i % 500 === 0) w.append([{kind: 'start', time: 1, process: makeProcess(), configuration: {}}]);
    w.append([event(i)]);
    if (i % 700 === 0) w.commit();
  }
  w.close();
  // The same file without our index, as a user copies it, with an unfinished line.
  copy = mkdtempSync(join(tmpdir(), 'scope-query-'));
  const log = new EventLog(dir);
  appendFileSync(join(copy, 'events.json'), log.read(0, log.size));
  appendFileSync(join(copy, 'events.json'), '{"type":"evt","unfinished');
  log.close();
});
afterAll(() => {
  rmSync(dir, {recursive: true, force: true});
  rmSync(copy, {recursive: true, force: true});
});

function run(folder: string, query: EventQuery): {id: number; line: string}[] {
  const log = new EventLog(folder);
  try {
    return [...findEvents(log, query)].flat();
  } finally {
    log.close();
  }
}

/** What the query should find, by looking at every line. */
function plain(query: EventQuery): number[] {
  const log = new EventLog(dir);
  const ids: number[] = [];
  for (let i = 0; i < log.count; i++) {
    const line = log.line(i);
    const {body} = JSON.parse(line);
    const any = (list: readonly string[] | undefined, text: string) =>
      !list?.length || list.some((p) => text.startsWith(p));
    if (!any(query.sources, body.source) || !any(query.sourcetypes, body.sourcetype)) continue;
    if (query.match && !line.includes(query.match)) continue;
    if (query.predicate && !query.predicate(line)) continue;
    ids.push(i);
  }
  log.close();
  return query.last === undefined ? ids : ids.slice(-query.last);
}

const QUERIES: Record<string, EventQuery> = {
  everything: {},
  'the last 20': {last: 20},
  'more than there are': {last: COUNT * 2},
  'a source': {sources: ['fs.open']},
  'a prefix of sources': {sources: ['/var/log/app-1']},
  'the last of a rare source': {sources: ['/var/log/app-7.log'], last: 3},
  sourcetypes: {sourcetypes: ['cons', 'file']},
  'a text': {match: 'line 1002'},
  'a text that many have': {match: 'logged', last: 5},
  'a text that none has': {match: 'nowhere'},
  'source and text': {sources: ['fs'], match: '/f/99'},
  'a predicate': {predicate: (line) => JSON.parse(line).body.data.n > 2900},
  'all of them': {
    sources: ['fs.close'],
    sourcetypes: ['fs'],
    match: '29',
    predicate: (l) => l.includes('"n":29'),
    last: 7,
  },
};

describe.each([
  ['indexed', () => dir],
  ['without an index', () => copy],
] as const)('events %s', (_, folder) => {
  it.each(Object.entries(QUERIES))('finds %s', (_name, query) => {
    const found = run(folder(), query);
    expect(found.map((f) => f.id)).toEqual(plain(query));
    for (const f of found.slice(0, 50)) expect(JSON.parse(f.line).type).toBe('evt');
  });

  it('begins at an event', () => {
    expect(run(folder(), {from: COUNT - 3}).map((f) => f.id)).toEqual([COUNT - 3, COUNT - 2, COUNT - 1]);
  });
});

describe('event log', () => {
  it.each(['names', 'events', 'commit'])('reads the file alone when .index/%s is broken', (name) => {
    const broken = mkdtempSync(join(tmpdir(), 'scope-query-'));
    try {
      cpSync(dir, broken, {recursive: true});
      writeFileSync(join(broken, '.index', name), 'not what it was\n'.repeat(3));
      expect(run(broken, {sources: ['/var/log/app-7.log']}).map((f) => f.id)).toEqual(
        plain({sources: ['/var/log/app-7.log']}),
      );
    } finally {
      rmSync(broken, {recursive: true, force: true});
    }
  });

  it('sees what a writer adds, and only what is committed', () => {
    const live = mkdtempSync(join(tmpdir(), 'scope-query-'));
    try {
      const w = openSession(live, {encode: encodeJson});
      w.append([makeEvent()]);
      w.commit();
      const log = new EventLog(live);
      w.append([makeEvent({source: 'stderr'})]);
      log.refresh();
      expect(log.count).toBe(1);
      w.commit();
      log.refresh();
      expect(log.count).toBe(2);
      expect(log.sources).toEqual(['stdout', 'stderr']);
      log.close();
      w.close();
    } finally {
      rmSync(live, {recursive: true, force: true});
    }
  });
});
