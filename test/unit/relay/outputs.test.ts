// SPDX-License-Identifier: Apache-2.0
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {createServer, type Server, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {systemClock} from '../../../src/base/clock.js';
import {loadConfig} from '../../../src/config/index.js';
import {SILENT} from '../../../src/relay/log.js';
import {Outputs} from '../../../src/relay/outputs.js';
import {event, metric, process} from '../routing/records.js';

let dir: string;
const open: Outputs[] = [];
const servers: Server[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-outputs-'));
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((outputs) => outputs.stop(0)));
  for (const server of servers.splice(0)) server.close();
  rmSync(dir, {recursive: true, force: true});
});

const config = (text: string) =>
  loadConfig({text: text.replaceAll('DIR', dir), file: 'x', env: {}, cwd: '/'});
async function start(text: string): Promise<Outputs> {
  const outputs = await Outputs.create(config(text), {
    clock: systemClock,
    log: SILENT,
    host: 'h',
    queues: join(dir, 'queues'),
  });
  open.push(outputs);
  await outputs.start();
  return outputs;
}
const lines = (name: string): string[] =>
  existsSync(join(dir, name)) ? readFileSync(join(dir, name), 'utf8').split('\n').filter(Boolean) : [];
const of = (outputs: Outputs, name: string) =>
  outputs.status().destinations.find((one) => one.name === name)!;
const balanced = (outputs: Outputs): boolean =>
  outputs
    .status()
    .destinations.every(
      ({accepted, sent, queued, dropped}) =>
        accepted === sent + queued + Object.values(dropped).reduce((a, b) => a + b, 0),
    );

const TWO = 'exporters: {a: {type: file, path: DIR/a}, b: {type: file, path: DIR/b}}\n';
const text = (message: string) =>
  event('console', 'stdout', {message}, {process: process({cmd: 'app --token hunter2'})});

describe('Outputs', () => {
  it('routes records to destinations, secrets masked', async () => {
    const outputs = await start(`${TWO}routes: [{match: {kind: event}, to: [a, b]}]\ndefault: {to: [b]}`);
    outputs.append([text('hi'), metric('fs.open')]);
    expect(balanced(outputs)).toBe(true);
    await outputs.stop(30_000);
    expect([lines('a').length, lines('b').length]).toEqual([1, 2]);
    expect(lines('a')[0]).toContain('app --token ***');
    expect([of(outputs, 'a').sent, of(outputs, 'b').sent]).toEqual([1, 2]);
    expect(balanced(outputs)).toBe(true);
  });

  it('sends what aggregation held back when it stops', async () => {
    const outputs = await start(`${TWO}default: {to: [a], transform: [{aggregate: {interval: 1h}}]}`);
    const own = process();
    outputs.append([1, 2, 3].map((value) => metric('fs.read', value, {process: own})));
    outputs.tick();
    await outputs.stop(30_000);
    expect(lines('a')).toHaveLength(1);
    expect(lines('a')[0]).toContain('"_value":6');
  });

  it('keeps the books of exporters that a reload does not touch', async () => {
    const outputs = await start(`${TWO}default: {to: [a, b]}`);
    outputs.append([text('one')]);
    const difference = await outputs.reload(
      config(
        'exporters: {a: {type: file, path: DIR/a}, b: {type: file, path: DIR/b2}, c: {type: file, path: DIR/c}}\ndefault: {to: [a, b, c]}',
      ),
    );
    expect(difference).toEqual({added: ['c'], changed: ['b'], removed: [], kept: ['a']});
    outputs.append([text('two')]);
    expect([of(outputs, 'a').accepted, of(outputs, 'b').accepted, of(outputs, 'c').accepted]).toEqual([
      2, 1, 1,
    ]);
    expect(
      (await outputs.reload(config('exporters: {a: {type: file, path: DIR/a}}\ndefault: {to: [a]}'))).removed,
    ).toEqual(['b', 'c']);
    await outputs.stop(30_000);
    expect([lines('a').length, lines('b').length, lines('b2').length, lines('c').length]).toEqual([
      2, 1, 1, 1,
    ]);
  });

  it('holds what comes during a reload until the new routes are there', async () => {
    const outputs = await start(`${TWO}default: {to: [a]}`);
    const reload = outputs.reload(
      config(
        'exporters: {a: {type: file, path: DIR/a2}, b: {type: file, path: DIR/b}}\ndefault: {to: [a, b]}',
      ),
    );
    while (outputs.ready()) await Promise.resolve();
    outputs.append([text('x')]);
    await reload;
    expect(outputs.ready()).toBe(true);
    await outputs.stop(30_000);
    expect([lines('a').length, lines('a2').length, lines('b').length]).toEqual([0, 1, 1]);
  });

  it('keeps a disk queue over stop and start', async () => {
    const down =
      'exporters: {s: {type: socket, port: 1, queue: {type: disk}, retry: {initial: 10ms, max: 20ms}}}\ndefault: {to: [s]}';
    const outputs = await start(down);
    outputs.append([text('kept')]);
    await outputs.stop(0);
    const {port, received} = await receiver();
    const again = await start(down.replace('port: 1', `port: ${port}`));
    await again.stop(30_000);
    await expect.poll(received, {timeout: 30_000}).toContain('kept');
    expect(of(again, 's')).toMatchObject({sent: 1, queued: 0});
  });

  it('says which destinations cannot be reached', async () => {
    const outputs = await start(
      'exporters: {ok: {type: file, path: DIR/a}, no: {type: file, path: /etc/passwd/a}}\ndefault: {to: [ok]}',
    );
    const found = await outputs.check(10_000);
    expect(found.get('ok')).toBeUndefined();
    expect(found.get('no')).toMatch(/ENOTDIR|EEXIST/);
  });
});

async function receiver(): Promise<{port: number; received: () => string}> {
  let all = '';
  const server = createServer((socket: Socket) => {
    socket.on('data', (bytes) => {
      all += bytes;
    });
    socket.on('error', () => {});
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {port: (server.address() as {port: number}).port, received: () => all};
}
