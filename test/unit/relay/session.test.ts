// SPDX-License-Identifier: Apache-2.0
/** Real programs under the real library, read by the session relay. */
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import type {Context} from '../../../src/cli/context.js';
import {flush} from '../../../src/cli/relay-flush.js';
import {runSession} from '../../../src/relay/session.js';
import {readStatus} from '../../../src/session/index.js';
import {collect, until} from '../../helpers/delivery.js';
import {problemsOf} from '../../helpers/schemas.js';
import {eventsOf, linesOf, metricsOf, type ScopedHome, scopedHome} from '../../helpers/scoped.js';

let scoped: ScopedHome;
beforeEach(() => {
  scoped = scopedHome();
});
afterEach(() => {
  scoped.clean();
});

describe('a session', () => {
  it('of a command that lived a millisecond is complete', async () => {
    const workdir = scoped.run('/bin/echo', 'hello', 'there');
    expect(await runSession(workdir)).toBe(0);
    const [start, ...events] = eventsOf(workdir);
    expect(start!.info!.process).toMatchObject({procname: 'echo', cmd: '/bin/echo hello there'});
    expect(events.find((event) => event.body.sourcetype === 'console')!.body).toMatchObject({
      source: 'stdout',
      proc: 'echo',
      data: {message: 'hello there\n'},
    });
    const names = metricsOf(workdir).map((metric) => metric._metric);
    expect(names.slice(0, 7)).toEqual([
      'proc.start',
      'proc.cpu',
      'proc.cpu_perc',
      'proc.mem',
      'proc.thread',
      'proc.fd',
      'proc.child',
    ]);
    expect(readStatus(workdir)).toMatchObject({state: 'ended', processes: {seen: 1, live: 0}, lost: {}});
    expect(existsSync(join(workdir, 'channels'))).toBe(false);
  });

  it('has the files that were opened, read, closed and deleted, as the counters say', async () => {
    const workdir = scoped.run('/bin/sh', '-c', 'echo one > a.log; cat a.log; rm a.log');
    await runSession(workdir);
    const events = eventsOf(workdir);
    const about = (source: string) =>
      events.filter((event) => event.body?.source === source).map((event) => event.body.data);
    expect(about('fs.delete')).toMatchObject([{file: 'a.log', proc: 'rm'}]);
    const read = about('fs.close').find((data) => data.file === 'a.log' && data.proc === 'cat');
    expect(read).toMatchObject({file_read_bytes: 4, file_perms: 644});
    expect(events.find((event) => event.body?.source === 'a.log')!.body).toMatchObject({
      sourcetype: 'file',
      data: {message: 'one\n'},
    });
    expect(events.filter((event) => event.body?.source === 'stdout')[0]!.body).toMatchObject({
      proc: 'cat',
      data: {message: 'one\n'},
    });
    const counted = (name: string) =>
      metricsOf(workdir)
        .filter((metric) => metric._metric === name)
        .reduce((sum, metric) => sum + (metric._value as number), 0);
    expect(counted('fs.open')).toBe(about('fs.open').length);
    expect(counted('fs.delete')).toBe(1);
    const lines = [...linesOf(workdir, 'events.json'), ...linesOf(workdir, 'metrics.json')];
    expect(lines.flatMap(problemsOf)).toEqual([]);
  });

  it('goes on until the last process in the background has ended', async () => {
    const workdir = scoped.run('/bin/sh', '-c', 'echo first; (sleep 0.3; echo late >&2) &');
    await runSession(workdir);
    const text = eventsOf(workdir)
      .filter((event) => event.body?.sourcetype === 'console')
      .map((event) => event.body.data.message);
    // Of two processes that have ended when the relay begins, either is read first.
    expect(text.sort()).toEqual(['first\n', 'late\n']);
  });

  it('without a process that can be read ends', async () => {
    const workdir = scoped.run('/bin/echo', 'x');
    await runSession(workdir);
    const before = linesOf(workdir, 'events.json');
    expect(await runSession(workdir)).toBe(0);
    expect(linesOf(workdir, 'events.json')).toEqual(before);
  });
});

describe('a configured session', () => {
  it('is limited at the source from the first record on, and says what was left out', async () => {
    const file = join(scoped.home, 'limit.yml');
    writeFileSync(file, 'event: {format: {maxeventpersec: 50}}\ntags: {team: blue}\n');
    const loop = 'i=0; while [ $i -lt 400 ]; do i=$((i+1)); : < /dev/null; done';
    const workdir = await scoped.runWhole('-u', file, '--', '/bin/sh', '-c', loop);
    const events = eventsOf(workdir);
    const opened = events.filter((event) => event.body?.source === 'fs.open').length;
    const counted = metricsOf(workdir).find((metric) => metric._metric === 'fs.open')!._value as number;
    expect(counted).toBeGreaterThanOrEqual(400);
    expect(opened).toBeLessThan(counted);
    const lost = readStatus(workdir)!.lost!.limit!;
    expect(lost).toBeGreaterThan(0);
    expect(metricsOf(workdir).find((metric) => metric._metric === 'scope.lost')).toMatchObject({
      class: 'limit',
      _value: lost,
      team: 'blue',
    });
    const notice = events.find((event) => event.body?.source === 'notice')!;
    expect(notice.body.data).toBe('Truncated metrics. Your rate exceeded 50 metrics per second');
  });

  it('shows single calls from the first one on', async () => {
    const file = join(scoped.home, 'nine.yml');
    writeFileSync(file, 'metric: {format: {verbosity: 9}}\n');
    const workdir = await scoped.runWhole('-u', file, '--', '/bin/cat', '/etc/hostname');
    const reads = metricsOf(workdir).filter(
      (metric) => metric._metric === 'fs.read' && metric.file === '/etc/hostname',
    );
    expect(reads.length).toBeGreaterThan(0);
    expect(reads[0]).toMatchObject({op: 'read', numops: 1});
    expect(reads[0]).not.toHaveProperty('summary');
  });

  it('sends to its destinations what it stores', async () => {
    const file = join(scoped.home, 'out.yml');
    const out = join(scoped.home, 'out.ndjson');
    const routes = '[{match: {kind: [metric, event, start]}, to: [out]}]';
    writeFileSync(file, `{exporters: {out: {type: file, path: "${out}"}}, routes: ${routes}}`);
    const workdir = await scoped.runWhole('-u', file, '--', '/bin/echo', 'sent');
    const stored = [...linesOf(workdir, 'events.json'), ...linesOf(workdir, 'metrics.json')].sort();
    expect(readFileSync(out, 'utf8').split('\n').filter(Boolean).sort()).toEqual(stored);
  });
});

describe('a session with a burst that its destination has no room for at once', () => {
  it('sends all that it stores', async () => {
    const file = join(scoped.home, 'out.yml');
    const out = join(scoped.home, 'out.ndjson');
    writeFileSync(
      file,
      `exporters: {out: {type: file, path: "${out}", queue: {max_bytes: 256KiB}}}
event: {format: {maxeventpersec: 0}}
routes: [{match: {kind: event, sourcetype: fs}, to: [out]}]`,
    );
    const loop = 'for ((i = 0; i < 15000; i++)); do : < /etc/passwd; done';
    const workdir = await scoped.runWhole('-u', file, '--', '/bin/bash', '-c', loop);
    const stored = linesOf(workdir, 'events.json').filter((line) => line.includes('"sourcetype":"fs"'));
    expect(stored.length).toBeGreaterThan(5000);
    expect(readFileSync(out, 'utf8').split('\n').filter(Boolean).length).toBe(stored.length);
    const {out: books} = readStatus(workdir)!.destinations as Record<string, unknown>;
    expect(books).toMatchObject({sent: stored.length, dropped: {queue_full: 0, stopped: 0}});
  });
});

describe('a session whose destination is down and asks to wait', () => {
  it('is stored whole and ends', async () => {
    const file = join(scoped.home, 'down.yml');
    const out =
      '{type: socket, protocol: tcp, host: 127.0.0.1, port: 1, queue: {type: memory, max_bytes: 1000, when_full: block}}';
    const routes = '[{match: {kind: [metric, event, start]}, to: [out]}]';
    writeFileSync(file, `{exporters: {out: ${out}}, routes: ${routes}, relay: {stop_timeout: 300ms}}`);
    const loop = 'i=0; while [ $i -lt 200 ]; do i=$((i+1)); : < /dev/null; done';
    const workdir = await scoped.runWhole('-u', file, '--', '/bin/sh', '-c', loop);
    const opened = eventsOf(workdir).filter((event) => event.body?.source === 'fs.open').length;
    const counted = metricsOf(workdir).find((metric) => metric._metric === 'fs.open')!._value as number;
    expect(opened).toBe(counted);
    const {out: books} = readStatus(workdir)!.destinations as Record<
      string,
      {sent: number; accepted: number}
    >;
    expect(books).toMatchObject({sent: 0});
    expect(books!.accepted).toBeGreaterThan(200);
  });
});

describe('a session whose destination is down until after its end', () => {
  it('keeps what waits on disk, says so, and a command sends it once', async () => {
    const peer = await collect({});
    await peer.close();
    const file = join(scoped.home, 'disk.yml');
    const out = `{type: socket, host: 127.0.0.1, port: ${peer.port}, start_message: false, queue: {type: disk}}`;
    const routes = '[{match: {kind: [metric, event]}, to: [out]}]';
    writeFileSync(file, `{exporters: {out: ${out}}, routes: ${routes}, relay: {stop_timeout: 300ms}}`);
    const workdir = await scoped.runWhole(
      '-u',
      file,
      '--',
      '/bin/sh',
      '-c',
      'for i in 1 2 3; do : < /dev/null; done',
    );
    const stored = [...linesOf(workdir, 'events.json'), ...linesOf(workdir, 'metrics.json')].filter(
      (line) => !line.startsWith('{"format"'),
    );
    const {out: books} = readStatus(workdir)!.destinations as Record<string, {queued: number; sent: number}>;
    expect(books).toMatchObject({sent: 0, queued: stored.length});

    const said: string[] = [];
    const context = {print: (line: string) => said.push(line)} as unknown as Context;
    expect(await flush(context, workdir, 0.3)).toBe(1);
    expect(said.splice(0)).toEqual([
      expect.stringMatching(`^out: 0 sent, ${stored.length} wait \\(.*ECONNREFUSED`),
    ]);

    const again = await collect({port: peer.port});
    expect(await flush(context, workdir, 30)).toBe(0);
    expect(said.splice(0)).toEqual([`out: ${stored.length} sent`]);
    await until(() => again.texts.join('').split('\n').length > stored.length, 'all lines');
    expect(again.texts.join('').trimEnd().split('\n').sort()).toEqual(stored.sort());
    expect(await flush(context, workdir, 30)).toBe(0);
    expect(said).toEqual(['out: 0 sent']);
    await again.close();
    await expect(flush(context, scoped.home, 1)).rejects.toThrow('is no session');
  });
});

describe('processes of a new pid namespace', () => {
  it.skipIf(process.getuid!() !== 0)('end with their session', async () => {
    const workdir = scoped.run('/usr/bin/unshare', '-p', '-f', '/bin/sh', '-c', 'exec /bin/echo inner');
    await runSession(workdir);
    expect(readStatus(workdir)).toMatchObject({state: 'ended', processes: {live: 0}});
    const inner = eventsOf(workdir).find((event) => event.body?.sourcetype === 'console')!;
    expect(inner.body).toMatchObject({proc: 'echo', pid: 1, data: {message: 'inner\n'}});
  });
});
