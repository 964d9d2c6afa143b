// SPDX-License-Identifier: Apache-2.0
// A scoped Go server answers 100,000 requests: none fails, and the counts are exact.
import {type ChildProcess, execFileSync, spawn, spawnSync} from 'node:child_process';
import {readdirSync} from 'node:fs';
import {createServer} from 'node:net';
import {join} from 'node:path';
import {afterEach, describe, expect, test} from 'vitest';
import {COUNTER, openFolder} from '../../src/channel/index.js';
import {cleanup, launcher, makeDir, run} from '../programs/support.js';
import {countCalls, endRelays} from '../programs/truth.js';

const REQUESTS = 100_000;
const CLIENTS = 32;

const children: ChildProcess[] = [];
const homes: string[] = [];
const has = (command: string) => spawnSync('which', [command]).status === 0;

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await endRelays(homes.splice(0));
  cleanup();
});

/** Bytes sent over TCP by all that a folder has channels of. */
function sent(channels: string): number {
  const folder = openFolder(channels);
  folder.scan();
  let bytes = 0;
  for (const channel of folder.channels.values()) bytes += channel.counters()[COUNTER.NET_TX_INET_TCP]!;
  folder.close();
  return bytes;
}

const freePort = () =>
  new Promise<number>((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const {port} = probe.address() as {port: number};
      probe.close(() => done(port));
    });
  });

describe.skipIf(!has('h2load') || !has('go'))(`${REQUESTS} requests to a scoped Go server`, () => {
  test('none fails, every call of them is counted', async () => {
    const dir = makeDir();
    const home = makeDir();
    homes.push(home);
    const server = join(dir, 'server');
    execFileSync('go', ['build', '-o', server, join(import.meta.dirname, 'servers/server.go')], {
      env: {...process.env, CGO_ENABLED: '0'},
      timeout: 200_000,
    });
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/`;
    const child = spawn(launcher, [server, String(port)], {
      env: {...process.env, SCOPE_HOME: home, SCOPE_NODE: '/bin/true', GOGC: '20'},
      stdio: 'ignore',
    });
    children.push(child);
    let ready = false;
    for (let i = 0; i < 300 && !ready; i++) {
      ready = await fetch(url).then(
        (answer) => answer.ok,
        () => false,
      );
      if (!ready) await new Promise((done) => setTimeout(done, 50));
    }
    const channels = join(home, 'history', readdirSync(join(home, 'history'))[0]!, 'channels');
    const before = countCalls(channels);
    const sentBefore = sent(channels);
    const load = await run(
      ['h2load', '--h1', '-n', String(REQUESTS), '-c', String(CLIENTS), url],
      {},
      {timeoutMs: 100_000},
    );
    expect(load.status).toBe(0);
    expect(load.stdout).toMatch(`${REQUESTS} done, ${REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout`);
    expect(load.stdout).toMatch(`${REQUESTS} 2xx, 0 3xx, 0 4xx, 0 5xx`);
    const after = countCalls(channels);
    const more = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
    // Each request opens a file, whose state Go asks for, and is answered by one write; its scheduler writes, too.
    expect([more('openat'), more('fstat')]).toEqual([REQUESTS, REQUESTS]);
    expect(more('write')).toBeGreaterThanOrEqual(REQUESTS);
    expect(sent(channels) - sentBefore).toBe(Number(/traffic: \S+ \((\d+)\) total/.exec(load.stdout)?.[1]));
    expect(more('accept4')).toBeGreaterThanOrEqual(CLIENTS);
    expect(child.exitCode).toBeNull();
  });
});
