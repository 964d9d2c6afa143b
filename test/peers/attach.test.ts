// SPDX-License-Identifier: Apache-2.0
// Servers under load are attached to and detached from again and again: no request fails, and none dies.
import {type ChildProcess, execFileSync, spawn, spawnSync} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {join} from 'node:path';
import {afterEach, describe, expect, test} from 'vitest';
import {cleanup, launcher, makeDir, run} from '../programs/support.js';
import {endRelays} from '../programs/truth.js';

/** Rounds for each server; more by hand: APPSCOPE_ROUNDS=1000. */
const ROUNDS = Number(process.env.APPSCOPE_ROUNDS ?? 100);
const SECONDS = Math.max(240, 2 * ROUNDS);

const children: ChildProcess[] = [];
const homes: string[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // ended by itself
    }
  }
  await endRelays(homes.splice(0));
  cleanup();
});

function start(argv: string[]): ChildProcess {
  const child = spawn(argv[0]!, argv.slice(1), {stdio: 'ignore', detached: true});
  children.push(child);
  return child;
}

const freePort = () =>
  new Promise<number>((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const {port} = probe.address() as {port: number};
      probe.close(() => done(port));
    });
  });

async function listens(port: number): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (spawnSync('bash', ['-c', `: < /dev/tcp/127.0.0.1/${port}`], {stdio: 'ignore'}).status === 0) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`nothing listens on ${port}`);
}

const has = (command: string) => spawnSync('which', [command]).status === 0;

interface Server {
  name: string;
  needs: string[];
  argv: (port: number, dir: string) => string[];
}

const servers: Server[] = [
  {
    name: 'nginx',
    needs: ['nginx'],
    argv: (port, dir) => {
      mkdirSync(join(dir, 't'));
      writeFileSync(join(dir, 'index.html'), 'hello world\n');
      const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
        .map((t) => `${t}_temp_path ${dir}/t;`)
        .join(' ');
      writeFileSync(
        join(dir, 'conf'),
        `daemon off; master_process off; error_log ${dir}/error.log; pid ${dir}/pid; events {}
         http { access_log off; ${temp} keepalive_requests 1000000; root ${dir}; server { listen 127.0.0.1:${port}; } }`,
      );
      return ['nginx', '-c', join(dir, 'conf')];
    },
  },
  {
    name: 'node',
    needs: ['node'],
    argv: (port) => [
      'node',
      '-e',
      `require('http').createServer((q,r)=>require('fs').readFile('/etc/hostname',()=>r.end('hello world'))).listen(${port},'127.0.0.1')`,
    ],
  },
  {
    name: 'java',
    needs: ['java'],
    argv: (port) => ['java', '-Xmx128m', join(import.meta.dirname, 'servers/Server.java'), String(port)],
  },
  {
    name: 'Go',
    needs: ['go'],
    argv: (port, dir) => {
      execFileSync(
        'go',
        ['build', '-o', join(dir, 'server'), join(import.meta.dirname, 'servers/server.go')],
        {
          env: {...process.env, CGO_ENABLED: '0'},
          timeout: 200_000,
        },
      );
      return [join(dir, 'server'), String(port)];
    },
  },
];

describe.skipIf(!has('wrk'))(`${ROUNDS} rounds of attach and detach under load`, () => {
  for (const server of servers) {
    test.skipIf(!server.needs.every(has))(
      `harm no request of ${server.name}`,
      async () => {
        const dir = makeDir();
        const home = makeDir();
        homes.push(home);
        const port = await freePort();
        const child = start(server.argv(port, dir));
        await listens(port);
        const out = join(dir, 'wrk.out');
        const wrk = start(['sh', '-c', `exec wrk -t1 -c16 -d${SECONDS}s http://127.0.0.1:${port}/ > ${out}`]);
        const env = {SCOPE_HOME: home, SCOPE_NODE: '/bin/true'};
        for (let round = 0; round < ROUNDS; round++) {
          const attached = await run([launcher, 'attach', String(child.pid)], env, {cwd: dir});
          expect([round, attached.stderr, attached.status]).toEqual([round, '', 0]);
          const detached = await run([launcher, 'detach', String(child.pid)], env, {cwd: dir});
          expect([round, detached.stderr, detached.status]).toEqual([round, '', 0]);
        }
        const ended = new Promise((done) => wrk.once('exit', done));
        process.kill(-wrk.pid!, 'SIGINT');
        await ended;
        const report = readFileSync(out, 'utf8');
        expect(child.exitCode).toBeNull();
        expect(Number(/(\d+) requests in/.exec(report)?.[1])).toBeGreaterThan(100);
        expect(report).not.toMatch(/Socket errors|Non-2xx/);
      },
      SECONDS * 1000,
    );
  }
});
