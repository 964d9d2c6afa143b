// SPDX-License-Identifier: Apache-2.0
import {existsSync, mkdtempSync, readFileSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {NATIVE} from '../../../src/base/root.js';
import {loadConfig} from '../../../src/config/index.js';
import {cli} from '../../helpers/session.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-extract-'));
});
afterEach(() => {
  rmSync(dir, {recursive: true, force: true});
});

describe('scope extract', () => {
  it('copies the library and a configuration that loads', async () => {
    expect(await cli(dir, ['extract', dir])).toEqual({
      status: 0,
      out: `Successfully extracted to ${dir}.\n`,
      err: '',
    });
    expect(readFileSync(join(dir, 'libscope.so')).equals(readFileSync(NATIVE.libscope))).toBe(true);
    expect(statSync(join(dir, 'libscope.so')).mode & 0o777).toBe(0o755);
    expect(loadConfig({file: join(dir, 'scope.yml'), env: {}, cwd: dir}).metric.enable).toBe(true);
    expect(existsSync(join(dir, 'scope_example.yml'))).toBe(false);
  });

  it('writes a configuration with the destination it is given', async () => {
    expect(await cli(dir, ['excrete', '-m', 'udp://h:8125', '-e', 'events.ndjson', dir])).toMatchObject({
      status: 0,
    });
    const config = loadConfig({file: join(dir, 'scope.yml'), env: {}, cwd: '/'});
    expect(config.metric.transport).toMatchObject({type: 'udp', host: 'h', port: 8125});
    expect(config.event.transport).toMatchObject({type: 'file', path: join(dir, 'events.ndjson')});
    expect(existsSync(join(dir, 'scope_example.yml'))).toBe(true);
  });

  it('makes folders only when told to, and names what is wrong', async () => {
    const deep = join(dir, 'a/b');
    expect(await cli(dir, ['extract', deep])).toMatchObject({
      status: 1,
      err: expect.stringContaining(`${deep} does not exist or is not a directory`),
    });
    expect(await cli(dir, ['extract', '-p', deep])).toMatchObject({status: 0});
    expect(await cli(dir, ['extract'])).toMatchObject({
      status: 1,
      err: expect.stringContaining("missing required argument 'dir'"),
    });
    expect(await cli(dir, ['extract', '-c', 'tcp://a:1', '-e', 'tcp://b:1', dir])).toMatchObject({status: 1});
    expect(await cli(dir, ['extract', '-m', 'udp://h', dir])).toMatchObject({
      status: 2,
      err: expect.stringContaining('Missing :port'),
    });
  });
});
