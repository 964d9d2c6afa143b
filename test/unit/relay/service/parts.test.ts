// SPDX-License-Identifier: Apache-2.0
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import {request} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {loadConfig} from '../../../../src/config/index.js';
import {noDrops} from '../../../../src/delivery/ledger.js';
import {createLog} from '../../../../src/relay/log.js';
import {metricsText, parseListen, startAdmin} from '../../../../src/relay/service/admin.js';
import {createSelfMetrics, selfProcess} from '../../../../src/relay/service/self.js';
import {ChangingSettings, processPartsDiffer} from '../../../../src/relay/service/settings.js';
import {watchFile} from '../../../../src/relay/service/source-file.js';
import {hubIdentity, Positions} from '../../../../src/relay/service/state-file.js';
import {isAlive, readStatus, type ServiceStatus, writeStatus} from '../../../../src/relay/service/status.js';
import {serversOf} from '../../../helpers/servers.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-service-'));
});
afterEach(() => rmSync(dir, {recursive: true, force: true}));

function status(over: Partial<ServiceStatus> = {}): ServiceStatus {
  return {
    pid: process.pid,
    version: 'v1',
    state: 'running',
    started: '',
    updated: '',
    config: 'x.yml',
    configLoaded: '',
    dir: '/d',
    processes: {live: 2, seen: 5},
    records: 10,
    unrouted: 1,
    lost: {full: 3, bad: 0},
    notes: [],
    spool: {bytes: 0, max: 1, full: 0},
    memory: 1000,
    routes: [],
    exporters: [
      {
        name: 'a"b',
        type: 'file',
        state: 'ok',
        reason: undefined,
        accepted: 9,
        sent: 5,
        queued: 3,
        dropped: {...noDrops(), expired: 1},
        retried: 0,
        batches: 2,
        queueBytes: 30,
        lagMs: 7,
        blocked: false,
      },
    ],
    ...over,
  };
}

describe('status file', () => {
  it('is replaced as a whole, for its owner alone', async () => {
    void writeStatus(dir, status());
    await writeStatus(dir, status({records: 11}));
    await expect(writeStatus(join(dir, 'none'), status())).rejects.toThrow(/ENOENT/);
    await writeStatus(dir, status({records: 11}));
    expect(readStatus(dir)).toMatchObject({records: 11});
    expect(statSync(join(dir, 'status.json')).mode & 0o777).toBe(0o600);
    expect(isAlive(readStatus(dir))).toBe(true);
    expect(isAlive(status({state: 'stopped'}))).toBe(false);
    expect(isAlive(status({pid: 2 ** 22 + 1}))).toBe(false);
  });

  it('says when there is none', () => {
    expect(() => readStatus(join(dir, 'none'))).toThrow(/no relay has run with state_dir/);
  });
});

describe('positions', () => {
  const state = {images: {}, over: [], seen: 1, lost: {}, notes: []};
  const save = (hub: string, ...list: number[]): void => {
    const positions = new Positions(dir, hub);
    for (const position of list) positions.save({position, state});
    positions.close();
  };
  const saved = (hub: string) => {
    const positions = new Positions(dir, hub);
    positions.close();
    return positions.saved;
  };

  it('hold the last save, for the hub it was made for', () => {
    expect(saved('h')).toBeUndefined();
    save('h', 1, 2, 3);
    expect(saved('h')).toEqual({position: 3, state});
    save('h', 4);
    expect(saved('h')).toEqual({position: 4, state});
    expect(saved('other')).toBeUndefined();
    save('other', 7);
    expect(saved('other')).toEqual({position: 7, state});
  });

  it('hold a state that is shorter than the one before it', () => {
    const positions = new Positions(dir, 'h');
    const long = {...state, notes: Array.from({length: 500}, (_, i) => `note ${i}`)};
    for (const [position, one] of [long, long, long, state, state].entries())
      positions.save({position, state: one});
    positions.close();
    expect(saved('h')).toEqual({position: 4, state});
    rmSync(join(dir, 'position-1.json'));
    expect(saved('h')).toEqual({position: 3, state});
  });

  it('tell hubs apart', () => {
    writeFileSync(join(dir, 'hub'), 'x');
    const hub = hubIdentity(dir);
    writeFileSync(join(dir, 'new'), 'x');
    renameSync(join(dir, 'new'), join(dir, 'hub'));
    expect(hubIdentity(dir)).not.toBe(hub);
  });

  it('go back to the save before when the last is torn', () => {
    save('h', 1, 2, 3);
    const last = ['position-0.json', 'position-1.json'].find((name) =>
      readFileSync(join(dir, name), 'utf8').includes('"position":3'),
    )!;
    writeFileSync(join(dir, last), readFileSync(join(dir, last), 'utf8').slice(0, 20));
    expect(saved('h')).toEqual({position: 2, state});
    expect(statSync(join(dir, last)).mode & 0o777).toBe(0o600);
  });
});

describe('watchFile', () => {
  it('tells of a change once, when it has settled', () => {
    const path = join(dir, 'c.yml');
    writeFileSync(path, 'a');
    const file = watchFile(path);
    expect(file.changed()).toBe(false);
    appendFileSync(path, 'b');
    expect([file.changed(), file.changed(), file.changed()]).toEqual([false, true, false]);
    unlinkSync(path);
    expect([file.changed(), file.changed(), file.changed()]).toEqual([false, false, false]);
  });

  it('follows a symbolic link that is exchanged', () => {
    for (const name of ['1', '2']) {
      mkdirSync(join(dir, name));
      writeFileSync(join(dir, name, 'c.yml'), name);
    }
    symlinkSync('1', join(dir, 'data'));
    const file = watchFile(join(dir, 'data/c.yml'));
    symlinkSync('2', join(dir, 'data.new'));
    renameSync(join(dir, 'data.new'), join(dir, 'data'));
    expect([file.changed(), file.changed()]).toEqual([false, true]);
  });
});

describe('figures about itself', () => {
  it('are a page for Prometheus', () => {
    const text = metricsText(status());
    expect(text).toContain(
      '# TYPE appscope_relay_accepted_total counter\nappscope_relay_accepted_total{exporter="a\\"b",exporter_type="file"} 9\n',
    );
    expect(text).toContain(
      'appscope_relay_dropped_total{exporter="a\\"b",exporter_type="file",reason="expired"} 1\n',
    );
    expect(text).toContain('appscope_relay_lost_total{cause="full"} 3\n');
    expect(text).toContain('appscope_relay_processes 2\n');
  });

  it('are metrics with what was added since the last time', () => {
    const make = createSelfMetrics(selfProcess(-1, 0));
    const find = (list: ReturnType<typeof make>, name: string) =>
      list.find((one) => one.name === `appscope.relay.${name}`);
    expect(find(make(status(), 10), 'records')).toMatchObject({value: 10, type: 'counter', time: 10});
    const next = make(status({records: 14}), 20);
    expect(find(next, 'records')).toMatchObject({value: 4, startTime: 10});
    expect(find(next, 'sent')).toBeUndefined();
    expect(find(next, 'queued')).toMatchObject({value: 3, type: 'gauge', attributes: {exporter: 'a"b'}});
  });
});

describe('admin', () => {
  it('serves health, metrics and status, on the loopback unless a host is named', async () => {
    expect(parseListen(':80')).toEqual({host: '127.0.0.1', port: 80});
    expect(parseListen('[::]:80')).toEqual({host: '::', port: 80});
    let now = status();
    const admin = await startAdmin(':0', () => now);
    try {
      const get = async (path: string, method = 'GET') => {
        const response = await fetch(`http://127.0.0.1:${admin.port}${path}`, {method});
        return [response.status, await response.text()] as const;
      };
      expect(await get('/healthz')).toEqual([200, '{"state":"running","processes":2,"failing":[]}\n']);
      now = status({state: 'stopping'});
      expect((await get('/healthz'))[0]).toBe(503);
      expect((await get('/metrics'))[1]).toContain('appscope_relay_records_total 10');
      expect(JSON.parse((await get('/status'))[1])).toMatchObject({records: 10});
      expect([(await get('/x'))[0], (await get('/healthz', 'POST'))[0]]).toEqual([404, 405]);
      await expect(startAdmin(`127.0.0.1:${admin.port}`, () => now)).rejects.toThrow(
        /relay\.admin: cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
      );
    } finally {
      await admin.close();
    }
  });

  it('answers what is no address, and goes on when a connection cannot be accepted', async () => {
    let admin!: Awaited<ReturnType<typeof startAdmin>>;
    const [server] = await serversOf(async () => {
      admin = await startAdmin(':0', () => status());
    });
    try {
      // Without a listener an error event throws here.
      for (let i = 0; i < 2; i++) server!.emit('error', new Error('accept EMFILE'));
      const answer = await new Promise<number | undefined>((resolve, reject) => {
        request({port: admin.port, path: '//'}, ({statusCode}) => resolve(statusCode))
          .on('error', reject)
          .end();
      });
      expect(answer).toBe(404);
    } finally {
      await admin.close();
    }
  });
});

describe('settings', () => {
  const config = (text: string) => loadConfig({text, file: 'x', env: {}, cwd: '/'});

  it('change for processes that begin afterwards', () => {
    const settings = new ChangingSettings(config(''));
    expect(settings.base.metrics.verbosity).toBe(4);
    settings.change(config('metric: {format: {verbosity: 9}}'));
    expect(settings.base.metrics.verbosity).toBe(9);
  });

  it('know when a reload concerns processes', () => {
    expect(processPartsDiffer(config(''), config('exporters: {a: {type: file, path: /x}}'))).toBe(false);
    expect(processPartsDiffer(config(''), config('tags: {a: b}'))).toBe(true);
  });
});

describe('log', () => {
  it('writes what is severe enough, to a file of its owner', () => {
    const file = join(dir, 'log');
    const log = createLog('warning', file, () => {});
    log.info('no');
    log.error('two\nlines');
    expect(readFileSync(file, 'utf8')).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z error two\n {2}lines\n$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});
