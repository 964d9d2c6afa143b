// SPDX-License-Identifier: Apache-2.0
/** Plaintext of Go's crypto/tls: an HTTPS client and server in one program are both seen. */
import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {ROOT} from '../../../src/base/root.js';
import {observe} from '../../helpers/observe.js';
import {channelDir, cleanup, library, makeDir, run, program as tracer} from '../../programs/support.js';
import {seen} from '../../programs/truth.js';
import {hasCommand} from '../build.js';

const local = '/usr/local/go/bin/go';
const go = existsSync(local) ? local : 'go';
const COUNT = 10;

describe.skipIf(!hasCommand('go') && !existsSync(local))("Go's crypto/tls", () => {
  let dir: string;
  let program: string;

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'scope-gotls-'));
    program = join(dir, 'tls');
    // PIE: with a loader, which preloads the library.
    execFileSync(go, ['build', '-buildmode=pie', '-o', program, join(ROOT, 'test/native/patch/tls.go')], {
      env: {...process.env, CGO_ENABLED: '0'},
      stdio: 'pipe',
      timeout: 200_000,
    });
  }, 240_000);

  afterAll(() => {
    rmSync(dir, {recursive: true, force: true});
    cleanup();
  });

  it.each([
    ['HTTP/1.1', [], '1.1'],
    ['HTTP/2.0', ['h2'], '2.0'],
  ])('%s: each request once on each side', async (proto, args, flavor) => {
    const seen = await observe([program, ...args], {config: 'event: {watch: [{type: http}]}'});
    expect([seen.status, seen.stdout, seen.stderr]).toEqual([0, `${proto}\ndone\n`, '']);
    const responses = seen.events('http.resp');
    const paths = Array.from({length: COUNT}, (_, i) => `/path${i}`);
    const asked = seen.events('http.req').map((data) => data.http_target);
    expect(asked.sort()).toEqual([...paths, ...paths].sort());
    for (const side of ['http_server_duration', 'http_client_duration']) {
      const of = responses.filter((data) => side in data);
      expect(of).toHaveLength(COUNT);
      expect(of.map((data) => data.http_target).sort()).toEqual(paths);
      for (const data of of) expect(data).toMatchObject({http_flavor: flavor, http_status_code: 200});
    }
    for (const data of seen.events('http.req')) expect(data.http_scheme).toBe('https');
  });

  it('the way to a descriptor is asked of the kernel where it is new', async () => {
    const asked = async (env: string[]): Promise<number> => {
      const out = join(makeDir(), 'calls');
      const outcome = await run([tracer('tracer'), out, '-', 'env', ...env, program]);
      expect(outcome.stdout).toBe('HTTP/1.1\ndone\n');
      return Number(/^14 (\d+)/m.exec(readFileSync(out, 'utf8'))?.[1]);
    };
    const bare = await asked([]);
    const dir = channelDir();
    const scoped = await asked([`LD_PRELOAD=${library}`, `SCOPE_DIR=${dir}`]);
    expect(seen(dir).calls.read).toBeGreaterThan(4 * COUNT);
    // Ten requests, each written and read on either side: at four words each more than 160 rt_sigprocmask.
    expect(scoped - bare).toBeLessThan(80);
  });
});
