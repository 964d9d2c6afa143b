// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {WANT} from '../../../src/channel/index.js';
import {loadConfig} from '../../../src/config/index.js';
import {compileSettings} from '../../../src/relay/compile.js';
import {hubOptions} from '../../../src/relay/hub.js';
import {controlOf, metricEventOn, singleOn} from '../../../src/relay/want.js';

const configOf = (text: string) => loadConfig({text, file: 'test', env: {}, cwd: '/'});
const settingsOf = (text: string) => compileSettings(configOf(text));

/** Names of the bits. */
function names(want: number): string[] {
  return Object.entries(WANT)
    .filter(([, bit]) => want & bit)
    .map(([name]) => name)
    .sort();
}

describe('what the library records', () => {
  it('is by default everything but payloads, first bytes and single calls', () => {
    const {want, maxPerSec} = controlOf(settingsOf(''));
    expect(names(want)).toEqual(
      ['CONSOLE', 'DNS', 'FILE', 'HTTP', 'NET', 'OPEN', 'OPEN_MODE', 'PROCESS', 'STATSD'].sort(),
    );
    expect(maxPerSec).toBe(10_000);
  });

  it('is only processes when events and metrics are off', () => {
    const text = '{event: {enable: false}, metric: {enable: false}}';
    expect(names(controlOf(settingsOf(text)).want)).toEqual(['PROCESS']);
    expect(controlOf(settingsOf(text)).maxPerSec).toBe(0);
  });

  it('grows with the verbosity', () => {
    const at = (verbosity: number) =>
      names(controlOf(settingsOf(`metric: {format: {verbosity: ${verbosity}}}`)).want).filter((name) =>
        name.startsWith('CALL'),
      );
    expect(at(4)).toEqual([]);
    expect(at(5)).toEqual(['CALL_ERROR']);
    expect(at(7)).toEqual(['CALL_ERROR', 'CALL_STAT']);
    expect(at(8)).toEqual(['CALL_ERROR', 'CALL_SEEK', 'CALL_STAT']);
    expect(at(9)).toEqual(['CALL_ERROR', 'CALL_IO', 'CALL_SEEK', 'CALL_STAT']);
  });

  it('includes connections wherever something on them is wanted', () => {
    const text = '{event: {watch: [{type: http}]}, metric: {watch: []}}';
    expect(names(controlOf(settingsOf(text)).want)).toEqual(['HTTP', 'NET', 'PROCESS']);
  });
});

describe('single metrics', () => {
  it('follow verbosity and watch', () => {
    const nine = settingsOf('metric: {format: {verbosity: 9}, watch: [{type: fs}]}');
    expect(singleOn(nine, 'fs.read')).toBe(true);
    expect(singleOn(nine, 'net.rx')).toBe(false);
    expect(singleOn(nine, 'proc.cpu')).toBe(false);
  });

  it('are events when metrics are watched, fs.open only without fs events', () => {
    expect(metricEventOn(settingsOf('event: {watch: [{type: metric}]}'), 'fs.open')).toBe(true);
    expect(metricEventOn(settingsOf('event: {watch: [{type: metric}, {type: fs}]}'), 'fs.open')).toBe(false);
    expect(metricEventOn(settingsOf(''), 'fs.read')).toBe(false);
  });
});

describe('the hub', () => {
  it('wants what any process could need', () => {
    const config = configOf(`
event: {watch: [{type: console}], format: {maxeventpersec: 100}}
custom:
  mine: {filter: {procname: x}, config: {payload: {enable: true}, event: {format: {maxeventpersec: 0}}}}
`);
    const {control} = hubOptions(config);
    expect(names(control.want)).toContain('PAYLOAD');
    expect(control.maxPerSec).toBe(0);
  });
});
