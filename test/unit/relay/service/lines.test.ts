// SPDX-License-Identifier: Apache-2.0
/** Opens and closes that reach destinations as lines of the addon, against those that are routed record by record. */
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, it} from 'vitest';
import {systemClock} from '../../../../src/base/clock.js';
import {REC} from '../../../../src/channel/index.js';
import {type Config, loadConfig} from '../../../../src/config/index.js';
import {SILENT} from '../../../../src/relay/log.js';
import {Outputs} from '../../../../src/relay/outputs.js';
import {Pipeline} from '../../../../src/relay/pipeline.js';
import {ChangingSettings} from '../../../../src/relay/service/settings.js';
import {maskSecrets} from '../../../../src/routing/secrets.js';
import {
  makeClose,
  makeOpen,
  makeText,
  memoryChannel,
  memoryFolder,
} from '../../../helpers/channel-records.js';
import {type Decoded, flatten, httpPeer} from '../../../helpers/otlp.js';

let dir: string;
const open: Outputs[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-service-lines-'));
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((outputs) => outputs.stop(0)));
  rmSync(dir, {recursive: true, force: true});
});

const SECRETS = [
  '/srv/app?token=hunter2&x=1',
  '/with space/--password hunter2',
  '/repo/https://me:hunter2@host/x',
  '/keys/AKIAIOSFODNN7EXAMPLE',
  '/keys/ASIAIOSFODNN7EXAMPLE',
  `/keys/AIza${'x'.repeat(35)}`,
  `/keys/ghp_${'a'.repeat(36)}`,
  `/keys/ghr_${'a'.repeat(36)}`,
  `/keys/github_pat_${'a'.repeat(30)}`,
  '/keys/xoxb-1234567890-abc',
  `/keys/eyJ${'a'.repeat(10)}.${'b'.repeat(10)}.${'c'.repeat(10)}`,
];
const PLAIN = [
  '/usr/lib/x',
  '/with "quotes"',
  '/ünïcödé',
  '/etc/passwd',
  '/ghosts/egg/Axe',
  `/${'d/'.repeat(800)}`,
];
const PATHS = [...PLAIN, ...SECRETS, ...PLAIN];

const NOW = 1_795_375_600;

const config = (text: string): Config =>
  loadConfig({text: text.replaceAll('DIR', dir), file: 'x', env: {}, cwd: '/'});

async function begin(text: string, lines: boolean) {
  const loaded = config(text);
  const outputs = await Outputs.create(loaded, {
    clock: {...systemClock, wall: () => NOW * 1000},
    log: SILENT,
    host: 'h',
    queues: join(dir, 'q'),
  });
  open.push(outputs);
  await outputs.start();
  const folder = memoryFolder();
  const settings = new ChangingSettings(loaded);
  const pipeline = new Pipeline({
    folder,
    settings,
    sink: {
      linesOnly: true,
      append: (records) => outputs.append(records.filter(({kind}) => kind === 'event')),
      commit: () => undefined,
      ...(lines
        ? {
            appendLines: (span, process) => outputs.appendLines(span, process),
            takesLines: (process) => outputs.takesLines(process),
            logsOf: (process) => outputs.logsOf(process),
          }
        : {}),
    },
    now: () => NOW,
  });
  const pass = (): void => {
    while (pipeline.pass(1000)) {
      // More is waiting.
    }
  };
  return {outputs, folder, settings, pipeline, pass};
}

const opensAndCloses = (from: number) =>
  PATHS.flatMap((path, i) => [
    makeOpen(path, {fd: 3, object: from + i, tsc: i * 1000, nr: 257, mode: 0o100644}),
    makeClose({rx_bytes: i, rx_ops: 1, ticks: 5000}, {fd: 3, object: from + i, tsc: i * 1000 + 500, nr: 3}),
    ...(i % 5 === 0 ? [makeText('text\n', {fd: 1, tsc: i * 1000 + 600, type: REC.TEXT})] : []),
  ]);

async function run(text: string, lines: boolean) {
  rmSync(join(dir, 'q'), {recursive: true, force: true});
  const one = await begin(text, lines);
  const secret = memoryChannel(2);
  secret.info.argv = ['/usr/bin/curl', '--password', 'hunter2'];
  const channels = [one.folder.add(memoryChannel(1)), one.folder.add(secret)];
  for (const [i, channel] of channels.entries()) one.folder.put(channel, ...opensAndCloses(1 + i * 1000));
  one.pass();
  const {router, destinations} = one.outputs.status();
  for (const {accepted, sent, queued, dropped} of destinations)
    expect(accepted).toBe(sent + queued + Object.values(dropped).reduce((a, b) => a + b, 0));
  await one.outputs.stop(30_000);
  const written = ['a', 'b'].map((name) => {
    const path = join(dir, name);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    rmSync(path, {force: true});
    return text;
  });
  return {written, router, accepted: destinations.map(({accepted}) => accepted)};
}

const EXPORTERS = 'exporters: {a: {type: file, path: DIR/a}, b: {type: file, path: DIR/b}}\n';

it.each<[string, string, boolean, string?]>([
  ['the default', 'default: {to: [a]}', true],
  ['no masking', 'relay: {redact: false}\ndefault: {to: [a]}', true],
  ['two destinations', 'routes: [{match: {kind: event}, to: [a, b]}]', true],
  [
    'one after the other',
    'routes: [{match: {sourcetype: fs}, to: [a], final: true}, {match: {kind: event}, to: [b]}]',
    true,
  ],
  ['by process', 'routes: [{match: {proc: nobody}, to: [b]}, {match: {not: {proc: x}}, to: [a]}]', true],
  ['nowhere', 'routes: [{match: {kind: metric}, to: [a]}]', true],
  [
    'by file',
    'routes: [{match: {attributes: {file: /etc/*}}, to: [a], final: true}]\ndefault: {to: [b]}',
    false,
  ],
  ['changed', 'default: {to: [a], transform: [{add: {x: 1}}]}', false],
  [
    'on disk',
    'default: {to: [d]}',
    false,
    'exporters: {d: {type: file, path: DIR/a, queue: {type: disk}}}\n',
  ],
])('are the same lines with the same books: %s', async (_, routes, direct, exporters = EXPORTERS) => {
  const made = await begin(`${exporters}${routes}`, true);
  const asked: boolean[] = [];
  made.folder.put(made.folder.add(memoryChannel(1)), makeOpen('/x', {fd: 3, object: 1, tsc: 1}));
  const {outputs} = made;
  const takes = outputs.takesLines.bind(outputs);
  outputs.takesLines = (process) => {
    asked.push(takes(process));
    return takes(process);
  };
  made.pass();
  expect(asked[0]).toBe(direct);
  await made.outputs.stop(30_000);
  for (const name of ['a', 'b']) rmSync(join(dir, name), {force: true});

  const expected = await run(`${exporters}${routes}`, false);
  const found = await run(`${exporters}${routes}`, true);
  expect(found).toEqual(expected);
  if (!routes.includes('redact')) expect(found.written.join('')).not.toMatch(/hunter2|IOSFODNN7|aaaaaaaa/);
});

interface LogsRequest {
  resourceLogs: {resource: {attributes: unknown}; scopeLogs: {logRecords: Record<string, unknown>[]}[]}[];
}

/** Log records by the resource that they are about, in their order. */
function byResource(requests: Decoded[]): Map<string, unknown[]> {
  const found = new Map<string, unknown[]>();
  for (const {resourceLogs} of requests as unknown as LogsRequest[]) {
    for (const {resource, scopeLogs} of resourceLogs) {
      const key = JSON.stringify(flatten(resource.attributes));
      const list = found.get(key) ?? [];
      found.set(key, list);
      for (const {logRecords} of scopeLogs) list.push(...logRecords);
    }
  }
  return found;
}

it.each([
  ['alone', 'default: {to: [o]}'],
  ['beside lines', 'default: {to: [a, o]}'],
  ['batches of few', 'default: {to: [few]}'],
  ['no masking', 'relay: {redact: false}\ndefault: {to: [o]}'],
  ['changed', 'routes: [{match: {kind: event}, to: [o], transform: [{add: {x: 1}}]}]'],
  ['by file', 'routes: [{match: {attributes: {file: /etc/*}}, to: [o], final: true}]\ndefault: {to: [a]}'],
  ['JSON', 'default: {to: [json]}'],
  ['metrics only', 'default: {to: [metrics]}'],
])('are the same log records with the same books: %s', async (_, routes) => {
  const both: [Map<string, unknown[]>, Awaited<ReturnType<typeof run>>][] = [];
  for (const lines of [false, true]) {
    const peer = await httpPeer();
    const to = `type: otlp, endpoint: "http://127.0.0.1:${peer.port}"`;
    const text = `exporters:
  a: {type: file, path: DIR/a}
  o: {${to}, protocol: http/protobuf}
  few: {${to}, protocol: http/protobuf, batch: {max_records: 3}}
  json: {${to}, protocol: http/json}
  metrics: {${to}, signals: [metrics]}
${routes}`;
    const done = await run(text, lines);
    await peer.close();
    both.push([byResource(peer.requests.map(({body}) => body)), done]);
  }
  const [expected, found] = both;
  expect(found).toEqual(expected);
  const seen = JSON.stringify([...found![0]]);
  expect(seen.includes('appscope.fs.close')).toBe(!routes.includes('metrics'));
  if (!routes.includes('redact')) expect(seen).not.toMatch(/hunter2|IOSFODNN7|aaaaaaaa/);
});

it('a destination that comes with a reload gets log records of a batch that was begun before', async () => {
  const peer = await httpPeer();
  const one = await begin(`${EXPORTERS}default: {to: [a]}`, true);
  const channel = one.folder.add(memoryChannel(1));
  one.folder.put(
    channel,
    ...Array.from({length: 100}, (_, i) =>
      makeOpen(`/file/${i}`, {fd: 3, object: i + 1, tsc: i, nr: 257, mode: 0o100644}),
    ),
  );
  // Some records at a time, so that lines that are made already wait for the next pass.
  one.pipeline.pass(0);
  const before = one.outputs.status().destinations[0]!.accepted;
  expect(before).toBeGreaterThan(0);
  expect(before).toBeLessThan(100);
  await one.outputs.reload(
    config(
      `exporters: {o: {type: otlp, protocol: http/protobuf, endpoint: "http://127.0.0.1:${peer.port}"}}\ndefault: {to: [o]}`,
    ),
  );
  one.pass();
  await one.outputs.stop(30_000);
  await peer.close();
  const [records] = [...byResource(peer.requests.map(({body}) => body)).values()];
  const paths = records!.map((record) => flatten((record as {attributes: unknown}).attributes)['file.path']);
  expect(paths).toEqual(Array.from({length: 100 - before}, (_, i) => `/file/${before + i}`));
});

it('the addon doubts every path in which something would be masked', () => {
  for (const path of SECRETS) expect(maskSecrets(path, '***')).not.toBe(path);
  for (const path of PLAIN) expect(maskSecrets(path, '***')).toBe(path);
});

it('a reload holds for living processes, and files that are open keep their names', async () => {
  const one = await begin(`${EXPORTERS}default: {to: [a]}`, true);
  const {folder, outputs, settings, pipeline, pass} = one;
  const channel = folder.add(memoryChannel(1));
  const close = (object: number) => makeClose({}, {fd: 3, object, tsc: 5000 + object, nr: 3});
  const openAt = (object: number) =>
    makeOpen(`/file/${object}`, {fd: 3, object, tsc: object, nr: 257, mode: 0o100644});
  folder.put(channel, ...[1, 2, 3, 4].map(openAt));
  pass();
  const change = (more: string): void => {
    settings.change(config(`${EXPORTERS}default: {to: [a]}\n${more}`));
    pipeline.reconfigure();
  };
  expect(pipeline.keepingTags).toBe(0);
  change('tags: {stage: test}\nevent: {format: {enhancefs: false}}');
  expect(pipeline.keepingTags).toBe(1);
  folder.put(channel, close(1), openAt(5));
  pass();
  change('event: {watch: [{type: fs, value: "file/[37]"}]}');
  expect(pipeline.keepingTags).toBe(0);
  folder.put(channel, close(2), close(3), openAt(6), openAt(7));
  pass();
  change('event: {watch: [{type: fs}]}');
  folder.put(channel, close(4), close(7));
  pass();
  change('event: {enable: false}');
  folder.put(channel, close(5), openAt(8));
  pass();
  await outputs.stop(30_000);
  const events = readFileSync(join(dir, 'a'), 'utf8')
    .trimEnd()
    .split('\n')
    .map(
      (line) =>
        JSON.parse(line).body as {source: string; data: {file: string; file_perms: number}; stage?: string},
    )
    .filter(({source}) => source.startsWith('fs.'));
  expect(events.map(({source, data}) => `${source} ${data.file} ${data.file_perms}`)).toEqual([
    ...[1, 2, 3, 4].map((n) => `fs.open /file/${n} 644`),
    'fs.close /file/1 644',
    'fs.open /file/5 0',
    'fs.close /file/3 644',
    'fs.open /file/7 644',
    'fs.close /file/4 644',
    'fs.close /file/7 644',
  ]);
  expect(events.every((event) => event.stage === undefined)).toBe(true);
});
