// SPDX-License-Identifier: Apache-2.0
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, it} from 'vitest';
import {ROOT} from '../../../src/base/root.js';
import {defaultConfig, loadConfig} from '../../../src/config/index.js';

const EXAMPLES = ['grafana-otlp', 'kafka', 'prometheus', 'sidecar', 'splunk', 'statsd'];

describe('config/scope.yml', () => {
  it('holds every default', () => {
    const file = join(ROOT, 'config/scope.yml');
    expect(loadConfig({file, env: {}, cwd: ROOT})).toEqual(defaultConfig());
    const text = readFileSync(file, 'utf8');
    for (const section of Object.keys(defaultConfig())) expect(text).toContain(`${section}:`);
  });

  it('has commented keys that are right too', () => {
    const lines = readFileSync(join(ROOT, 'config/scope.yml'), 'utf8')
      .split('\n')
      .filter((line) => /^# (metric|event|cribl): /.test(line));
    expect(lines.length).toBe(3);
    for (const line of lines) {
      const config = loadConfig({text: line.slice(2), file: 'line', env: {TOKEN: 'x'}, cwd: '/'});
      expect(Object.keys(config.exporters).length).toBe(1);
    }
  });
});

describe('a file of AppScope 1.x', () => {
  const file = join(ROOT, 'test/fixtures/config/scope-1.x.yml');

  it('works as it is', () => {
    const config = loadConfig({file, env: {HOME: '/h'}, cwd: ROOT});
    expect(Object.entries(config.exporters).map(([name, {type}]) => [name, type])).toEqual([
      ['metric.transport', 'statsd'],
      ['event.transport', 'socket'],
    ]);
    expect(config.exporters['event.transport']).toMatchObject({protocol: 'tcp', port: 9109});
    expect(config.tags).toEqual({home: '/h'});
    expect(config.event.watch.find(({type}) => type === 'http')?.headers).toEqual([]);
    expect(config.libscope.log.transport).toMatchObject({path: '/tmp/scope.log', buffer: 'line'});
    expect(config.custom.eg!.config).toEqual({metric: {watch: [{type: 'fs'}]}, tags: {service: 'eg'}});
  });

  it('sends everything over one connection when cribl is enabled', () => {
    const config = loadConfig({file, env: {SCOPE_CRIBL_ENABLE: 'true'}, cwd: ROOT});
    expect(Object.keys(config.exporters)).toEqual(['cribl.transport']);
    expect(config.routes[0]!.match.kind).toEqual(['metric', 'event', 'start', 'payload']);
  });
});

describe('config/examples', () => {
  it('are those the documentation names', () => {
    expect(readdirSync(join(ROOT, 'config/examples')).sort()).toEqual(EXAMPLES.map((name) => `${name}.yml`));
  });

  it.each(EXAMPLES)('%s.yml loads and routes to its exporters', (name) => {
    const config = loadConfig({
      file: join(ROOT, `config/examples/${name}.yml`),
      env: {SPLUNK_TOKEN: 'x'},
      cwd: ROOT,
    });
    const used = new Set([...config.routes.flatMap((route) => route.to), ...(config.default?.to ?? [])]);
    expect([...used].sort()).toEqual(Object.keys(config.exporters).sort());
  });

  it('ask for what they need', () => {
    expect(() => loadConfig({file: join(ROOT, 'config/examples/splunk.yml'), env: {}, cwd: ROOT})).toThrow(
      /splunk\.yml:7:12: exporters\.hec\.token: SPLUNK_TOKEN is not set: the token of/,
    );
  });
});
