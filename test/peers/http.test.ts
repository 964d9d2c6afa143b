// SPDX-License-Identifier: Apache-2.0
/**
 * HTTP against real servers and clients: what is seen equals the server's own log, under load with keep-alive, with and
 * without sendfile, over TLS and HTTP/2, behind a proxy.
 */
import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {connect, createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {ROOT} from '../../src/base/root.js';
import {type Observed, observe} from '../helpers/observe.js';

const CONFIG = 'event: {watch: [{type: http}, {type: net}]}';
const CERT = join(ROOT, 'test/fixtures/tls/cert.pem');
const KEY = join(ROOT, 'test/fixtures/tls/key.pem');
let dir: string;
const running: ChildProcess[] = [];

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-http-'));
  spawnSync('chmod', ['755', dir]);
  writeFileSync(join(dir, '1k.txt'), 'a'.repeat(1024));
  writeFileSync(join(dir, '1m.bin'), Buffer.alloc(1 << 20, 7));
});

afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(dir, {recursive: true, force: true});
});

/** Whether all of these commands are installed. */
function has(...commands: string[]): boolean {
  return commands.every((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0);
}

/** A port that nobody listens on now. */
function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const {port} = server.address() as {port: number};
      server.close(() => done(port));
    });
  });
}

/** Until something accepts connections. */
async function reachable(port: number): Promise<void> {
  for (let i = 0; i < 400; i++) {
    const open = await new Promise<boolean>((done) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        done(true);
      }).on('error', () => done(false));
    });
    if (open) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`nothing listens on ${port}`);
}

function run(command: string, ...args: string[]): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, {stdio: ['ignore', 'pipe', 'pipe']});
    running.push(child);
    const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.on('error', fail);
    child.on('close', (status) => {
      clearTimeout(timer);
      if (status === 0) done(out);
      else fail(new Error(`${command} ${args.join(' ')}: exit ${status}`));
    });
  });
}

interface Nginx {
  argv: string[];
  log: string;
  http: number;
  https: number;
  h2c: number;
}

async function nginx(user = 'root'): Promise<Nginx> {
  const base = mkdtempSync(join(dir, 'nginx-'));
  const [http, https, h2c] = [await freePort(), await freePort(), await freePort()];
  const log = join(base, 'access.log');
  // "user root": a test may run as root, whose folder under /tmp is not everybody's.
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${base}/${name};`,
  );
  writeFileSync(
    join(base, 'nginx.conf'),
    `
daemon off; worker_processes 2; user ${user}; worker_rlimit_nofile 8192; pid ${base}/pid; error_log ${base}/error.log;
events { worker_connections 4096; }
http {
  log_format one '$request_method $request_uri $status $body_bytes_sent $request_length $remote_port';
  access_log ${log} one; keepalive_requests 10000000; ${temps.join(' ')} root ${dir};
  server { listen 127.0.0.1:${http}; sendfile on;
    location /off/ { alias ${dir}/; sendfile off; }
    location /proxy/ { proxy_pass http://127.0.0.1:${http}/; access_log ${base}/proxy.log one; } }
  server { listen 127.0.0.1:${https} ssl http2; ssl_certificate ${CERT}; ssl_certificate_key ${KEY}; }
  server { listen 127.0.0.1:${h2c} http2; }
}`,
  );
  return {argv: ['nginx', '-p', base, '-c', join(base, 'nginx.conf')], log, http, https, h2c};
}

const lines = (path: string): string[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');

/** `METHOD target status` of each, sorted. */
const told = (log: string[]): string[] => log.map((line) => line.split(' ').slice(0, 3).join(' ')).sort();
function seenBy(seen: Observed, role: 'server' | 'client' = 'server'): string[] {
  return seen
    .events('http.resp')
    .filter((data) => `http_${role}_duration` in data)
    .map((data) => `${data.http_method} ${data.http_target} ${data.http_status_code}`)
    .sort();
}

function serve(server: Nginx, load: () => Promise<unknown>): Promise<Observed> {
  return observe(server.argv, {
    config: CONFIG,
    timeoutMs: 60_000,
    during: async () => {
      await reachable(server.http);
      await load();
      // The last line of a request is written after its response: the server is asked once more, and both are counted.
      await run('curl', '-s', '-o', '/dev/null', `http://127.0.0.1:${server.http}/last`);
    },
  });
}

describe.skipIf(!has('nginx', 'wrk', 'curl', 'h2load'))('nginx', () => {
  it.each([
    ['sendfile on', (s: Nginx) => `http://127.0.0.1:${s.http}/1k.txt`],
    ['sendfile off', (s: Nginx) => `http://127.0.0.1:${s.http}/off/1k.txt`],
    ['sendfile of 1 MiB', (s: Nginx) => `http://127.0.0.1:${s.http}/1m.bin`],
    ['https', (s: Nginx) => `https://127.0.0.1:${s.https}/1k.txt`],
  ])('under wrk, %s: every request of its log', async (_, url) => {
    const server = await nginx();
    const seen = await serve(server, () => run('wrk', '-t1', '-c16', '-d2', url(server)));
    const log = lines(server.log);
    expect(log.length).toBeGreaterThan(100);
    expect(seen.lost).toEqual({});
    expect(seen.events('http.resp')).toHaveLength(log.length);
    expect(seenBy(seen)).toEqual(told(log));
    expect(seen.metrics('http.req').reduce((sum, metric) => sum + metric.value, 0)).toBe(log.length);
  });

  it.skipIf(process.getuid?.() !== 0)('with more than 1,024 connections, after giving up root', async () => {
    const server = await nginx('nobody nogroup');
    const url = `http://127.0.0.1:${server.http}/1k.txt`;
    const seen = await serve(server, () => run('sh', '-c', `ulimit -n 8192; wrk -t1 -c3000 -d2 ${url}`));
    const log = lines(server.log);
    expect(log.length).toBeGreaterThan(3000);
    expect(seen.lost).toEqual({});
    expect(seenBy(seen)).toEqual(told(log));
  });

  it('with all kinds of requests: method, target, status, sizes and peer of its log', async () => {
    const server = await nginx();
    const at = `http://127.0.0.1:${server.http}`;
    const seen = await serve(server, async () => {
      await run('curl', '-s', '-o', '/dev/null', '-o', '/dev/null', `${at}/1k.txt?q=1`, `${at}/nosuch`);
      await run('curl', '-s', '-I', `${at}/1m.bin`);
      await run('curl', '-s', '-o', '/dev/null', '-r', '10-19', `${at}/1k.txt`);
      await run(
        'curl',
        '-s',
        '-o',
        '/dev/null',
        '-X',
        'POST',
        '-H',
        'Expect: 100-continue',
        '-d',
        `@${join(dir, '1m.bin')}`,
        `${at}/1k.txt`,
      );
      await run(
        'curl',
        '-s',
        '-o',
        '/dev/null',
        '-H',
        'Transfer-Encoding: chunked',
        '-d',
        'abc',
        `${at}/1k.txt`,
      );
      await run('curl', '-s', '-0', '-o', '/dev/null', `${at}/1k.txt`);
    });
    const log = lines(server.log);
    expect(seenBy(seen)).toEqual(told(log));
    const responses = new Map(
      seen
        .events('http.resp')
        .map((data) => [`${data.http_target} ${data.http_status_code} ${data.net_peer_port}`, data]),
    );
    for (const line of log) {
      const [method, target, status, bytes, , port] = line.split(' ');
      const data = responses.get(`${target} ${status} ${port}`);
      expect(data).toMatchObject({http_method: method, net_peer_ip: '127.0.0.1', net_host_port: server.http});
      if (method !== 'HEAD') expect(data!.http_response_content_length).toBe(Number(bytes));
    }
  });

  it('HTTP/2 with and without TLS, many streams at once', async () => {
    const server = await nginx();
    const seen = await serve(server, async () => {
      await run('h2load', '-n', '500', '-c', '4', '-m', '20', `https://127.0.0.1:${server.https}/1k.txt`);
      await run('h2load', '-n', '500', '-c', '4', '-m', '20', `http://127.0.0.1:${server.h2c}/1m.bin`);
      await run(
        'curl',
        '-sk',
        '--http2',
        '-o',
        '/dev/null',
        '-d',
        'abc',
        `https://127.0.0.1:${server.https}/1k.txt`,
      );
    });
    const log = lines(server.log);
    expect(log).toHaveLength(1002);
    expect(seenBy(seen)).toEqual(told(log));
    expect(seen.events('http.resp').filter((data) => data.http_flavor === '2.0')).toHaveLength(1001);
  });

  it('as a proxy: what it is asked and what it asks', async () => {
    const server = await nginx();
    // Not wrk: it ends in the middle of requests, whose answers the proxy then never reads.
    const seen = await serve(server, () =>
      run('h2load', '--h1', '-n', '10000', '-c', '4', `http://127.0.0.1:${server.http}/proxy/1k.txt`),
    );
    const asked = told(lines(server.log.replace('access.log', 'proxy.log')));
    expect(seenBy(seen)).toEqual([...told(lines(server.log)), ...asked].sort());
    expect(seenBy(seen, 'client')).toEqual(asked.map(() => 'GET /1k.txt 200'));
  });
});

describe.skipIf(!has('nginx', 'curl', 'wget'))('clients', () => {
  it.each([
    ['curl', ['curl', '-sk', '--http1.1', '-o', '/dev/null']],
    ['curl with HTTP/2', ['curl', '-sk', '--http2', '-o', '/dev/null']],
    ['wget (GnuTLS)', ['wget', '-q', '--no-check-certificate', '-O', '/dev/null']],
    [
      'python',
      [
        '/usr/bin/python3',
        '-c',
        `
import ssl, sys, urllib.request
for url in sys.argv[1:]:
    urllib.request.urlopen(url, context=ssl._create_unverified_context()).read()`,
      ],
    ],
    [
      'node',
      [
        process.execPath,
        '-e',
        `
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
const [url] = process.argv.slice(1);
require('https').get(url, (r) => r.resume());`,
      ],
    ],
  ])('%s over TLS', async (_, argv) => {
    const server = await nginx();
    const child = spawn(server.argv[0]!, server.argv.slice(1), {stdio: 'ignore'});
    running.push(child);
    try {
      await reachable(server.https);
      const seen = await observe([...argv, `https://127.0.0.1:${server.https}/1k.txt`], {config: CONFIG});
      expect(seenBy(seen, 'client')).toEqual(['GET /1k.txt 200']);
      expect(seen.events('http.resp')[0]).toMatchObject({
        net_peer_port: server.https,
        http_response_content_length: 1024,
      });
      expect(seen.events('http.req')[0]).toMatchObject({http_scheme: 'https'});
    } finally {
      child.kill('SIGTERM');
      await new Promise((done) => child.once('close', done));
    }
  });
});

describe('NSS', () => {
  it.skipIf(!has('nginx', 'tstclnt', 'certutil'))('by its own test client', async () => {
    const server = await nginx();
    const child = spawn(server.argv[0]!, server.argv.slice(1), {stdio: 'ignore'});
    running.push(child);
    try {
      await reachable(server.https);
      const db = mkdtempSync(join(dir, 'nss-'));
      await run('certutil', '-N', '-d', db, '--empty-password');
      const ask = 'GET /1k.txt HTTP/1.1\\r\\nHost: h\\r\\nConnection: close\\r\\n\\r\\n';
      const script = `(printf '${ask}'; sleep 1) | timeout 3 tstclnt -h 127.0.0.1 -p ${server.https} -o -d ${db}`;
      const seen = await observe(['sh', '-c', script], {config: CONFIG});
      expect(seenBy(seen, 'client')).toEqual(['GET /1k.txt 200']);
    } finally {
      child.kill('SIGTERM');
      await new Promise((done) => child.once('close', done));
    }
  });
});

describe('other servers', () => {
  it.skipIf(!has('apache2', 'wrk'))('Apache httpd', async () => {
    const base = mkdtempSync(join(dir, 'apache-'));
    const port = await freePort();
    const log = join(base, 'access.log');
    const modules = ['mpm_event', 'authz_core', 'alias', 'ssl', 'dir'].map(
      (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`,
    );
    writeFileSync(
      join(base, 'httpd.conf'),
      `
ServerRoot ${base}
PidFile ${base}/pid
Listen 127.0.0.1:${port}
ServerName localhost
${modules.join('\n')}
ErrorLog ${base}/error.log
LogFormat "%m %U%q %>s" one
CustomLog ${log} one
DocumentRoot ${dir}
MaxKeepAliveRequests 0
<Directory ${dir}>
Require all granted
</Directory>
Mutex file:${base} default
`,
    );
    const seen = await observe(['apache2', '-DFOREGROUND', '-f', join(base, 'httpd.conf')], {
      config: CONFIG,
      timeoutMs: 60_000,
      during: async () => {
        await reachable(port);
        await run('wrk', '-t1', '-c8', '-d1', `http://127.0.0.1:${port}/1k.txt`);
        await run('curl', '-s', '-o', '/dev/null', `http://127.0.0.1:${port}/nosuch`);
      },
    });
    const told_ = told(lines(log));
    expect(told_.length).toBeGreaterThan(100);
    expect(seenBy(seen)).toEqual(told_);
  });

  it.skipIf(!has('haproxy'))('haproxy in front of node', async () => {
    const base = mkdtempSync(join(dir, 'haproxy-'));
    const [front, back] = [await freePort(), await freePort()];
    const node = spawn(
      process.execPath,
      ['-e', `require('http').createServer((q, r) => r.end('hello')).listen(${back}, '127.0.0.1')`],
      {stdio: 'ignore'},
    );
    running.push(node);
    writeFileSync(
      join(base, 'haproxy.cfg'),
      `
global
  nbthread 2
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen it
  bind 127.0.0.1:${front}
  server one 127.0.0.1:${back}
`,
    );
    await reachable(back);
    let requests = 0;
    const seen = await observe(['haproxy', '-db', '-f', join(base, 'haproxy.cfg')], {
      config: CONFIG,
      timeoutMs: 60_000,
      during: async () => {
        await reachable(front);
        for (let i = 0; i < 20; i++) {
          await run(
            'curl',
            '-s',
            '-o',
            '/dev/null',
            `http://127.0.0.1:${front}/a${i}`,
            `http://127.0.0.1:${front}/b${i}`,
          );
          requests += 2;
        }
      },
    });
    node.kill('SIGKILL');
    // The connection that only looked whether it listens is told off without having asked.
    const served = seenBy(seen).filter((line) => !line.startsWith('undefined'));
    expect(served).toHaveLength(requests);
    expect(seenBy(seen, 'client')).toEqual(served);
  });
});
