// SPDX-License-Identifier: Apache-2.0
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {
  cpuSeconds,
  end,
  exec,
  interleave,
  median,
  relayPid,
  row,
  scope,
  serve,
  value,
  variant,
} from '../bench.mjs';

const nginxConf = (dir, port, tls) => `
daemon off; master_process off; error_log ${dir}/error.log; pid ${dir}/pid;
events { worker_connections 512; }
http { access_log off; keepalive_requests 100000000; sendfile on; root ${dir}; client_body_temp_path ${dir}/t; proxy_temp_path ${dir}/t;
  fastcgi_temp_path ${dir}/t; uwsgi_temp_path ${dir}/t; scgi_temp_path ${dir}/t;
  server { listen 127.0.0.1:${port} ${tls ? 'ssl' : ''}; ${tls ? `ssl_certificate ${dir}/cert.pem; ssl_certificate_key ${dir}/key.pem;` : ''} } }`;

const nodeServer = (dir, port, tls) => `
const opts = ${tls ? `{key: require('fs').readFileSync('${dir}/key.pem'), cert: require('fs').readFileSync('${dir}/cert.pem')}` : '{}'};
require('${tls ? 'https' : 'http'}').createServer(opts, (q, r) => r.end('hello world')).listen(${port}, '127.0.0.1');`;

/** The limit of a service's library: its events above it are counted, not recorded. */
const LIMITED = 'event: {enable: true, format: {maxeventpersec: 10000}}\n';
const WARM_UP_SECONDS = 1;
const SECONDS = 6;
/** The spool of a session relay that puts its work off is full after this. */
const FILL_SECONDS = 15;
const STEADY_SECONDS = 20;

function wrk(url, seconds) {
  const out = exec(['wrk', '-t1', '-c32', `-d${seconds}s`, url]).stdout;
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(out)[1]);
}

/** A load that goes on for longer than a session relay can put its work off. */
export async function steady(dir) {
  let port = 18700;
  const relay = [];
  const server = {base: [], scope: []};
  const got = await interleave(['base', 'scope'], 3, async (name) => {
    const v = variant(name);
    const conf = join(dir, `conf-${++port}`);
    writeFileSync(conf, nginxConf(dir, port, false));
    const child = await serve([...v.prefix, '/usr/sbin/nginx', '-c', conf], v.env, port);
    const url = `http://127.0.0.1:${port}/1k`;
    wrk(url, FILL_SECONDS);
    const pid = name === 'scope' ? relayPid(v.env.SCOPE_HOME) : child.pid;
    const before = [cpuSeconds(pid), cpuSeconds(child.pid)];
    const rate = wrk(url, STEADY_SECONDS);
    const exchanges = rate * STEADY_SECONDS;
    if (name === 'scope') relay.push(((cpuSeconds(pid) - before[0]) * 1e9) / exchanges);
    server[name].push(((cpuSeconds(child.pid) - before[1]) * 1e9) / exchanges);
    await end(child);
    v.dispose();
    return rate;
  });
  row(
    'web',
    `steady: nginx http requests/s, ${FILL_SECONDS} s after the beginning`,
    got.base,
    got.scope,
    '/s',
    '',
  );
  value('web', "steady: the relay's processor time for an exchange", `${median(relay).toFixed(0)} ns`, '');
  row(
    'web',
    "steady: nginx' processor time for an exchange",
    median(server.base) / 1000,
    median(server.scope) / 1000,
    'µs',
    '',
  );
}

/** Resident memory of a process, MiB. */
function rss(pid) {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) / 1024;
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
    const limited = join(dir, 'limited.yml');
    writeFileSync(limited, LIMITED);
    for (const [server, tls] of [
      ['nginx', false],
      ['nginx', true],
      ['node', false],
      ['node', true],
    ]) {
      const behind = [];
      const memory = {};
      const names = tls ? ['base', 'scope'] : ['base', 'scope', 'limited'];
      const got = await interleave(names, 5, async (name) => {
        const v = variant(name === 'limited' ? 'scope' : name);
        const flags = name === 'limited' ? ['run', '-u', limited, '--'] : [];
        port++;
        const conf = join(dir, `conf-${port}`);
        writeFileSync(conf, server === 'nginx' ? nginxConf(dir, port, tls) : nodeServer(dir, port, tls));
        const argv = server === 'nginx' ? ['/usr/sbin/nginx', '-c', conf] : ['node', conf];
        const child = await serve([...v.prefix, ...flags, ...argv], v.env, port);
        const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}/1k`;
        wrk(url, WARM_UP_SECONDS);
        const rate = wrk(url, SECONDS);
        memory[name] = rss(child.pid);
        await end(child);
        if (name === 'scope') behind.push(exec([scope, 'events', '-n', '1'], v.env).seconds);
        v.dispose();
        return rate;
      });
      const what = `${server} ${tls ? 'https' : 'http'} requests/s`;
      row('web', `${what}, every event on`, got.base, got.scope, '/s', '≥ 0.85x');
      console.log(
        `| web | ${what}: until a query right after the load has everything, s | | ${median(behind).toFixed(2)} | | | |`,
      );
      row(
        'web',
        `${server} ${tls ? 'https' : 'http'}: resident memory under that load`,
        memory.base,
        memory.scope,
        'MiB',
        '≤ +3 MiB',
      );
      if (got.limited) row('web', `${what}, maxeventpersec 10000`, got.base, got.limited, '/s', '≥ 0.93x');
    }
    await steady(dir);
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}
