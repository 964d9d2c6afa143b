// SPDX-License-Identifier: Apache-2.0
/**
 * HTTP against real servers and clients: what is seen equals the server's own log, under load with keep-alive, with and
 * without sendfile, over TLS and HTTP/2, behind a proxy.
 */
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {observe} from '../helpers/observe.js';
import {freePort} from './support.js';
import {HTTP_CONFIG as CONFIG, has, lines, type Nginx, reachable, seenBy, told, Web} from './web.js';

let web: Web;
beforeAll(() => {
  web = new Web();
});
afterAll(() => {
  web.end();
});
const run = (command: string, ...args: string[]) => web.run(command, ...args);

describe.skipIf(!has('nginx', 'wrk', 'curl', 'h2load'))('nginx', () => {
  it.each([
    ['sendfile on', (s: Nginx) => `http://127.0.0.1:${s.http}/1k.txt`],
    ['sendfile off', (s: Nginx) => `http://127.0.0.1:${s.http}/off/1k.txt`],
    ['sendfile of 1 MiB', (s: Nginx) => `http://127.0.0.1:${s.http}/1m.bin`],
    ['https', (s: Nginx) => `https://127.0.0.1:${s.https}/1k.txt`],
  ])('under wrk, %s: every request of its log', async (_, url) => {
    const server = await web.nginx();
    const seen = await web.serve(server, () => run('wrk', '-t1', '-c16', '-d2', url(server)));
    const log = lines(server.log);
    expect(log.length).toBeGreaterThan(100);
    expect(seen.lost).toEqual({});
    expect(seen.events('http.resp')).toHaveLength(log.length);
    expect(seenBy(seen)).toEqual(told(log));
    expect(seen.metrics('http.req').reduce((sum, metric) => sum + metric.value, 0)).toBe(log.length);
  });

  it.skipIf(process.getuid?.() !== 0)('with more than 1,024 connections, after giving up root', async () => {
    const server = await web.nginx('nobody nogroup');
    const url = `http://127.0.0.1:${server.http}/1k.txt`;
    const seen = await web.serve(server, () => run('sh', '-c', `ulimit -n 8192; wrk -t1 -c3000 -d2 ${url}`));
    const log = lines(server.log);
    expect(log.length).toBeGreaterThan(3000);
    expect(seen.lost).toEqual({});
    expect(seenBy(seen)).toEqual(told(log));
  });

  it('with all kinds of requests: method, target, status, sizes and peer of its log', async () => {
    const server = await web.nginx();
    const at = `http://127.0.0.1:${server.http}`;
    const seen = await web.serve(server, async () => {
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
        `@${join(web.dir, '1m.bin')}`,
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
    const server = await web.nginx();
    const seen = await web.serve(server, async () => {
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
    const server = await web.nginx();
    // Not wrk: it ends in the middle of requests, whose answers the proxy then never reads.
    const seen = await web.serve(server, () =>
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
    const server = await web.nginx();
    const seen = await web.against(server, () =>
      observe([...argv, `https://127.0.0.1:${server.https}/1k.txt`], {config: CONFIG}),
    );
    expect(seenBy(seen, 'client')).toEqual(['GET /1k.txt 200']);
    expect(seen.events('http.resp')[0]).toMatchObject({
      net_peer_port: server.https,
      http_response_content_length: 1024,
    });
    expect(seen.events('http.req')[0]).toMatchObject({http_scheme: 'https'});
  });
});

describe('NSS', () => {
  it.skipIf(!has('nginx', 'tstclnt', 'certutil'))('by its own test client', async () => {
    const server = await web.nginx();
    const db = web.folder('nss');
    await run('certutil', '-N', '-d', db, '--empty-password');
    const ask = 'GET /1k.txt HTTP/1.1\\r\\nHost: h\\r\\nConnection: close\\r\\n\\r\\n';
    const script = `(printf '${ask}'; sleep 1) | timeout 3 tstclnt -h 127.0.0.1 -p ${server.https} -o -d ${db}`;
    const seen = await web.against(server, () => observe(['sh', '-c', script], {config: CONFIG}));
    expect(seenBy(seen, 'client')).toEqual(['GET /1k.txt 200']);
  });
});

describe('other servers', () => {
  it.skipIf(!has('apache2', 'wrk'))('Apache httpd', async () => {
    const base = web.folder('apache');
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
DocumentRoot ${web.dir}
MaxKeepAliveRequests 0
<Directory ${web.dir}>
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
    const base = web.folder('haproxy');
    const [front, back] = [await freePort(), await freePort()];
    const node = web.start(
      process.execPath,
      '-e',
      `require('http').createServer((q, r) => r.end('hello')).listen(${back}, '127.0.0.1')`,
    );
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
