// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {COUNTER, LOST, REC} from '../../../src/channel/index.js';
import {defaultConfig} from '../../../src/config/index.js';
import {settingsSource} from '../../../src/relay/compile.js';
import {Pipeline} from '../../../src/relay/pipeline.js';
import {
  EPOCH,
  makeExit,
  makeOpen,
  makeRecord,
  makeText,
  memoryChannel,
  memoryFolder,
} from '../../helpers/channel-records.js';
import {testRelay} from '../../helpers/relay.js';

describe('a sink that has enough', () => {
  it('gets the rest of a batch later, or with a commit', () => {
    const folder = memoryFolder();
    const channel = folder.add(memoryChannel(1));
    const seen: string[] = [];
    let room = 1000;
    const pipeline = new Pipeline({
      folder,
      settings: settingsSource(defaultConfig()),
      sink: {
        append(records) {
          for (const record of records)
            if (record.kind === 'event') seen.push((record.data as {file: string}).file);
        },
        pressed: () => seen.length >= room,
        commit: () => undefined,
      },
    });
    const paths = Array.from({length: 5000}, (_, i) => `/file/${i}`);
    folder.put(channel, ...paths.map((path, i) => makeOpen(path, {fd: 3, object: i + 1, tsc: i})));
    pipeline.pass(60_000);
    expect(seen.length).toBe(1024);
    expect(pipeline.whole).toBe(false);
    room = 2000;
    pipeline.pass(60_000);
    expect(seen.length).toBe(2048);
    pipeline.commit();
    expect(pipeline.whole).toBe(true);
    expect(seen).toEqual(paths);
  });

  it('is asked of however many batches its records are', () => {
    const folder = memoryFolder();
    const channel = folder.add(memoryChannel(1));
    let seen = 0;
    const pipeline = new Pipeline({
      folder,
      settings: settingsSource(defaultConfig()),
      now: () => EPOCH,
      sink: {
        append: (records) => {
          seen += records.filter((record) => record.kind === 'event').length;
        },
        pressed: () => seen >= 1000,
        commit: () => undefined,
      },
    });
    const one = (i: number) => makeOpen('/file', {fd: 3, object: i + 1, tsc: i});
    for (let i = 0; i < 4000; i += 40) folder.put(channel, ...Array.from({length: 40}, (_, k) => one(i + k)));
    pipeline.pass(60_000);
    expect(seen).toBeGreaterThanOrEqual(1000);
    expect(seen).toBeLessThan(1000 + 256 + 16);
  });
});

describe('the life of a process', () => {
  it('gives a start message, proc.start, its events, and everything it counted at its end', () => {
    const relay = testRelay();
    const channel = relay.folder.add(memoryChannel(1));
    channel.counter[COUNTER.FS_OPEN] = 2;
    channel.counter[COUNTER.FS_READ_BYTES] = 4096;
    channel.counter[COUNTER.NET_RX_INET_TCP] = 1264;
    channel.counter[COUNTER.FS_ERR_STAT] = 3;
    channel.table = [
      {
        fd: 1,
        object: 7,
        rxBytes: 0,
        txBytes: 0,
        rxOps: 0,
        txOps: 0,
        ticks: 0,
        openTsc: 0,
        flags: 0,
        kind: 2,
        protocol: 0,
      },
    ];
    relay.folder.put(
      channel,
      makeText('hello\n', {fd: 1, object: 7, tsc: 600_000_000}),
      makeExit(
        {utime_us: 1000, stime_us: 500, rss_kib: 2048, threads: 1, fds: 3, children: 0},
        {tsc: 1_000_000_000},
      ),
    );
    relay.folder.end(channel, 0);
    relay.run();
    expect(
      relay.records.map((r) => (r.kind === 'metric' ? r.name : r.kind === 'event' ? r.source : r.kind)),
    ).toEqual([
      'start',
      'proc.start',
      'stdout',
      'proc.cpu',
      'proc.cpu_perc',
      'proc.mem',
      'proc.thread',
      'proc.fd',
      'proc.child',
      'fs.read',
      'net.rx',
      'fs.open',
      'fs.error',
    ]);
    expect(relay.metrics('proc.start')[0]).toMatchObject({
      value: 1,
      time: EPOCH + 0.5,
      attributes: {username: 'root', args: '/usr/bin/curl -s http://localhost:18080/1k.txt'},
    });
    expect(relay.metrics('proc.cpu')[0]).toMatchObject({value: 1500, time: EPOCH + 1, summary: false});
    expect(relay.metrics('proc.cpu_perc')[0]!.value).toBeCloseTo(0.3, 3);
    expect(relay.metrics('net.rx')[0]).toMatchObject({
      value: 1264,
      attributes: {class: 'inet_tcp'},
      summary: true,
    });
    expect(relay.events('stdout')[0]).toMatchObject({
      sourcetype: 'console',
      time: EPOCH + 0.6,
      data: {message: 'hello\n'},
    });
    expect(relay.folder.released).toEqual([channel]);
    expect(relay.pipeline.stats).toMatchObject({seen: 1, live: 0});
  });

  it('reports counters by difference and never loses the rest', () => {
    const relay = testRelay();
    const channel = relay.folder.add(memoryChannel(1));
    relay.run();
    channel.counter[COUNTER.FS_SEEK] = 5;
    relay.time = EPOCH + 11;
    relay.pipeline.tick();
    channel.counter[COUNTER.FS_SEEK] = 7;
    relay.time = EPOCH + 15;
    relay.pipeline.tick();
    relay.folder.end(channel);
    relay.run();
    expect(relay.metrics('fs.seek').map((m) => m.value)).toEqual([5, 2]);
  });

  it('reports of many processes that began at once are spread over the period, none is left out', () => {
    const relay = testRelay();
    const channels = Array.from({length: 500}, (_, i) => relay.folder.add(memoryChannel(i + 1)));
    relay.run();
    const reports: number[] = [];
    const ticks = (count: number, from: number) => {
      for (let i = 0; i < count; i++) {
        for (const channel of channels) channel.counter[COUNTER.FS_SEEK]! += 1;
        relay.records.length = 0;
        relay.time = EPOCH + from + i;
        relay.pipeline.tick();
        reports.push(relay.metrics('fs.seek').length);
      }
    };
    ticks(40, 11);
    // What was counted in 40 ticks was reported but for what came since the last report of each.
    expect(Math.max(...reports)).toBeLessThanOrEqual(64);
    const late = reports.slice(20);
    expect(late.slice(0, 10).reduce((a, b) => a + b)).toBe(500);
    expect(late.slice(10).reduce((a, b) => a + b)).toBe(500);
  });

  it('goes on after a relay that was killed without saying anything twice', () => {
    const first = testRelay();
    const channel = first.folder.add(memoryChannel(1));
    channel.counter[COUNTER.FS_SEEK] = 5;
    first.run();
    first.time = EPOCH + 11;
    first.pipeline.tick();
    first.run();
    const second = testRelay(undefined, JSON.parse(JSON.stringify(first.states.at(-1))), first.folder);
    channel.counter[COUNTER.FS_SEEK] = 9;
    first.folder.end(channel);
    second.run();
    expect(second.records.filter((r) => r.kind === 'start')).toEqual([]);
    expect(second.metrics('proc.start')).toEqual([]);
    expect(second.metrics('fs.seek').map((m) => m.value)).toEqual([4]);
    expect(second.pipeline.stats.seen).toBe(1);
  });

  it('makes the state of an image anew when something happened in it, and only then', () => {
    const relay = testRelay();
    const channel = relay.folder.add(memoryChannel(1));
    const idle = relay.folder.add(memoryChannel(2));
    relay.run();
    // Until its first report a process may still learn what it was before an exec.
    relay.time += 11;
    relay.pipeline.tick();
    relay.run();
    const before = relay.states.at(-1)!.images;
    relay.folder.put(channel, makeOpen('/etc/hosts', {fd: 3, object: 9}));
    relay.run();
    const after = relay.states.at(-1)!.images;
    expect(after[idle.path]).toBe(before[idle.path]);
    expect(before[channel.path]!.open.files).toEqual([]);
    expect(after[channel.path]!.open.files).toMatchObject([[9, {path: '/etc/hosts'}]]);
    relay.run();
    expect(relay.states.at(-1)!.images[channel.path]).toBe(after[channel.path]);
    relay.time += 11;
    idle.counter[COUNTER.FS_SEEK] = 3;
    relay.pipeline.tick();
    relay.run();
    expect(relay.states.at(-1)!.images[idle.path]!.counters[COUNTER.FS_SEEK]).toBe(3);
  });

  it('ends an image that had ended before it was known, and one that is read to its end later', () => {
    const relay = testRelay();
    const [one, two] = [relay.folder.add(memoryChannel(1)), relay.folder.add(memoryChannel(2))];
    relay.run();
    relay.folder.end(one);
    relay.folder.end(two);
    two.drained = false;
    relay.pipeline.pass();
    two.drained = true;
    relay.run();
    expect(relay.folder.released).toEqual([one, two]);
    const late = memoryChannel(3, {ended: true, drained: true});
    relay.folder.add(late);
    relay.run();
    expect(relay.folder.released.at(-1)).toBe(late);
  });

  it('reports an image that is over once, also when the relay was killed before it was let go', () => {
    const first = testRelay();
    const channel = first.folder.add(memoryChannel(1));
    channel.counter[COUNTER.FS_SEEK] = 5;
    first.folder.end(channel);
    first.pipeline.pass();
    expect(first.folder.released).toEqual([]);
    first.pipeline.commit();
    expect(first.folder.released).toEqual([channel]);
    // Killed between the two steps of that commit: the channel is still there.
    first.folder.add(channel);
    const second = testRelay('', JSON.parse(JSON.stringify(first.states.at(-1))), first.folder);
    second.run();
    expect(second.records).toEqual([]);
    expect(first.folder.released).toEqual([channel, channel]);
  });

  it('counts processor time once across exec', () => {
    const relay = testRelay();
    const shell = relay.folder.add(memoryChannel(1));
    relay.folder.put(shell, makeRecord({type: REC.SAMPLE, payload: makeExit({utime_us: 300}).subarray(48)}));
    relay.folder.end(shell);
    shell.state = 'exec';
    // The next image is there before the end of the first was seen.
    const next = relay.folder.add(memoryChannel(2));
    relay.folder.put(next, makeExit({utime_us: 1000}));
    relay.folder.end(next);
    relay.run();
    expect(relay.metrics('proc.cpu').map((m) => m.value)).toEqual([300, 700]);
  });
});

describe('metrics one by one', () => {
  it('are completed by what their records did not tell', () => {
    const relay = testRelay('metric: {format: {verbosity: 6}}');
    const channel = relay.folder.add(memoryChannel(1));
    channel.counter[COUNTER.FS_OPEN] = 5;
    relay.folder.put(channel, makeOpen('/a', {fd: 3, object: 1}), makeOpen('/b', {fd: 4, object: 2}));
    relay.folder.end(channel);
    relay.run();
    expect(relay.metrics('fs.open').map((m) => [m.value, m.summary])).toEqual([
      [1, false],
      [1, false],
      [3, true],
    ]);
  });
});

describe('losses', () => {
  it('are a metric by cause, and in the totals', () => {
    const relay = testRelay();
    const channel = relay.folder.add(memoryChannel(1));
    relay.run();
    channel.loss[LOST.FULL] = 12;
    expect(relay.pipeline.losses()).toEqual({full: 12});
    relay.folder.end(channel);
    relay.run();
    expect(relay.metrics('scope.lost')[0]).toMatchObject({value: 12, attributes: {class: 'full'}});
    expect(relay.pipeline.stats.lost).toEqual({full: 12});
  });

  it('by maxeventpersec are announced once per second', () => {
    const relay = testRelay();
    const channel = relay.folder.add(memoryChannel(1));
    relay.run();
    for (const [at, limited] of [
      [11.1, 5],
      [11.5, 9],
      [12.2, 9],
      [12.4, 9],
      [12.6, 9],
    ] as const) {
      channel.loss[LOST.LIMIT] = limited;
      relay.time = EPOCH + at;
      relay.pipeline.tick();
    }
    expect(relay.events('notice').map((e) => e.data)).toEqual([
      'Truncated metrics. Your rate exceeded 10000 metrics per second',
      'Truncated metrics. Your rate exceeded 10000 metrics per second',
    ]);
  });
});

describe('a process that ended before it was read', () => {
  it('has its notice too', () => {
    const relay = testRelay('event: {format: {maxeventpersec: 5}}');
    const channel = relay.folder.add(memoryChannel(1));
    channel.loss[LOST.LIMIT] = 100;
    relay.folder.end(channel);
    relay.run();
    expect(relay.events('notice')[0]!.data).toBe(
      'Truncated metrics. Your rate exceeded 5 metrics per second',
    );
  });
});

describe('settings of a process', () => {
  it('come from the custom entries that match it', () => {
    const relay = testRelay(`
tags: {team: a}
custom:
  mine: {filter: {procname: curl}, config: {event: {watch: [{type: console}]}, tags: {team: b}}}
  other: {filter: {procname: wget}, config: {tags: {team: c}}}
`);
    const channel = relay.folder.add(memoryChannel(1));
    relay.folder.put(channel, makeOpen('/etc/hosts', {fd: 3, object: 9}));
    relay.run();
    expect(relay.events()).toEqual([]);
    expect(relay.metrics('proc.start')[0]!.process.tags).toEqual({team: 'b'});
    expect(channel.controls).toEqual([{want: expect.any(Number), maxPerSec: 10000}, {sampleMs: 10_000}]);
  });

  it('follow the SCOPE_* variables of the process', () => {
    const relay = testRelay();
    const channel = memoryChannel(1);
    relay.folder.add({...channel, info: {...channel.info, env: {SCOPE_TAG_user: 'ann'}}});
    relay.run();
    expect(relay.metrics('proc.start')[0]!.process.tags).toEqual({user: 'ann'});
  });
});

describe('a forked child', () => {
  it('knows what its parent has open', () => {
    const relay = testRelay();
    const parent = relay.folder.add(memoryChannel(1));
    relay.folder.put(parent, makeOpen('/var/log/app.log', {fd: 5, object: 42}));
    relay.run();
    const made = memoryChannel(2);
    const child = relay.folder.add({...made, header: {...made.header, parentStartTsc: 1000}});
    relay.folder.put(child, makeText('line\n', {fd: 5, object: 42}));
    relay.run();
    expect(relay.events('/var/log/app.log')[0]).toMatchObject({
      sourcetype: 'file',
      data: {message: 'line\n'},
    });
  });
});

describe('a source that fails', () => {
  it('costs its record only, and is said', () => {
    const relay = testRelay();
    const channel = relay.folder.add(memoryChannel(1));
    Object.assign(channel, {
      seconds: () => {
        throw new Error('no time');
      },
    });
    relay.folder.put(channel, makeOpen('/a', {fd: 3, object: 1}), makeOpen('/b', {fd: 3, object: 2}));
    relay.run();
    expect(relay.pipeline.stats.lost).toEqual({error: 2});
    expect([...relay.pipeline.notes][0]).toMatch(/^curl: Error: no time/);
  });
});
