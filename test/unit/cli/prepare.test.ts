// SPDX-License-Identifier: Apache-2.0
import {existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {openFolder, WANT} from '../../../src/channel/index.js';
import {type Config, loadConfig} from '../../../src/config/index.js';
import {cli} from '../../helpers/session.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-prepare-'));
});
afterEach(() => {
  rmSync(dir, {recursive: true, force: true});
});

const prepare = (...flags: string[]) => cli(dir, ['prepare', dir, '--', ...flags]);
const config = (): Config => loadConfig({file: join(dir, 'scope.yml'), env: {}, cwd: dir});

describe('scope prepare', () => {
  it('writes what an interactive session has by default', async () => {
    expect(await prepare()).toEqual({status: 0, out: '', err: ''});
    const c = config();
    expect(c.metric.format).toMatchObject({type: 'ndjson', verbosity: 4});
    expect(c.event.format.maxeventpersec).toBe(0);
    expect(c.event.watch.find((w) => w.type === 'console')?.allowbinary).toBe(false);
    expect(c.payload).toMatchObject({enable: false, dir: join(dir, 'payloads')});
    expect(statSync(join(dir, 'scope.yml')).mode & 0o777).toBe(0o600);
  });

  it('turns flags into configuration', async () => {
    const flags = [
      '-v',
      '9',
      '--payloads',
      '-m',
      'udp://127.0.0.1:8125',
      '--metricformat',
      'statsd',
      '--metricprefix',
      'p',
    ];
    expect(await prepare(...flags, '-e', 'tls://collector:1', '--loglevel', 'debug')).toMatchObject({
      status: 0,
    });
    const c = config();
    expect(c.metric.format).toMatchObject({type: 'statsd', verbosity: 9, statsdprefix: 'p'});
    expect(c.metric.transport).toMatchObject({type: 'udp', host: '127.0.0.1', port: 8125});
    expect(c.event.transport).toMatchObject({
      type: 'tcp',
      host: 'collector',
      tls: {enable: true, validateserver: true},
    });
    expect(c.payload.enable).toBe(true);
    expect(c.libscope.log.level).toBe('debug');
  });

  it('sends everything to one destination with -c', async () => {
    expect(await prepare('-c', 'tcp://h:9', '-a', 'token')).toMatchObject({status: 0});
    expect(config().cribl).toMatchObject({
      enable: true,
      authtoken: 'token',
      transport: {type: 'tcp', host: 'h', port: 9},
    });
  });

  it('takes a file and keeps what it says', async () => {
    const file = join(dir, 'my.yml');
    writeFileSync(file, 'event:\n  format:\n    maxeventpersec: 77\ntags:\n  team: blue\n');
    expect(await prepare('-u', file)).toMatchObject({status: 0});
    expect(config()).toMatchObject({tags: {team: 'blue'}, event: {format: {maxeventpersec: 77}}});
  });

  it('says every problem of a file with its place, and writes nothing', async () => {
    const file = join(dir, 'bad.yml');
    writeFileSync(file, 'metric:\n  format:\n    type: wrong\n  verbosty: 3\n');
    const {status, err} = await prepare('-u', file);
    expect(status).toBe(1);
    expect(err).toMatch(/bad\.yml:3:\d+: metric\.format\.type/);
    expect(err).toMatch(/bad\.yml:4:\d+: .*verbosty/);
    expect(existsSync(join(dir, 'scope.yml'))).toBe(false);
    expect(await prepare('-u', join(dir, 'none.yml'))).toMatchObject({
      status: 1,
      err: expect.stringContaining('none.yml'),
    });
  });

  it.each([
    [['--nope'], 2, "unknown option '--nope'"],
    [['-v', '10'], 2, 'from 0 to 9'],
    [['--metricformat', 'x'], 2, 'ndjson, statsd'],
    [['--loglevel', 'loud'], 2, 'loud is an invalid log level'],
    [['-m', 'tcp://host'], 2, 'Missing :port at the end of tcp://host'],
    [['-e', 'a:b:c'], 2, 'Invalid dest: a:b:c'],
    [['-c', 'tcp://a:1', '-m', 'tcp://b:1'], 1, 'Cannot specify --cribldest and --metricdest'],
    [['-u', 'x.yml', '-v', '3'], 1, 'Cannot specify --userconfig and --verbosity'],
    [['-a'], 2, 'argument missing'],
  ])('refuses %j', async (flags, status, message) => {
    const result = await prepare(...flags);
    expect(result.status).toBe(status);
    expect(result.err).toContain(message);
    expect(result.err).toContain('Usage: scope run [flags]');
  });
});

describe('the hub that prepare makes', () => {
  it('wants what the configuration needs', async () => {
    mkdirSync(join(dir, 'channels'));
    expect(await prepare('-v', '9')).toMatchObject({status: 0});
    const folder = openFolder(join(dir, 'channels'));
    try {
      expect(folder.control().want & WANT.CALL_IO).not.toBe(0);
      expect(folder.control().maxPerSec).toBe(0);
    } finally {
      folder.close();
    }
  });
});
