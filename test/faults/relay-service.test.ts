// SPDX-License-Identifier: Apache-2.0
// The real service on real programs: order of starting, kill -9, reload, dead destinations, hostile channels, stop.
import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {NATIVE, ROOT} from '../../src/base/root.js';
import type {ServiceStatus} from '../../src/relay/service/status.js';

const MAIN = join(ROOT, 'dist/main.js');
const WAIT = {timeout: 30_000, interval: 50};
let dir: string;
let channels: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-relay-'));
  channels = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'scope-relay-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
  for (const path of [dir, channels]) rmSync(path, {recursive: true, force: true});
});

interface Relay {
  child: ChildProcess;
  log(): string;
  /** Ends it; resolves to its exit status. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** `keys`: more of `relay`. */
function configure(text: string, keys = ''): string {
  const file = join(dir, 'relay.yml');
  const head = `relay: {dir: ${channels}, state_dir: ${dir}/state, self_metrics: false, stop_timeout: 10s${keys}}\nlibscope: {summaryperiod: 1}\n`;
  writeFileSync(file, head + text.replaceAll('DIR', dir));
  return file;
}

async function relay(text: string, keys = ''): Promise<Relay> {
  const child = spawn(process.execPath, [MAIN, 'relay', '-u', configure(text, keys)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: environment({}),
  });
  children.push(child);
  let log = '';
  child.stderr!.setEncoding('utf8').on('data', (part: string) => {
    log += part;
  });
  await expect.poll(() => log, WAIT).toMatch(/ reads /);
  const gone = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  return {
    child,
    log: () => log,
    end: (signal) => {
      child.kill(signal);
      return gone;
    },
  };
}

/** Nothing of our own environment may reach the programs. */
function environment(own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const base = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('SCOPE_') && name !== 'LD_PRELOAD'),
  );
  return {...base, HOME: dir, ...own};
}
const scoped = (own: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv =>
  environment({LD_PRELOAD: NATIVE.libscope, SCOPE_DIR: channels, ...own});

function app(script: string): void {
  const done = spawnSync('/bin/bash', ['-c', script], {env: scoped(), stdio: 'ignore', timeout: 60_000});
  expect(done.status).toBe(0);
}

const text = (name: string): string =>
  existsSync(join(dir, name)) ? readFileSync(join(dir, name), 'utf8') : '';
const status = (): ServiceStatus =>
  JSON.parse(readFileSync(join(dir, 'state/status.json'), 'utf8')) as ServiceStatus;
function balanced(): boolean {
  return status().exporters.every(
    ({accepted, sent, queued, dropped}) =>
      accepted === sent + queued + Object.values(dropped).reduce((a, b) => a + b, 0),
  );
}

const CONSOLE = 'routes: [{match: {kind: event, sourcetype: console}, to: [out]}]\n';

describe('scope relay', () => {
  it('takes processes that ran before it and those that come after', async () => {
    app('echo before');
    const one = await relay(`exporters: {out: {type: file, path: DIR/out}}\n${CONSOLE}`);
    app('echo after');
    await expect.poll(() => text('out'), WAIT).toContain('after');
    expect(text('out')).toContain('before');
    expect(await one.end('SIGTERM')).toBe(0);
    expect(one.log()).toMatch(/relay stopped/);
    expect(balanced()).toBe(true);
  });

  it('writes its status when it says something else, and now and then as a sign of life', async () => {
    await relay(`exporters: {out: {type: file, path: DIR/out}}\n${CONSOLE}`);
    await expect.poll(() => status().state, WAIT).toBe('running');
    let updated = '';
    const isSame = async () => {
      ({updated} = status());
      await delay(2500);
      return status().updated === updated;
    };
    await expect.poll(isSame, WAIT).toBe(true);
    await expect.poll(() => status().updated, WAIT).not.toBe(updated);
    app('echo line');
    await expect.poll(() => status().exporters[0]!.sent, WAIT).toBe(1);
  });

  it('loses nothing over kill -9 at any point with a disk queue', async () => {
    const config = `exporters: {out: {type: file, path: DIR/out, queue: {type: disk}}}\nevent: {format: {maxeventpersec: 0}}\n${CONSOLE}`;
    let one = await relay(config);
    const script =
      'i=0; until [ -e stop ]; do for k in 1 2 3 4 5 6 7 8 9 10; do echo line-$i-; i=$((i+1)); done; sleep 0.01; done; echo $i > count';
    const writer = spawn('/bin/bash', ['-c', script], {env: scoped(), stdio: 'ignore', cwd: dir});
    children.push(writer);
    const ended = new Promise((resolve) => writer.once('exit', resolve));
    for (let kills = 0; kills < 3; kills++) {
      const seen = text('out').length;
      await expect.poll(() => text('out').length, WAIT).toBeGreaterThan(seen);
      await one.end('SIGKILL');
      one = await relay(config);
    }
    writeFileSync(join(dir, 'stop'), '');
    await ended;
    const lines = Number(text('count'));
    expect(lines).toBeGreaterThan(100);
    const missing = (): number => {
      const found = new Set([...text('out').matchAll(/line-(\d+)-/g)].map((match) => match[1]));
      return lines - found.size;
    };
    await expect.poll(missing, WAIT).toBe(0);
    expect(await one.end('SIGTERM')).toBe(0);
    expect(status().lost).toEqual({});
  });

  it('drops nothing of a burst from a queue that is far smaller while the spool has room', async () => {
    const one = await relay(
      `exporters: {out: {type: file, path: DIR/out, queue: {max_bytes: 256KiB}}}
event: {format: {maxeventpersec: 0}}
routes: [{match: {kind: event, sourcetype: fs}, to: [out]}]
`,
      ', wait: true',
    );
    app(`for ((i = 0; i < 15000; i++)); do : < ${dir}/relay.yml; done`);
    const opens = (): number => text('out').split(`"source":"fs.open"`).length - 1;
    await expect.poll(opens, WAIT).toBeGreaterThanOrEqual(15_000);
    await expect.poll(() => status().exporters[0]!.queued, WAIT).toBe(0);
    expect(status()).toMatchObject({lost: {}, exporters: [{dropped: {queue_full: 0}}]});
    expect(balanced()).toBe(true);
    expect(await one.end('SIGTERM')).toBe(0);
  });

  it('goes on beside a destination that is dead, and one that never answers', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const {port} = silent.address() as {port: number};
    try {
      const one = await relay(
        `exporters: {out: {type: file, path: DIR/out}, dead: {type: socket, port: 1}, slow: {type: socket, port: ${port}, tls: {}, timeout: 1s}}\nroutes: [{match: {kind: event, sourcetype: console}, to: [dead, slow, out]}]\nrelay: {stop_timeout: 1s}\n`.replace(
          '\nrelay: {stop_timeout: 1s}',
          '',
        ),
      );
      app('for i in 1 2 3 4 5; do echo good-$i; done');
      await expect.poll(() => text('out'), WAIT).toContain('good-5');
      await expect
        .poll(() => status().exporters.find(({name}) => name === 'dead')?.state, WAIT)
        .toBe('retrying');
      expect(balanced()).toBe(true);
      await expect.poll(() => one.log(), WAIT).toMatch(/exporters\.dead: retrying: .*ECONNREFUSED/);
      await one.end('SIGKILL');
    } finally {
      silent.close();
    }
  });

  it.each([
    ['while a program runs', false],
    ['in the middle of a batch that its queue cannot hold', true],
  ])('stops reading for a destination that must not drop, and loses nothing: %s', async (_, before) => {
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
    const {port} = free.address() as {port: number};
    await new Promise<void>((resolve) => free.close(() => resolve()));
    const burst = () => app('for ((i = 0; i < 4500; i++)); do : < /etc/passwd; done');
    // What lies in the rings of a program that came first is one batch: twice what a queue that is full still takes.
    if (before) burst();
    await relay(
      `exporters: {out: {type: socket, port: ${port}, start_message: false, queue: {max_bytes: 1MiB, when_full: block}, retry: {max: 200ms}}}
event: {format: {maxeventpersec: 0}, watch: [{type: fs}]}
routes: [{match: {kind: event}, to: [out]}]
`,
      // A burst of a program that is not held up may overrun its rings while the machine is busy, which is counted.
      ', wait: true',
    );
    if (!before) burst();
    const out = (): ServiceStatus['exporters'][number] => status().exporters[0]!;
    await expect.poll(() => out().blocked, WAIT).toBe(true);
    // Longer than a commit waits for the end of a batch.
    if (before) await delay(2500);
    let lines = 0;
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        for (const byte of bytes) if (byte === 10) lines++;
      });
    });
    try {
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
      await expect.poll(() => out().sent, WAIT).toBeGreaterThan(9000);
      await expect.poll(() => out().queued, WAIT).toBe(0);
      expect(out().dropped).toMatchObject({queue_full: 0});
      expect(status().lost).toEqual({});
      await expect.poll(() => lines, WAIT).toBe(out().sent);
    } finally {
      server.close();
    }
  });

  it('takes a changed file over, refuses a wrong one, and says why', async () => {
    const one = await relay(`exporters: {out: {type: file, path: DIR/out}}\n${CONSOLE}`);
    app('echo first');
    await expect.poll(() => text('out'), WAIT).toContain('first');
    configure('exporters: {out: {type: file, path: DIR/out}}\nroutes: [{to: [nobody]}]\n');
    await expect
      .poll(() => one.log(), WAIT)
      .toMatch(/not reloaded[\s\S]*relay\.yml:4:16: routes\[0\]\.to\[0\]: there is no exporter "nobody"/);
    await expect.poll(() => status().configError, WAIT).toMatch(/nobody/);
    configure(
      'exporters: {out: {type: file, path: DIR/out}, two: {type: file, path: DIR/two}}\ndefault: {to: [out, two]}\n',
    );
    one.child.kill('SIGHUP');
    await expect.poll(() => one.log(), WAIT).toMatch(/reloaded: added two; kept out/);
    app('echo second');
    await expect.poll(() => text('two'), WAIT).toContain('second');
    expect(text('two')).not.toContain('first');
    await expect.poll(() => status().configError, WAIT).toBeUndefined();
    await one.end('SIGTERM');
    expect(text('out')).toContain('second');
  });

  it('gives living processes their new settings', async () => {
    const config = `exporters: {out: {type: file, path: DIR/out}}\n${CONSOLE}`;
    await relay(`${config}event: {watch: [{type: fs}]}\n`);
    const loop = spawn('/bin/bash', ['-c', 'while sleep 0.05; do echo tick; done'], {
      env: scoped(),
      stdio: 'ignore',
    });
    children.push(loop);
    await expect.poll(() => status().processes.seen, WAIT).toBeGreaterThan(3);
    expect(text('out')).toBe('');
    configure(config);
    await expect.poll(() => text('out'), WAIT).toContain('tick');
  });

  it('ends a hostile channel, not itself', async () => {
    const one = await relay(`exporters: {out: {type: file, path: DIR/out}}\n${CONSOLE}`);
    mkdirSync(join(channels, 'folder.chan'));
    writeFileSync(join(channels, '1.1.chan'), 'short');
    writeFileSync(join(channels, '2.2.chan'), Buffer.alloc(1_191_936, 0xff));
    writeFileSync(join(channels, '3.3.chan'), '');
    truncateSync(join(channels, '3.3.chan'), 2 ** 33);
    app('echo alive');
    await expect.poll(() => text('out'), WAIT).toContain('alive');
    expect(await one.end('SIGTERM')).toBe(0);
  });

  it('refuses a folder and a state folder that another relay uses', async () => {
    await relay(`exporters: {out: {type: file, path: DIR/out}}\n${CONSOLE}`);
    await expect.poll(() => existsSync(join(dir, 'state/status.json')), WAIT).toBe(true);
    const second = spawnSync(process.execPath, [MAIN, 'relay', '-u', join(dir, 'relay.yml')], {
      encoding: 'utf8',
      env: environment({}),
      timeout: 30_000,
    });
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/in use by the relay with pid \d+/);
  });
});

describe('scope relay validate, config, status', () => {
  const cli = (words: string[], env: NodeJS.ProcessEnv = {}) =>
    spawnSync(process.execPath, [MAIN, 'relay', ...words], {
      encoding: 'utf8',
      env: environment(env),
      timeout: 30_000,
    });

  it('says every problem and ends in 78', () => {
    const file = configure('metric: {enabled: true}\nexporters: {a: {type: nope}}\n');
    const {status: code, stderr} = cli(['validate', '-u', file]);
    expect(code).toBe(78);
    expect(
      stderr
        .trim()
        .split('\n')
        .map((line) => line.replace(`${dir}/`, '')),
    ).toEqual([
      'relay.yml:3:10: metric.enabled: unknown key; did you mean enable?',
      'relay.yml:4:23: exporters.a.type: must be otlp, statsd, kafka, prometheus, splunk, file or socket, is "nope"',
    ]);
    expect(cli(['-u', file]).status).toBe(78);
    expect(cli(['-u', join(dir, 'none.yml')]).stderr).toContain('there is no such file');
  });

  it('connects, unless it may not', () => {
    const file = configure(
      'exporters: {a: {type: socket, port: 1, authtoken: "${env:TOKEN}"}}\ndefault: {to: [a]}\n',
    );
    expect(cli(['validate', '-u', file]).stderr).toContain(
      'relay.yml:3:51: exporters.a.authtoken: environment variable TOKEN is not set',
    );
    const reached = cli(['validate', '-u', file], {TOKEN: 'x'});
    expect([reached.status, reached.stderr]).toEqual([
      78,
      expect.stringMatching(/relay\.yml:3:13: exporters\.a: cannot be reached: .*ECONNREFUSED/),
    ]);
    expect(cli(['validate', '--no-environment', '-u', file]).status).toBe(0);
  });

  it('shows values with their origin and no secret', () => {
    const file = configure(
      'exporters: {a: {type: socket, port: 1, authtoken: hunter2}}\ndefault: {to: [a]}\n',
    );
    const {stdout} = cli(['config', '--effective', '-u', file], {SCOPE_METRIC_VERBOSITY: '7'});
    expect(stdout).toMatch(/^metric\.format\.verbosity: 7 +# environment SCOPE_METRIC_VERBOSITY$/m);
    expect(stdout).toMatch(/^exporters\.a\.port: 1 +# .*relay\.yml:3:31$/m);
    expect(stdout).toMatch(/^exporters\.a\.authtoken: "\*+" +# /m);
    expect(stdout + cli(['config', '-u', file]).stdout).not.toContain('hunter2');
  });

  it('shows the state of a relay, also of one that is gone', async () => {
    const one = await relay(`exporters: {out: {type: file, path: DIR/out}}\n${CONSOLE}`);
    const file = join(dir, 'relay.yml');
    const running = cli(['status', '-u', file]);
    expect([running.status, running.stdout]).toEqual([
      0,
      expect.stringMatching(/running[\s\S]*EXPORTER +TYPE +STATE[\s\S]*out +file +ok/),
    ]);
    await one.end('SIGTERM');
    expect(cli(['status', '-u', file, '-j'])).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('"alive":false'),
    });
  });
});
