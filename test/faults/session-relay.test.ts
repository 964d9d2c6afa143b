// SPDX-License-Identifier: Apache-2.0
/** kill -9 of the session relay and of the program: nothing is lost, nothing comes twice. */
import {type ChildProcess, spawn} from 'node:child_process';
import {statSync} from 'node:fs';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {ROOT} from '../../src/base/root.js';
import {readStatus} from '../../src/session/index.js';
import {eventsOf, metricsOf, type ScopedHome, scopedHome} from '../helpers/scoped.js';

let scoped: ScopedHome;
const relays: ChildProcess[] = [];
beforeEach(() => {
  scoped = scopedHome();
});
afterEach(() => {
  for (const relay of relays.splice(0)) relay.kill('SIGKILL');
  scoped.clean();
});

function startRelay(workdir: string): {relay: ChildProcess; ended: Promise<number | null>} {
  const relay = spawn(process.execPath, [join(ROOT, 'dist/main.js'), 'session', workdir], {stdio: 'inherit'});
  relays.push(relay);
  return {relay, ended: new Promise((resolve) => relay.once('exit', (code) => resolve(code)))};
}

const size = (path: string): number => {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
};

async function until(what: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!what()) {
    if (Date.now() > deadline) throw new Error('it took too long');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('a session whose relay is killed again and again', () => {
  it('has every line and every file once', async () => {
    const rounds = 40;
    const script = `i=0; r=0
      while [ $r -lt ${rounds} ]; do
        r=$((r+1)); n=0
        while [ $n -lt 100 ]; do n=$((n+1)); i=$((i+1)); echo "line $i"; done
        : < /dev/null; sleep 0.03
      done > numbers.log`;
    const workdir = await scoped.start('/bin/sh', '-c', script);
    const events = join(workdir, 'events.json');
    for (let kill = 0; kill < 4; kill++) {
      const {relay, ended} = startRelay(workdir);
      const before = size(events);
      await until(() => size(events) > before || relay.exitCode !== null);
      relay.kill('SIGKILL');
      await ended;
    }
    expect(await startRelay(workdir).ended).toBe(0);
    const all = eventsOf(workdir);
    const text = all
      .filter((event) => event.body?.source === 'numbers.log')
      .map((event) => event.body.data.message)
      .join('');
    const expected = Array.from({length: rounds * 100}, (_, i) => `line ${i + 1}\n`).join('');
    expect(text).toBe(expected);
    const opened = all.filter((event) => event.body?.source === 'fs.open').length;
    const counted = metricsOf(workdir)
      .filter((metric) => metric._metric === 'fs.open')
      .reduce((sum, metric) => sum + (metric._value as number), 0);
    expect(opened).toBe(counted);
    const starts = all.filter((event) => event.info !== undefined);
    expect(starts.length).toBe(readStatus(workdir)!.processes!.seen);
    expect(metricsOf(workdir).filter((metric) => metric._metric === 'proc.start')).toHaveLength(
      starts.length,
    );
  });
});

describe('an HTTP/2 connection whose relay is killed', () => {
  it('is decoded to its end: later headers refer to earlier ones', async () => {
    const requests = 150;
    const script = `
      const http2 = require('http2');
      const server = http2.createServer((q, r) => r.end('x')).listen(0, '127.0.0.1', () => {
        const client = http2.connect('http://127.0.0.1:' + server.address().port);
        let left = ${requests};
        const ask = () => {
          if (left-- === 0) return client.close(() => server.close());
          const r = client.request({':path': '/the/same/path', 'user-agent': 'the same agent'});
          r.resume().on('close', () => setTimeout(ask, 10));
        };
        ask();
      });`;
    const workdir = await scoped.start(process.execPath, '-e', script);
    const events = join(workdir, 'events.json');
    for (let kill = 0; kill < 3; kill++) {
      const {relay, ended} = startRelay(workdir);
      const before = size(events);
      await until(() => size(events) > before || relay.exitCode !== null);
      relay.kill('SIGKILL');
      await ended;
    }
    expect(await startRelay(workdir).ended).toBe(0);
    const all = eventsOf(workdir).filter((event) => event.body?.sourcetype === 'http');
    const said = (source: string) =>
      all
        .filter(({body}) => body.source === source)
        .map(({body}) => `${body.data.http_target} ${body.data.http_user_agent}`);
    const expected = Array.from({length: 2 * requests}, () => '/the/same/path the same agent');
    expect(said('http.req')).toEqual(expected);
    expect(said('http.resp')).toEqual(expected);
  });
});

describe('a program that is killed', () => {
  it('leaves everything it wrote', async () => {
    const script = 'i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo "line $i"; done > k.log; kill -9 $$';
    const workdir = await scoped.start('/bin/sh', '-c', script);
    expect(await startRelay(workdir).ended).toBe(0);
    const text = eventsOf(workdir)
      .filter((event) => event.body?.source === 'k.log')
      .map((event) => event.body.data.message)
      .join('');
    expect(text.split('\n')).toHaveLength(5001);
    expect(metricsOf(workdir).map((metric) => metric._metric)).toContain('fs.write');
  });
});
