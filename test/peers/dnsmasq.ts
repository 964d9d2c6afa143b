// SPDX-License-Identifier: Apache-2.0
/** A real name server on port 53 of an address of the loopback device that nobody else uses; needs root. */
import {type ChildProcess, spawn} from 'node:child_process';
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {reachable} from './web.js';

export interface Query {
  type: string;
  name: string;
}

/** Its names: host0 … host99, six, alias (to host1), big (60 addresses), `_web._tcp` (SRV), 192.0.2.x (PTR); all in `test`. */
function records(): string {
  const hosts = Array.from({length: 100}, (_, i) => `host-record=host${i}.test,192.0.2.${i + 1}`);
  const big = Array.from({length: 60}, (_, i) => `host-record=big.test,198.51.100.${i + 1}`);
  return [
    ...hosts,
    ...big,
    'host-record=six.test,2001:db8::5',
    'host-record=both.test,192.0.2.200,2001:db8::200',
    'cname=alias.test,host1.test',
    'srv-host=_web._tcp.test,host2.test,8080',
  ].join('\n');
}

let used = 0;

export class Dnsmasq {
  readonly address: string;
  readonly #log: string;
  readonly #child: ChildProcess;

  private constructor(address: string, log: string, child: ChildProcess) {
    this.address = address;
    this.#log = log;
    this.#child = child;
  }

  static async start(folder: string, port = 53): Promise<Dnsmasq> {
    const address = `127.77.${process.pid % 250}.${++used}`;
    const log = join(folder, 'dnsmasq.log');
    const conf = join(folder, 'dnsmasq.conf');
    writeFileSync(
      conf,
      `
keep-in-foreground
no-resolv
no-hosts
user=root
listen-address=${address}
bind-interfaces
local=/test/
log-queries
log-facility=${log}
pid-file=
port=${port}
${records()}
`,
    );
    const child = spawn('dnsmasq', ['-C', conf], {stdio: 'ignore'});
    const server = new Dnsmasq(address, log, child);
    await reachable(port, address);
    return server;
  }

  /** What it was asked, by its log, in order. */
  queries(): Query[] {
    return [...readFileSync(this.#log, 'utf8').matchAll(/query\[([A-Z]+)\] (\S+) from/g)].map(
      ([, type, name]) => ({
        type: type!,
        name: name!,
      }),
    );
  }

  async stop(): Promise<void> {
    const gone = new Promise((done) => this.#child.once('close', done));
    this.#child.kill('SIGTERM');
    await gone;
  }
}
