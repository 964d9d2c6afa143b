// SPDX-License-Identifier: Apache-2.0
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {end, exec, interleave, row, serve, variant} from '../bench.mjs';

const nginxConf = (dir, port, tls) => `
daemon off; master_process off; error_log ${dir}/error.log; pid ${dir}/pid;
events { worker_connections 512; }
http { access_log off; keepalive_requests 100000000; sendfile on; root ${dir}; client_body_temp_path ${dir}/t; proxy_temp_path ${dir}/t;
  fastcgi_temp_path ${dir}/t; uwsgi_temp_path ${dir}/t; scgi_temp_path ${dir}/t;
  server { listen 127.0.0.1:${port} ${tls ? 'ssl' : ''}; ${tls ? `ssl_certificate ${dir}/cert.pem; ssl_certificate_key ${dir}/key.pem;` : ''} } }`;

const nodeServer = (dir, port, tls) => `
const opts = ${tls ? `{key: require('fs').readFileSync('${dir}/key.pem'), cert: require('fs').readFileSync('${dir}/cert.pem')}` : '{}'};
require('${tls ? 'https' : 'http'}').createServer(opts, (q, r) => r.end('hello world')).listen(${port}, '127.0.0.1');`;

function wrk(url, seconds) {
  const out = exec(['wrk', '-t1', '-c32', `-d${seconds}s`, url]).stdout;
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(out)[1]);
}

export default async function web() {
  const dir = mkdtempSync('/tmp/appscope-web-');
  mkdirSync(join(dir, 't'));
  writeFileSync(join(dir, '1k'), 'x'.repeat(1024));
  exec([
    'openssl',
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
    '-keyout',
    join(dir, 'key.pem'),
    '-out',
    join(dir, 'cert.pem'),
  ]);
  let port = 18600;
  try {
    for (const [server, tls] of [
      ['nginx', false],
      ['nginx', true],
      ['node', false],
      ['node', true],
    ]) {
      const got = await interleave(['base', 'scope'], 5, async (name) => {
        const v = variant(name);
        port++;
        const conf = join(dir, `conf-${port}`);
        writeFileSync(conf, server === 'nginx' ? nginxConf(dir, port, tls) : nodeServer(dir, port, tls));
        const argv = server === 'nginx' ? ['/usr/sbin/nginx', '-c', conf] : ['node', conf];
        const child = await serve([...v.prefix, ...argv], v.env, port);
        const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}/1k`;
        wrk(url, 1);
        const rate = wrk(url, 3);
        await end(child);
        v.dispose();
        return rate;
      });
      row(
        'web',
        `${server} ${tls ? 'https' : 'http'} requests/s, every event on`,
        got.base,
        got.scope,
        '/s',
        '≥ 0.85x',
      );
    }
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}
