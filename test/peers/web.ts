// SPDX-License-Identifier: Apache-2.0
/** Web servers and clients for tests: files to serve, an nginx with all that is asked of it, commands, what logs say. */
import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {connect} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {ROOT} from '../../src/base/root.js';
import {type Observed, observe} from '../helpers/observe.js';
import {freePort} from './support.js';

const CERT = join(ROOT, 'test/fixtures/tls/cert.pem');
const KEY = join(ROOT, 'test/fixtures/tls/key.pem');

export const HTTP_CONFIG = 'event: {watch: [{type: http}, {type: net}]}';

/** Whether all of these commands are installed. */
export function has(...commands: string[]): boolean {
  return commands.every((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0);
}

/** Until something accepts connections. */
export async function reachable(port: number, host = '127.0.0.1'): Promise<void> {
  for (let i = 0; i < 400; i++) {
    const open = await new Promise<boolean>((done) => {
      const socket = connect(port, host, () => {
        socket.destroy();
        done(true);
      }).on('error', () => done(false));
    });
    if (open) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`nothing listens on ${port}`);
}

export interface Nginx {
  argv: string[];
  log: string;
  http: number;
  https: number;
  h2c: number;
}

/** One per test file. */
export class Web {
  readonly dir = mkdtempSync(join(tmpdir(), 'scope-http-'));
  readonly #running: ChildProcess[] = [];

  constructor() {
    spawnSync('chmod', ['755', this.dir]);
    writeFileSync(join(this.dir, '1k.txt'), 'a'.repeat(1024));
    writeFileSync(join(this.dir, '1m.bin'), Buffer.alloc(1 << 20, 7));
  }

  end(): void {
    for (const child of this.#running) child.kill('SIGKILL');
    rmSync(this.dir, {recursive: true, force: true});
  }

  /** A folder of its own for a server. */
  folder(name: string): string {
    return mkdtempSync(join(this.dir, `${name}-`));
  }

  /** Starts a command that end() ends. */
  start(command: string, ...args: string[]): ChildProcess {
    const child = spawn(command, args, {stdio: 'ignore'});
    this.#running.push(child);
    return child;
  }

  /** Runs a command to its end; its output. */
  run(command: string, ...args: string[]): Promise<string> {
    return new Promise((done, fail) => {
      const child = spawn(command, args, {stdio: ['ignore', 'pipe', 'pipe']});
      this.#running.push(child);
      const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
      let out = '';
      let err = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        out += text;
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        err += text;
      });
      child.on('error', fail);
      child.on('close', (status) => {
        clearTimeout(timer);
        if (status === 0) done(out);
        else fail(new Error(`${command} ${args.join(' ')}: exit ${status}: ${err.slice(-500)}`));
      });
    });
  }

  async nginx(user = 'root', ssl = ''): Promise<Nginx> {
    const base = this.folder('nginx');
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
  access_log ${log} one; keepalive_requests 10000000; ${temps.join(' ')} root ${this.dir};
  server { listen 127.0.0.1:${http}; sendfile on;
    location /off/ { alias ${this.dir}/; sendfile off; }
    location /proxy/ { proxy_pass http://127.0.0.1:${http}/; access_log ${base}/proxy.log one; } }
  server { listen 127.0.0.1:${https} ssl http2; ssl_certificate ${CERT}; ssl_certificate_key ${KEY}; ${ssl} }
  server { listen 127.0.0.1:${h2c} http2; }
}`,
    );
    return {argv: ['nginx', '-p', base, '-c', join(base, 'nginx.conf')], log, http, https, h2c};
  }

  /** Observes a server under a load. */
  serve(server: Nginx, load: () => Promise<unknown>, config = HTTP_CONFIG): Promise<Observed> {
    return observe(server.argv, {
      config,
      timeoutMs: 60_000,
      during: async () => {
        await reachable(server.http);
        await load();
        // The last line of a request is written after its response: the server is asked once more, and both are counted.
        await this.run('curl', '-s', '-o', '/dev/null', `http://127.0.0.1:${server.http}/last`);
      },
    });
  }

  /** What a client is seen to do while a server runs unobserved. */
  async against(server: Nginx, ask: () => Promise<Observed>): Promise<Observed> {
    const child = this.start(server.argv[0]!, ...server.argv.slice(1));
    try {
      await reachable(server.https);
      return await ask();
    } finally {
      child.kill('SIGTERM');
      await new Promise((done) => child.once('close', done));
    }
  }
}

export const lines = (path: string): string[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');

/** `METHOD target status` of each, sorted. */
export const told = (log: string[]): string[] =>
  log.map((line) => line.split(' ').slice(0, 3).join(' ')).sort();

/** The same of the answers that were seen. */
export function seenBy(seen: Observed, role: 'server' | 'client' = 'server'): string[] {
  return seen
    .events('http.resp')
    .filter((data) => `http_${role}_duration` in data)
    .map((data) => `${data.http_method} ${data.http_target} ${data.http_status_code}`)
    .sort();
}
