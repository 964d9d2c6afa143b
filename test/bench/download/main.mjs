// SPDX-License-Identifier: Apache-2.0
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {end, exec, interleave, root, row, serve, variant} from '../bench.mjs';

const GIB = 1 << 30;
const ROUNDS = 5;
const DOWNLOADS = 3;

const conf = (dir, port, {sendfile, tls}) => `
daemon off; master_process off; error_log ${dir}/error.log; pid ${dir}/pid;
events { worker_connections 512; }
http { access_log off; sendfile ${sendfile}; root ${dir}; client_body_temp_path ${dir}/t; proxy_temp_path ${dir}/t;
  fastcgi_temp_path ${dir}/t; uwsgi_temp_path ${dir}/t; scgi_temp_path ${dir}/t;
  server { listen 127.0.0.1:${port} ${tls ? 'ssl' : ''};
    ${tls ? `ssl_certificate ${root}/test/fixtures/tls/cert.pem; ssl_certificate_key ${root}/test/fixtures/tls/key.pem;` : ''} } }`;

/** Seconds that a process with one thread has run. */
const ran = (pid) => Number(readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ')[0]) / 1e9;

const curl = (url) => ['curl', '-sk', '-o', '/dev/null', url];

/** Runs a command; the seconds it took and the processor time it used itself, as bash's `times` says. */
function timed(argv, env) {
  const {stdout, seconds} = exec(
    ['bash', '-c', 'TIMEFORMAT="%U %S"; { time "$@"; } 2>&1', 'bash', ...argv],
    env,
  );
  const [user, system] = stdout.trim().split('\n').at(-1).split(' ').map(Number);
  return {seconds, cpu: user + system};
}

/** Both numbers of each variant in turns: by wall time the median, by processor time the best download of all. */
async function compare(what, sample) {
  const cpu = {base: 0, scope: 0};
  const wall = await interleave(['base', 'scope'], ROUNDS, async (name) => {
    const downloads = await sample(name);
    for (const one of downloads) cpu[name] = Math.max(cpu[name], 1 / one.cpu);
    return downloads.length / downloads.reduce((sum, one) => sum + one.seconds, 0);
  });
  row('download', `${what}, GiB/s`, wall.base, wall.scope, 'GiB/s', '≥ 0.97x');
  row('download', `${what}, GiB per processor second`, cpu.base, cpu.scope, 'GiB/s', '≥ 0.97x');
}

export default async function download() {
  const dir = mkdtempSync('/dev/shm/appscope-download-');
  let port = 18700;
  try {
    mkdirSync(join(dir, 't'));
    const chunk = Buffer.alloc(1 << 24, 'x');
    for (let i = 0; i < GIB / chunk.length; i++) writeFileSync(join(dir, 'file'), chunk, {flag: 'a'});
    const start = async (v, kind) => {
      port++;
      const path = join(dir, `conf-${port}`);
      writeFileSync(path, conf(dir, port, kind));
      const child = await serve([...v.prefix, '/usr/sbin/nginx', '-c', path], v.env, port);
      return {child, url: `${kind.tls ? 'https' : 'http'}://127.0.0.1:${port}/file`};
    };
    for (const [what, kind] of [
      ['nginx with sendfile', {sendfile: 'on', tls: false}],
      ['nginx without sendfile', {sendfile: 'off', tls: false}],
      ['nginx over TLS', {sendfile: 'on', tls: true}],
    ]) {
      await compare(what, async (name) => {
        const v = variant(name);
        const {child, url} = await start(v, kind);
        const downloads = Array.from({length: DOWNLOADS}, () => {
          const before = ran(child.pid);
          const {seconds} = exec(curl(url));
          return {seconds, cpu: ran(child.pid) - before};
        });
        await end(child);
        v.dispose();
        return downloads;
      });
    }
    const base = variant('base');
    const {child, url} = await start(base, {sendfile: 'on', tls: false});
    try {
      await compare('curl from an unscoped nginx', async (name) => {
        const v = variant(name);
        const downloads = Array.from({length: DOWNLOADS}, () => timed([...v.prefix, ...curl(url)], v.env));
        v.dispose();
        return downloads;
      });
    } finally {
      await end(child);
    }
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}
