// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {createPaint} from '../../../src/view/color.js';
import {footer, frame, sparkline} from '../../../src/view/dash-frame.js';
import {DashModel} from '../../../src/view/dash-model.js';
import {Screen} from '../../../src/view/screen.js';
import {displayWidth} from '../../../src/view/text.js';

const metric = (name: string, value: number, time: number, more = {}) => ({
  _metric: name,
  _metric_type: 'counter',
  _value: value,
  _time: time,
  pid: 1,
  ...more,
});

const alive = new Set([1, 2]);
const options = {isAlive: (pid: number) => alive.has(pid), now: () => undefined};

function filled(): DashModel {
  const m = new DashModel(options);
  for (let t = 0; t < 300; t += 10) m.addMetric(metric('net.rx', 1000 * t, 1000 + t));
  m.addMetric(metric('proc.mem', 1000, 1290));
  m.addMetric(metric('proc.mem', 500, 1291, {pid: 2}));
  m.addMetric(metric('proc.mem', 600, 1292, {pid: 2}));
  m.addMetric(metric('proc.mem', 7777, 1292, {pid: 3}));
  m.addMetric(metric('proc.cpu', 2_500_000, 1292));
  m.addMetric(metric('fs.open', 3, 1292));
  m.addMetric(metric('fs.open', 4, 1293));
  m.addMetric(metric('http.duration.server', 90, 1293, {numops: 3}));
  const body = {sourcetype: 'console', _time: 1, source: 'stdout', host: 'h', proc: 'p', cmd: 'p', pid: 1};
  for (let i = 0; i < 60; i++) {
    const data = {message: `line ${i} ${'long '.repeat(40)}`};
    m.addEvent(i, JSON.stringify({id: 'x', _channel: '1', body: {...body, data}}));
  }
  m.totalEvents = 60;
  return m;
}

describe('dashboard', () => {
  it('sums counters over the last period, adds levels up over living processes, averages durations', () => {
    const m = filled();
    expect(m.level('proc.mem')).toBe(1600);
    expect(m.sum('fs.open')).toBe(7);
    expect(m.rate('net.rx')).toBe(29000);
    expect(m.average('http.duration.server')).toBe(30);
    expect(m.history('net.rx', 3)).toEqual([270000, 280000, 290000]);
    m.addMetric(metric('fs.read', 1, 1310));
    expect(m.sum('fs.open')).toBe(0);
    expect(m.sum('fs.read')).toBe(1);
    expect(m.level('proc.mem')).toBe(1600);
    m.addMetric(metric('fs.open', 5, 1309));
    expect(m.sum('fs.open')).toBe(5);
  });

  it('takes what was counted live off the summary that says it again', () => {
    const m = new DashModel(options);
    m.addMetric(metric('fs.open', 5, 1000));
    m.addLive({name: 'fs.open', value: 30, count: 30, pid: 1, time: 1003});
    expect(m.sum('fs.open')).toBe(35);
    m.addMetric(metric('fs.open', 40, 1005));
    expect(m.sum('fs.open')).toBe(45);
    // Counted after the summary was made, and seen before it.
    m.addLive({name: 'fs.open', value: 10, count: 10, pid: 1, time: 1006});
    m.addMetric(metric('fs.open', 4, 1006));
    m.addMetric(metric('fs.open', 6, 1007));
    expect(m.sum('fs.open')).toBe(55);
    m.addMetric(metric('fs.open', 3, 1007, {pid: 2}));
    expect(m.sum('fs.open')).toBe(58);
    m.addLive({name: 'proc.mem', value: 70, count: 1, pid: 1, time: 1008});
    m.addMetric(metric('proc.mem', 60, 1007));
    expect(m.level('proc.mem')).toBe(70);
  });

  it('leaves out what the first summary of an older process says of the time before', () => {
    const m = new DashModel({...options, live: {since: 1000, pids: new Set([1])}});
    m.addLive({name: 'http.req', value: 20, count: 20, pid: 1, time: 1003});
    for (const value of [15, 25]) m.addMetric(metric('http.req', value, 1004));
    m.addMetric(metric('http.req', 7, 1005, {pid: 2}));
    expect(m.sum('http.req')).toBe(27);
    m.addMetric(metric('http.req', 8, 1006));
    expect(m.sum('http.req')).toBe(35);
  });

  it('divides by the time that is counted when it is less than a period', () => {
    const m = new DashModel({...options, now: () => 1004, live: {since: 1000, pids: new Set<number>()}});
    m.addLive({name: 'net.rx', value: 400, count: 1, pid: 1, time: 1003});
    expect(m.rate('net.rx')).toBe(100);
  });

  it('says that there are only zeros because nothing has come', () => {
    const m = new DashModel(options);
    m.addMetric(metric('proc.start', 1, 1000));
    expect(footer(m)).toMatch(/^no numbers yet/);
    expect(footer(filled())).toMatch(/^numbers of the last 10 s/);
  });

  it('shows the last level when no process lives', () => {
    const m = new DashModel({isAlive: () => false, now: () => undefined});
    m.addMetric(metric('proc.mem', 10, 1, {pid: 1}));
    m.addMetric(metric('proc.mem', 20, 2, {pid: 2}));
    expect(m.level('proc.mem')).toBe(20);
    expect(m.level('proc.fd')).toBe(0);
  });

  it('fades out when time goes on without reports', () => {
    let now = 1295;
    const m = new DashModel({isAlive: () => true, now: () => now});
    m.addMetric(metric('fs.open', 3, 1292));
    expect(m.sum('fs.open')).toBe(3);
    now = 1400;
    expect(m.sum('fs.open')).toBe(0);
  });

  it.each([
    [80, 24],
    [200, 50],
    [100, 20],
    [40, 10],
    [20, 5],
  ])('draws exactly %i x %i', (width, height) => {
    for (const colours of [true, false]) {
      const lines = frame(filled(), {
        width,
        height,
        paint: createPaint(colours),
        title: 'AppScope',
        footer: 'q quits',
      });
      expect(lines).toHaveLength(height);
      for (const line of lines) expect(displayWidth(line)).toBe(width);
    }
  });

  it('shows the newest events and the numbers', () => {
    const text = frame(filled(), {
      width: 120,
      height: 40,
      paint: createPaint(false),
      title: 'T',
      footer: '',
    }).join('\n');
    expect(text).toContain('line 59');
    expect(text).toContain('Events: 60');
    expect(text).toContain('29.0 kB/s');
    expect(text).toContain('1.6 MB');
    expect(text).toMatch(/CPU +25\.00 %/);
  });

  it('draws a sparkline', () => {
    expect(sparkline([0, 1, 4, 8])).toBe(' ▂▅█');
    expect(sparkline([0, 0])).toBe('  ');
  });
});

describe('screen', () => {
  it('writes only the lines that changed and gives the terminal back once', () => {
    let out = '';
    const screen = new Screen((t) => {
      out += t;
    });
    screen.open();
    screen.draw(['a', 'b']);
    out = '';
    screen.draw(['a', 'c']);
    expect(out).toContain('\u001b[2;1Hc');
    expect(out).not.toContain('\u001b[1;1H');
    out = '';
    screen.draw(['a', 'c']);
    expect(out).toBe('');
    screen.close();
    screen.close();
    expect(out).toBe('\u001b[?25h\u001b[?1049l');
  });
});
