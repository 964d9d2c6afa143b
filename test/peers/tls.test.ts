// SPDX-License-Identifier: Apache-2.0
/**
 * TLS libraries of other versions and makers: OpenSSL 1.0.2, 1.1.1 and BoringSSL, loaded late, with and without a
 * descriptor of their own. Plaintext is seen with the connection's addresses, ciphertext is not read as anything.
 */
import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {ROOT} from '../../src/base/root.js';
import {type Observed, observe} from '../helpers/observe.js';
import {inside} from './roots.js';
import {freePort, installed} from './support.js';
import {HTTP_CONFIG, has, type Nginx, seenBy, Web} from './web.js';

const CLIENT = join(ROOT, 'test/peers/servers/tls_client.py');
const CERT = join(ROOT, 'test/fixtures/tls/cert.pem');
const KEY = join(ROOT, 'test/fixtures/tls/key.pem');

let web: Web;
beforeAll(() => {
  web = new Web();
});
afterAll(() => {
  web.end();
});

/** The libssl in a folder of the cache, and the folder for the loader. */
function libssl(folder: string): {file: string; dir: string} | undefined {
  const dir = installed(folder);
  const name = dir && readdirSync(dir).find((entry) => entry.startsWith('libssl'));
  return dir && name ? {file: join(dir, name), dir} : undefined;
}

/** What every exchange of a client over TLS must look like. */
function expectClient(seen: Observed, server: Nginx, targets: string[]): void {
  expect(seen.stderr).toBe('');
  expect(seen.status).toBe(0);
  expect(seenBy(seen, 'client')).toEqual(targets.map((target) => `GET ${target} 200`));
  for (const data of seen.events('http.req')) {
    expect(data).toMatchObject({http_scheme: 'https', net_peer_ip: '127.0.0.1', net_peer_port: server.https});
  }
  for (const data of seen.events('http.resp')) expect(data.http_response_content_length).toBe(1024);
  const closed = seen.events('net.close').filter((data) => data.net_peer_port === server.https);
  expect(closed.map((data) => data.net_protocol)).toEqual(targets.map(() => 'http'));
}

describe.each([
  ['OpenSSL 1.0.2', 'openssl102'],
  ['BoringSSL', 'boringssl'],
])('%s', (_, folder) => {
  const found = libssl(folder);
  it.skipIf(!found || !has('nginx')).each([
    ['with its descriptor', ['fd'], ['/1k.txt?late']],
    ['fed from memory', ['memory'], ['/1k.txt?late']],
    ["beside Python's own", ['memory', 'system'], ['/1k.txt?late', '/1k.txt?system']],
  ])('loaded late, %s', async (_name, [how, ...more], targets) => {
    const server = await web.nginx();
    const argv = ['/usr/bin/python3', CLIENT, found!.file, how!, String(server.https), ...more];
    const seen = await web.against(server, () =>
      observe(argv, {config: HTTP_CONFIG, env: {LD_LIBRARY_PATH: found!.dir}}),
    );
    expectClient(seen, server, targets);
  });
});

const bullseye = installed('chroot-bullseye');
const complete = bullseye !== undefined && existsSync(join(bullseye, 'usr/bin/curl'));

describe.skipIf(!complete || process.getuid?.() !== 0 || !has('nginx'))(
  'OpenSSL 1.1.1 of Debian bullseye',
  () => {
    const python = `
import ssl, sys, urllib.request
urllib.request.urlopen(sys.argv[1], context=ssl._create_unverified_context()).read()`;
    it.each([
      ['curl', ['curl', '-sk', '--http1.1', '-o', '/dev/null']],
      ['curl with HTTP/2', ['curl', '-sk', '--http2', '-o', '/dev/null']],
      ['python', ['python3', '-c', python]],
    ])('%s', async (_, argv) => {
      const server = await web.nginx();
      const url = `https://127.0.0.1:${server.https}/1k.txt`;
      const seen = await web.against(server, () =>
        observe(inside('bullseye', [...argv, url]), {config: HTTP_CONFIG}),
      );
      expectClient(seen, server, ['/1k.txt']);
    });

    it('s_client', async () => {
      const server = await web.nginx();
      const script = `(printf 'GET /1k.txt HTTP/1.1\\r\\nHost: h\\r\\nConnection: close\\r\\n\\r\\n'; sleep 1) |
      openssl s_client -quiet -ign_eof -connect 127.0.0.1:${server.https} >/dev/null 2>&1`;
      const seen = await web.against(server, () =>
        observe(inside('bullseye', ['sh', '-c', script]), {config: HTTP_CONFIG}),
      );
      expectClient(seen, server, ['/1k.txt']);
    });

    it('s_server', async () => {
      const port = await freePort();
      // It sends what it reads from its standard input to whoever is connected. With -www it would use a BIO.
      const answer = "printf 'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nhi'";
      const script = `(sleep 2; ${answer}; sleep 1) | openssl s_server -quiet -naccept 1 -accept 127.0.0.1:${port} \
        -cert ${CERT} -key ${KEY} >/dev/null`;
      const seen = await observe(inside('bullseye', ['sh', '-c', script]), {
        config: HTTP_CONFIG,
        during: async () => {
          const url = `https://127.0.0.1:${port}/x`;
          await web.run(
            'curl',
            '-sk',
            '--retry',
            '30',
            '--retry-delay',
            '0',
            '--retry-connrefused',
            '-o',
            '/dev/null',
            url,
          );
        },
      });
      expect(seenBy(seen)).toEqual(['GET /x 200']);
      for (const data of seen.events('http.resp')) {
        expect(data).toMatchObject({http_scheme: 'https', net_host_port: port, net_peer_ip: '127.0.0.1'});
      }
    });
  },
);
