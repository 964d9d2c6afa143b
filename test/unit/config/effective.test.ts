// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {configText, defaultConfig, effectiveValues, load, loadConfig} from '../../../src/config/index.js';

const TEXT = `metric: {transport: {type: udp, port: 8125}, format: {verbosity: 7}}
tags: {a: b}
exporters:
  hec: {type: splunk, endpoint: "https://me:hunter2@h:8088", token: hunter2, timeout: 1500ms, queue: {type: disk, max_bytes: 1GiB}}
  otel: {type: otlp, endpoint: "http://h:1", headers: {x-key: hunter2}, auth: {type: basic, username: u, password: hunter2}}
routes:
  - {match: {kind: event, tag: {a: b}}, transform: [{aggregate: {interval: 1m}}], to: [hec, otel]}
`;
const loaded = () => load({text: TEXT, file: 'x.yml', env: {SCOPE_STATSD_PREFIX: 'p'}, cwd: '/'});

describe('configText', () => {
  it('loads to the same configuration, whatever the environment', () => {
    const {config} = loaded();
    expect(loadConfig({text: configText(config), file: 'y', env: {}, cwd: '/'})).toEqual(config);
    const base = defaultConfig();
    expect(loadConfig({text: configText(base), file: 'y', env: {}, cwd: '/'})).toEqual(base);
  });

  it('keeps what looks like a reference', () => {
    const config = loadConfig({
      text: 'tags: {a: "${env:A}"}',
      file: 'x',
      env: {A: '${env:B} \\$C'},
      cwd: '/',
    });
    expect(loadConfig({text: configText(config), file: 'y', env: {}, cwd: '/', literal: true}).tags).toEqual({
      a: '${env:B} \\$C',
    });
  });

  it('masks secrets when asked', () => {
    expect(configText(loaded().config)).toContain('hunter2');
    expect(configText(loaded().config, true)).not.toContain('hunter2');
  });
});

describe('effectiveValues', () => {
  const values = new Map(effectiveValues(loaded()).map(({key, value, origin}) => [key, [value, origin]]));

  it('says where each value comes from', () => {
    expect(values.get('metric.format.verbosity')).toEqual([7, 'x.yml:1:55']);
    expect(values.get('metric.format.statsdprefix')).toEqual(['p', 'environment SCOPE_STATSD_PREFIX']);
    expect(values.get('metric.format.statsdmaxlen')).toEqual([512, 'default']);
    expect(values.get('exporters.metric.transport.port')).toEqual([8125, 'from metric.transport']);
    expect(values.get('routes[0].to')).toEqual([['metric.transport'], 'from metric.transport']);
    expect(values.get('routes[1].match.kind')).toEqual(['event', 'x.yml:7:14']);
    expect(values.get('routes[1].transform[0].aggregate.interval')).toEqual(['1m', 'x.yml:7:66']);
    expect(values.get('exporters.hec.timeout')).toEqual(['1500ms', 'x.yml:4:78']);
    expect(values.get('exporters.hec.queue.max_age')).toEqual([0, 'default']);
  });

  it('never shows a secret', () => {
    expect(values.get('exporters.hec.token')).toEqual(['********', 'x.yml:4:62']);
    expect(values.get('exporters.hec.endpoint')![0]).toBe('https://me:********@h:8088');
    expect(JSON.stringify([...values])).not.toContain('hunter2');
  });
});
