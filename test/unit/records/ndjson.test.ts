// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {ByteWriter} from '../../../src/records/byte-writer.js';
import {encodeLine, lineOf, writePayloadHeader} from '../../../src/records/ndjson.js';
import type {Event, Metric, Process} from '../../../src/records/types.js';

const process: Process = {
  key: 1,
  pid: 30701,
  ppid: 30622,
  proc: 'curl',
  cmd: '/usr/bin/curl -s http://localhost:18080/1k.txt',
  args: ['/usr/bin/curl', '-s', 'http://localhost:18080/1k.txt'],
  exe: '/usr/bin/curl',
  cwd: '/',
  host: 'vm',
  uid: 0,
  gid: 0,
  username: 'root',
  groupname: 'root',
  cgroup: '0::/',
  containerId: '',
  machineId: '3d1219c7c4c5404aaa1f6d2a48adfda4',
  uuid: '60225512-407d-4d64-a35c-84345ad51531',
  id: 'vm-curl--s http://localhost:18080/1k.txt',
  libc: 'glibc 2.36',
  runtime: '',
  startTime: 1795375578.73334,
  tags: {},
  env: {},
};

function event(change: Partial<Event>): Event {
  return {
    kind: 'event',
    sourcetype: 'net',
    source: 'net.app',
    time: 1795375578.743269,
    channel: '1378255269763',
    data: {proc: 'curl', pid: 30701, fd: 5, host: 'vm', protocol: 'HTTP'},
    process,
    ...change,
  };
}

function metric(change: Partial<Metric>): Metric {
  return {
    kind: 'metric',
    name: 'net.rx',
    type: 'counter',
    unit: 'byte',
    value: 1264,
    attributes: {class: 'inet_tcp'},
    summary: true,
    time: 1795375578.743572,
    process,
    ...change,
  };
}

describe('the line of an event', () => {
  it('is what AppScope 1.x wrote', () => {
    expect(lineOf(event({}))).toBe(
      '{"type":"evt","id":"vm-curl--s http://localhost:18080/1k.txt","_channel":"1378255269763","body":{"sourcetype":"net","_time":1795375578.743269,"source":"net.app","host":"vm","proc":"curl","cmd":"/usr/bin/curl -s http://localhost:18080/1k.txt","pid":30701,"data":{"proc":"curl","pid":30701,"fd":5,"host":"vm","protocol":"HTTP"}}}\n',
    );
  });

  it('carries custom tags between pid and data', () => {
    const line = lineOf(event({process: {...process, tags: {user: 'ü', team: 'a"b'}}}));
    expect(line).toContain('"pid":30701,"user":"ü","team":"a\\"b","data":{');
  });

  it('escapes only what JSON needs', () => {
    const message = 'a"\\\b\f\n\r\t\u0001\u001f\u007f/é€😀\ud800x';
    const line = lineOf(event({sourcetype: 'console', source: 'stdout', data: {message}}));
    expect(line).toContain('"a\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\u007f/é€😀\ufffdx"');
    expect(JSON.parse(line).body.data.message).toBe(message.replace('\ud800', '\ufffd'));
  });

  it('writes every number as JSON.stringify does', () => {
    const values = [0, -1, 7, 10, 999, 1e9, 999999999, 1e9 + 1, 2 ** 53 - 1, -(2 ** 40), 0.5, 1e-7, 1.5e300];
    for (const n of values) expect(lineOf(event({data: {n}}))).toContain(`"data":{"n":${JSON.stringify(n)}}`);
    expect(lineOf(event({data: {n: Number.NaN}}))).toContain('"data":{"n":null}');
  });

  it('writes times with at most six digits of a fraction', () => {
    for (const [time, text] of [
      [1795375578, '1795375578'],
      [1795375578.5, '1795375578.5'],
      [1795375578.000001, '1795375578.000001'],
      [1795375578.9999998, '1795375579'],
    ] as const)
      expect(lineOf(event({time}))).toContain(`"_time":${text},`);
  });

  it('takes a notice, lists and nested values', () => {
    expect(lineOf(event({data: 'text'}))).toContain('"data":"text"}}\n');
    const data = {addrs: ['127.0.0.1', '::1'], no: undefined, yes: true, in: {a: null}};
    expect(lineOf(event({data}))).toContain(
      '"data":{"addrs":["127.0.0.1","::1"],"yes":true,"in":{"a":null}}}}',
    );
  });
});

describe('the line of a metric', () => {
  it('is what AppScope 1.x wrote', () => {
    expect(lineOf(metric({}))).toBe(
      '{"type":"metric","body":{"_metric":"net.rx","_metric_type":"counter","_value":1264,"proc":"curl","pid":30701,"host":"vm","unit":"byte","class":"inet_tcp","summary":"true","_time":1795375578.743572}}\n',
    );
    const error = metric({name: 'fs.error', unit: 'operation', value: 3, attributes: {class: 'open_close'}});
    expect(lineOf(error)).toContain(
      '"host":"vm","class":"open_close","unit":"operation","summary":"true","_time"',
    );
    const single = metric({
      name: 'fs.read',
      value: 511,
      summary: false,
      attributes: {op: 'read', numops: 1, file: '/etc/hosts', fd: 3},
    });
    expect(lineOf(single)).toContain(
      '"pid":30701,"fd":3,"host":"vm","op":"read","file":"/etc/hosts","numops":1,"unit":"byte","_time"',
    );
    const http = metric({
      name: 'http.duration.server',
      type: 'timer',
      unit: 'millisecond',
      value: 0.25,
      attributes: {http_target: '/1k.txt', numops: 2},
    });
    expect(lineOf(http)).toContain(
      '"_value":0.25,"http_target":"/1k.txt","numops":2,"proc":"curl","pid":30701,"host":"vm","unit":"millisecond","summary":"true"',
    );
  });

  it('puts captured dimensions first, then custom tags, each name once', () => {
    const captured = metric({
      name: 'my.own',
      unit: '',
      value: 1.5,
      summary: false,
      attributes: {color: 'red', team: 'captured'},
      process: {...process, tags: {team: 'tag', host: 'tagged'}},
    });
    expect(lineOf(captured)).toContain(
      '"_value":1.5,"color":"red","team":"captured","host":"tagged","proc":"curl","pid":30701,"_time"',
    );
  });
});

describe('other lines', () => {
  it('writes the start message in the order of AppScope 1.x', () => {
    const line = lineOf({kind: 'start', time: 0, process, configuration: {current: {}}});
    expect(line).toMatch(
      /^\{"format":"ndjson","info":\{"process":\{"libscopever":"v[\d.]+","pid":30701,"ppid":30622,"gid":0,"groupname":"root","uid":0,"username":"root","hostname":"vm","procname":"curl","cmd":"\/usr\/bin\/curl -s http:\/\/localhost:18080\/1k.txt","id":"vm-curl--s http:\/\/localhost:18080\/1k.txt","cgroup":"0::\/","machine_id":"3d1219c7c4c5404aaa1f6d2a48adfda4","uuid":"60225512-407d-4d64-a35c-84345ad51531"\},"configuration":\{"current":\{\}\},"environment":\{\}\}\}\n$/,
    );
  });

  it('writes the pid of the host and the container into the start message where there are such', () => {
    const inside = {...process, pid: 1, hostPid: 30701, containerId: 'abc'};
    const {info} = JSON.parse(lineOf({kind: 'start', time: 0, process: inside, configuration: {}}));
    expect(info.process).toMatchObject({pid: 1, hostpid: 30701, container_id: 'abc'});
  });

  it('writes the header of a payload', () => {
    const out = new ByteWriter(16);
    writePayloadHeader(out, {
      kind: 'payload',
      time: 1795375578.74321,
      channel: '17',
      fd: 5,
      source: 'nettx',
      localIp: '127.0.0.1',
      localPort: 1,
      remoteIp: '127.0.0.2',
      remotePort: 2,
      protocol: 'HTTP',
      bytes: new Uint8Array(3),
      process,
    });
    expect(out.view().toString()).toBe(
      '{"type":"payload","id":"vm-curl--s http://localhost:18080/1k.txt","pid":30701,"ppid":30622,"fd":5,"src":"nettx","_channel":17,"len":3,"localip":"127.0.0.1","localp":1,"remoteip":"127.0.0.2","remotep":2,"protocol":"HTTP","_time":1795375578.743}\n',
    );
  });

  it('encodes in place and says when a line does not fit', () => {
    const line = lineOf(event({}));
    const out = Buffer.alloc(line.length + 10);
    expect(encodeLine(event({}), out, 10)).toBe(line.length + 10);
    expect(out.subarray(10).toString()).toBe(line);
    expect(encodeLine(event({}), Buffer.alloc(50), 10)).toBe(-1);
  });
});

describe('the start message', () => {
  const breaker = (env: Record<string, string>) =>
    JSON.parse(lineOf({kind: 'start', time: 1, process: {...process, env}, configuration: {}})).breaker;

  it('names a breaker when the program asks for it', () => {
    expect(breaker({SCOPE_CRIBL_NO_BREAKER: 'true'})).toBe('Cribl - Do Not Break Ruleset');
    expect(breaker({SCOPE_CRIBL_NO_BREAKER: 'false'})).toBeUndefined();
    expect(breaker({})).toBeUndefined();
  });
});
