// SPDX-License-Identifier: Apache-2.0
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {
  ConfigError,
  defaultConfig,
  findFile,
  type LoadOptions,
  problems as listProblems,
  load,
  loadConfig,
} from '../../../src/config/index.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-config-'));
});
afterAll(() => rmSync(dir, {recursive: true, force: true}));

const from = (text: string, env: LoadOptions['env'] = {}) =>
  loadConfig({text, file: 'x.yml', env, cwd: '/w'});
function problems(text: string, env: LoadOptions['env'] = {}): string[] {
  try {
    loadConfig({text, file: 'x.yml', env, cwd: '/w'});
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message.split('\n');
  }
  return [];
}

describe('search order', () => {
  it('takes the first file of the search path that can be opened', () => {
    const env = {SCOPE_HOME: join(dir, 'home'), HOME: join(dir, 'user')};
    const cwd = join(dir, 'cwd');
    for (const folder of ['home/conf', 'user', 'cwd/conf']) mkdirSync(join(dir, folder), {recursive: true});
    const files = [
      'cwd/scope.yml',
      'cwd/conf/scope.yml',
      'user/scope.yml',
      'home/scope.yml',
      'home/conf/scope.yml',
      'own.yml',
    ].map((name) => join(dir, name));
    expect(findFile(env, cwd)).toBeUndefined();
    for (const file of files.slice(0, -1)) {
      writeFileSync(file, 'tags: {a: b}\n');
      expect(findFile(env, cwd)).toBe(file);
    }
    writeFileSync(files.at(-1)!, '');
    expect(findFile({...env, SCOPE_CONF_PATH: files.at(-1)!}, cwd)).toBe(files.at(-1));
    expect(findFile({...env, SCOPE_CONF_PATH: '/nowhere'}, cwd)).toBe(files.at(-2));
    expect(load({env, cwd}).config.tags).toEqual({a: 'b'});
  });

  it('says when a named file cannot be read', () => {
    expect(() => loadConfig({file: 'nope.yml', env: {}, cwd: dir})).toThrow(
      /nope\.yml:1:1: there is no such file/,
    );
  });
});

describe('values', () => {
  it('are the defaults when nothing is said', () => {
    expect(from('')).toEqual(defaultConfig());
    expect(from('metric:\nevent:\ntags:\ncustom:\n')).toEqual(defaultConfig());
    expect(defaultConfig().metric.format.verbosity).toBe(4);
  });

  it('come from flags, then environment, then file, then defaults', () => {
    const text = 'metric: {format: {verbosity: 1, statsdmaxlen: 100}}\n';
    const loaded = load({
      text,
      file: 'x.yml',
      cwd: '/',
      env: {SCOPE_METRIC_VERBOSITY: '2', SCOPE_STATSD_PREFIX: 'app'},
      flags: [
        {path: ['metric', 'format', 'verbosity'], value: 3, origin: {kind: 'flag', name: '--verbosity'}},
      ],
    });
    expect(loaded.config.metric.format).toEqual({
      type: 'statsd',
      statsdprefix: 'app',
      statsdmaxlen: 100,
      verbosity: 3,
    });
    expect(loaded.origin(['metric', 'format', 'verbosity'])).toEqual({kind: 'flag', name: '--verbosity'});
    expect(loaded.origin(['metric', 'format', 'statsdprefix'])).toEqual({
      kind: 'environment',
      name: 'SCOPE_STATSD_PREFIX',
    });
    expect(loaded.origin(['metric', 'format', 'statsdmaxlen'])).toMatchObject({kind: 'file', line: 1});
    expect(loaded.origin(['metric', 'format', 'type'])).toEqual({kind: 'default'});
  });

  it('accept texts for numbers and booleans, and scalars for texts, as AppScope 1.x did', () => {
    const config = from(
      'metric: {enable: "false", transport: {type: udp, port: "8125"}}\ntags: {a: 1.10, b: true}\ncribl: {authtoken: 0123}\n',
    );
    expect(config.metric.enable).toBe(false);
    expect(config.metric.transport?.port).toBe(8125);
    expect(config.tags).toEqual({a: '1.10', b: 'true'});
    expect(config.cribl.authtoken).toBe('0123');
  });

  it('turn sizes into bytes and times into milliseconds', () => {
    const {queue, timeout, retry} = from(
      'exporters: {a: {type: file, path: /x, timeout: 1m30s, queue: {max_bytes: 1.5 MiB, max_age: 90}, retry: {initial: 250ms}}}',
    ).exporters.a!;
    expect([queue.max_bytes, queue.max_age, timeout, retry.initial]).toEqual([1572864, 90_000, 90_000, 250]);
  });

  it('follow anchors and merge keys', () => {
    const config = from(
      'tags: &t {a: x, b: y}\ncustom:\n  one:\n    filter: {procname: p}\n    config: {tags: {<<: *t, b: z}}\n',
    );
    expect(config.custom.one!.config.tags).toEqual({a: 'x', b: 'z'});
  });

  it('keep names such as __proto__ plain data', () => {
    const config = from('tags: {__proto__: x}\n');
    expect(Object.keys(config.tags)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(config.tags)).toBe(Object.prototype);
  });
});

describe('references to the environment', () => {
  it('are resolved after parsing', () => {
    const text = 'tags: {a: "${env:A}", b: "${env:B:-two}", c: "x-${env:A}-y", d: "$A/$NONE", e: \'\\$A\'}\n';
    expect(from(text, {A: 'one: {evil: 1}\n'}).tags).toEqual({
      a: 'one: {evil: 1}\n',
      b: 'two',
      c: 'x-one: {evil: 1}\n-y',
      d: 'one: {evil: 1}\n/$NONE',
      e: '$A',
    });
  });

  it('become numbers and booleans where those are expected', () => {
    expect(
      from('event: {enable: "${env:ON}", format: {maxeventpersec: "${env:N}"}}', {ON: 'false', N: '7'}).event,
    ).toMatchObject({enable: false, format: {maxeventpersec: 7}});
  });

  it('are errors when they are required and not set', () => {
    expect(problems('tags: {a: "${env:NO}", b: "${env:NO:?ask the team}", c: "${env:9}"}\n')).toEqual([
      'x.yml:1:11: tags.a: environment variable NO is not set (use ${env:NO:-default} for a default)',
      'x.yml:1:27: tags.b: NO is not set: ask the team',
      'x.yml:1:57: tags.c: ${env:9} is not a reference: expected ${env:NAME}, ${env:NAME:-default} or ${env:NAME:?message}',
    ]);
  });

  it('are passed over when only the shape is asked for', () => {
    const text =
      'metric: {format: {verbosity: "${env:V}"}}\nexporters: {a: {type: splunk, endpoint: "${env:URL}", token: "${env:T:?x}", tokn: 1}}\n';
    const found = listProblems({text, file: 'x.yml', env: {}, cwd: '/', withoutEnvironment: true});
    expect(found.map((problem) => problem.key)).toEqual(['exporters.a.tokn']);
  });

  it('leave $ of expressions alone', () => {
    expect(
      from("event: {watch: [{type: file, name: '\\.log$|\\$HOME'}]}", {HOME: '/h'}).event.watch[0]!.name,
    ).toBe('\\.log$|\\$HOME');
  });
});

describe('watch lists', () => {
  it('hold only what is listed, with the defaults of each kind', () => {
    expect(from('event: {watch: [{type: metric}]}').event.watch).toEqual([
      {type: 'metric', name: '.*', field: '^[^h]+', value: '.*', headers: [], allowbinary: true, mdns: false},
    ]);
    expect(from('event: {watch: }\nmetric: {watch: []}')).toMatchObject({
      event: {watch: []},
      metric: {watch: []},
    });
  });

  it('are changed by the environment', () => {
    const config = from('event: {watch: [{type: http, headers: [a]}, {type: fs}]}', {
      SCOPE_EVENT_FS: 'false',
      SCOPE_EVENT_DNS: 'true',
      SCOPE_EVENT_DNS_NAME: 'x.*',
      SCOPE_EVENT_HTTP_HEADER: '(?i)x-.*',
      SCOPE_METRIC_PROC: 'false',
    });
    expect(config.event.watch.map(({type, name, headers}) => [type, name, headers])).toEqual([
      ['http', '.*', ['a', '(?i)x-.*']],
      ['dns', 'x.*', []],
    ]);
    expect(config.metric.watch.map(({type}) => type)).toEqual(['fs', 'net', 'http', 'dns', 'statsd']);
  });
});

describe('destinations of AppScope 1.x', () => {
  it('become exporters and routes', () => {
    const config = from(
      'metric: {format: {statsdprefix: app, statsdmaxlen: 99}, transport: {type: udp, host: h, port: 1}}\nevent: {transport: {type: tcp, host: e, port: 2, tls: {enable: true, validateserver: false}}}',
    );
    expect(config.exporters['metric.transport']).toMatchObject({
      type: 'statsd',
      protocol: 'udp',
      host: 'h',
      port: 1,
      prefix: 'app.',
      max_length: 99,
    });
    expect(config.exporters['event.transport']).toMatchObject({
      type: 'socket',
      protocol: 'tcp',
      host: 'e',
      port: 2,
      tls: {insecure_skip_verify: true},
    });
    expect(config.routes.map(({match, to}) => [match.kind, to])).toEqual([
      [['metric'], ['metric.transport']],
      [['event', 'start'], ['event.transport']],
    ]);
  });

  it('come from the environment too', () => {
    const config = from('', {
      SCOPE_METRIC_DEST: 'file:///m.log',
      SCOPE_EVENT_DEST: 'unix://@e',
      SCOPE_METRIC_FORMAT: 'ndjson',
    });
    expect(config.exporters).toMatchObject({
      'metric.transport': {type: 'file', path: '/m.log'},
      'event.transport': {type: 'socket', protocol: 'unix', path: '@e'},
    });
  });

  it('are replaced by cribl, on one connection with the token', () => {
    const config = from('event: {transport: {type: file, path: /x}}', {
      SCOPE_CRIBL_CLOUD: 'tcp://in.cloud:10090',
      SCOPE_CRIBL_AUTHTOKEN: 't0',
    });
    expect(Object.keys(config.exporters)).toEqual(['cribl.transport']);
    expect(config.exporters['cribl.transport']).toMatchObject({
      host: 'in.cloud',
      port: 10090,
      authtoken: 't0',
      tls: {insecure_skip_verify: false},
    });
    expect(from('cribl: {transport: {type: edge}}').exporters['cribl.transport']).toMatchObject({
      protocol: 'edge',
    });
  });

  it('send nothing anywhere unless asked', () => {
    expect(defaultConfig().exporters).toEqual({});
  });
});

describe('errors', () => {
  it('knows the fields of templates', () => {
    const known = '{kind}, {host}, {pid}, {proc}, {user}, {container}, {name}, {source}, {sourcetype}';
    const text = `exporters:
  bus: {type: kafka, brokers: ["k:9092"], topic: "a.{kind}.{knd}", key: "{host}"}
  hec: {type: splunk, endpoint: "http://s:8088", token: t, index: "{process}"}
default: {to: [bus, hec]}
`;
    expect(problems(text)).toEqual([
      `x.yml:2:50: exporters.bus.topic: {knd} is not known in a template; there are ${known}`,
      `x.yml:3:67: exporters.hec.index: {process} is not known in a template; there are ${known}`,
    ]);
  });

  it('come all at once, each with its place and what was expected', () => {
    const text = `metric:
  enabled: true
  format: {type: statsdd, verbosity: 12}
event:
  watch:
    - {type: file, name: "(?=x)"}
exporters:
  a: {type: otlpp}
  b: {type: otlp, endpoint: foo, queue: {max_bytes: 10XB}}
  c: {type: prometheus}
routes:
  - {match: {kind: metrics}, to: [nobody]}
  - {transform: [{drop: [a], keep: [b]}], to: [b]}
`;
    expect(problems(text, {SCOPE_EVENT_MAXEPS: 'many', SCOPE_EVENT_DEST: 'what:ever:1'})).toEqual([
      'environment SCOPE_EVENT_MAXEPS: event.format.maxeventpersec: must be a whole number, is "many"',
      'environment SCOPE_EVENT_DEST: event.transport: must be a map, is "what:ever:1"',
      'x.yml:2:3: metric.enabled: unknown key; did you mean enable?',
      'x.yml:3:18: metric.format.type: must be statsd or ndjson, is "statsdd"',
      'x.yml:3:38: metric.format.verbosity: must be <= 9, is 12',
      'x.yml:6:26: event.watch[0].name: not a regular expression: error parsing regexp: invalid or unsupported Perl syntax: `(?=` (RE2 has neither look-around nor back-references)',
      'x.yml:8:13: exporters.a.type: must be otlp, statsd, kafka, prometheus, splunk, file or socket, is "otlpp"',
      'x.yml:9:29: exporters.b.endpoint: must be a URL such as http://host:4317, is "foo"',
      'x.yml:9:53: exporters.b.queue.max_bytes: must be a size such as 64MiB, is "10XB"',
      'x.yml:10:6: exporters.c: needs listen or remote_write',
      'x.yml:12:20: routes[0].match.kind: must be metric, event, span, start or payload, or a list of them, is "metrics"',
      'x.yml:12:35: routes[0].to[0]: there is no exporter "nobody"; there are a, b, c',
      'x.yml:13:18: routes[1].transform[0]: must have one key, has drop, keep',
    ]);
  });

  it('never show a secret', () => {
    expect(
      problems(
        'exporters: {a: {type: splunk, endpoint: "http://x", token: [hunter2]}, b: {type: otlp, endpoint: "http://x", headers: {k: {hunter2: 1}}}}',
      ).join(),
    ).not.toContain('hunter2');
  });

  it.each([
    ['a: [1,\n', /x\.yml:\d+:\d+: not valid YAML/],
    ['metric: 1\nmetric: 2\n', /not valid YAML: Map keys must be unique/],
    ['- a\n', /must be a map of keys/],
    ['tags: *nope\n', /there is no anchor|Unresolved alias/],
    [`tags: ${'['.repeat(100_000)}`, /nested too deeply/],
    [`tags: ${'['.repeat(60)}${']'.repeat(60)}`, /nested deeper/],
    ['x'.repeat(2 ** 20 + 1), /larger than/],
    [
      `a0: &a0 [x,x,x,x,x,x,x,x,x]\n${Array.from({length: 8}, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`).join('\n')}\n`,
      /more than 50000 values/,
    ],
    ['tags: &t {a: *t}\n', /nested deeper|no anchor|Unresolved/],
  ])('bounds and refuses %.20s', (text, expected) => {
    expect(problems(text).join('\n')).toMatch(expected);
  });
});
