// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {FD_FLAG, PROTOCOL, REC} from '../../../src/channel/index.js';
import {
  closeStruct,
  connStruct,
  EPOCH,
  makeClose,
  makeOpen,
  makeRecord,
  makeText,
  memoryChannel,
  OPENAT,
} from '../../helpers/channel-records.js';
import {testRelay} from '../../helpers/relay.js';

/** A relay with one living process and some records of it. */
function relayOf(records: Buffer[], yaml = '') {
  const relay = testRelay(yaml);
  const channel = relay.folder.add(memoryChannel(1));
  relay.folder.put(channel, ...records);
  relay.run();
  return relay;
}

describe('files', () => {
  it('open and close with all that is known of them', () => {
    const relay = relayOf([
      makeOpen('/etc/hosts', {fd: 3, object: 9, mode: 0o100644}),
      makeClose({rx_bytes: 410, rx_ops: 2, ticks: 5000}, {fd: 3, object: 9, tsc: 1_000_000_000}),
    ]);
    const [open, close] = relay.events();
    const common = {
      proc: 'curl',
      pid: 30701,
      host: 'vm',
      file: '/etc/hosts',
      proc_uid: 0,
      proc_gid: 0,
      proc_cgroup: '0::/',
      file_perms: 644,
      file_owner: 0,
      file_group: 0,
    };
    expect(open).toMatchObject({sourcetype: 'fs', source: 'fs.open', time: EPOCH});
    expect(Object.entries(open!.data)).toEqual(Object.entries({...common, op: 'openat'}));
    expect(Object.entries(close!.data)).toEqual(
      Object.entries({
        ...common,
        file_read_bytes: 410,
        file_read_ops: 2,
        file_write_bytes: 0,
        file_write_ops: 0,
        duration: 2.5,
        op: 'close',
      }),
    );
    expect(close!.channel).toBe(open!.channel);
  });

  it('of which nothing is known but a standard stream, or not even a name, give nothing', () => {
    const payload = Buffer.concat([closeStruct({}), Buffer.from('/dev/null')]);
    const relay = relayOf([
      makeRecord({type: REC.CLOSE, nr: 3, fd: 0, object: 9, payload}),
      makeClose({}, {fd: 7, object: 77}),
    ]);
    expect(relay.events()).toEqual([]);
  });

  it('that a program opened as its standard output are files', () => {
    const relay = relayOf([makeOpen('/tmp/x', {fd: 1, object: 9}), makeClose({}, {fd: 1, object: 9})]);
    expect(relay.events('fs.open')[0]!.data).toMatchObject({file: '/tmp/x'});
    expect(relay.events('fs.close')[0]!.data).toMatchObject({file: '/tmp/x'});
  });

  it('opened before the records began are named by their close', () => {
    const payload = Buffer.concat([closeStruct({}), Buffer.from('/var/db')]);
    const relay = relayOf([makeRecord({type: REC.CLOSE, nr: 3, fd: 8, object: 5, payload})]);
    expect(relay.events('fs.close')[0]!.data).toMatchObject({file: '/var/db', op: 'close'});
  });

  it('deleted give their path as it was passed', () => {
    const relay = relayOf([makeRecord({type: REC.DELETE, nr: 87, payload: Buffer.from('a/b')})]);
    expect(relay.events('fs.delete')[0]!.data).toEqual({
      proc: 'curl',
      pid: 30701,
      host: 'vm',
      op: 'unlink',
      file: 'a/b',
      unit: 'operation',
    });
  });

  it('are filtered by name, field and value', () => {
    const records = [
      makeOpen('/etc/hosts', {fd: 3, object: 9}),
      makeOpen('/etc/passwd', {fd: 4, object: 10}),
    ];
    const yaml = (entry: string) => `event: {watch: [{type: fs, ${entry}}]}`;
    expect(relayOf(records, yaml('name: close')).events()).toEqual([]);
    expect(relayOf(records, yaml('field: ^file$')).events()[0]!.data).toEqual({file: '/etc/hosts'});
    const passed = relayOf(records, yaml('value: passwd')).events();
    expect(passed.map((event) => (event.data as {file: string}).file)).toEqual(['/etc/passwd']);
  });

  it('come one by one as metrics when the verbosity says so', () => {
    const records = [makeOpen('/etc/hosts', {fd: 3, object: 9}), makeClose({}, {fd: 3, object: 9})];
    const relay = relayOf(records, 'metric: {format: {verbosity: 6}}');
    expect(relay.metrics('fs.open')[0]).toMatchObject({
      value: 1,
      summary: false,
      attributes: {fd: 3, op: 'openat', file: '/etc/hosts'},
    });
    expect(relay.metrics('fs.close')).toHaveLength(1);
  });
});

describe('connections', () => {
  const conn = (flags = 0) => connStruct({flags});
  const opened = makeRecord({type: REC.CONN_OPEN, fd: 5, object: 3, payload: conn()});
  const closed = (values: Record<string, number>, flags = 0) =>
    makeRecord({
      type: REC.CONN_CLOSE,
      fd: 5,
      object: 3,
      payload: Buffer.concat([conn(flags), closeStruct(values)]),
    });
  const addresses = {
    net_transport: 'IP.TCP',
    net_peer_ip: '127.0.0.1',
    net_peer_port: 18080,
    net_host_ip: '127.0.0.1',
    net_host_port: 36706,
  };

  it('open and close with addresses, bytes, life and who ended them', () => {
    const relay = relayOf([
      opened,
      closed({tx_bytes: 85, rx_bytes: 1264, life_ticks: 6_250_000}, FD_FLAG.REMOTE_END),
    ]);
    expect(Object.entries(relay.events('net.open')[0]!.data)).toEqual(Object.entries(addresses));
    expect(relay.events('net.close')[0]!.data).toEqual({
      ...addresses,
      duration: 6.25,
      net_bytes_sent: 85,
      net_bytes_recv: 1264,
      net_close_reason: 'remote',
    });
  });

  it.each([
    [PROTOCOL.HTTP2, 18080, 'http'],
    [PROTOCOL.TLS, 443, 'tls'],
    [PROTOCOL.DNS, 53, 'dns'],
    [PROTOCOL.NONE, 443, 'http'],
    [PROTOCOL.NONE, 18080, undefined],
  ])('found to speak %d on port %d end as %s', (app, remotePort, protocol) => {
    const payload = Buffer.concat([connStruct({app, remotePort}), closeStruct({rx_bytes: 1})]);
    const relay = relayOf([makeRecord({type: REC.CONN_CLOSE, fd: 5, object: 3, payload})]);
    expect((relay.events('net.close')[0]!.data as Record<string, unknown>).net_protocol).toBe(protocol);
  });

  it('on which nothing moved end without an event', () => {
    expect(relayOf([opened, closed({})]).events('net.close')).toEqual([]);
  });

  it('of UNIX sockets show inodes, of IPv6 the short form', () => {
    const unix = connStruct({family: 1, local: [7, 0, 0, 0, 0, 0, 0, 0], remote: [9, 0, 0, 0, 0, 0, 0, 0]});
    const six = connStruct({
      family: 10,
      local: [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
      remotePort: 80,
    });
    const relay = relayOf([
      makeRecord({type: REC.CONN_OPEN, fd: 5, object: 3, payload: unix}),
      makeRecord({type: REC.CONN_OPEN, fd: 6, object: 4, payload: six}),
    ]);
    expect(relay.events()[0]!.data).toEqual({
      net_transport: 'Unix.TCP',
      unix_peer_inode: 9,
      unix_local_inode: 7,
    });
    expect(relay.events()[1]!.data).toMatchObject({net_host_ip: '2001:db8::1', net_protocol: 'http'});
  });

  it('of sockets of both families show IPv4 as IPv4', () => {
    const mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3];
    const other = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 10, 1, 2, 3];
    const payload = connStruct({family: 10, local: mapped, remote: other});
    const relay = relayOf([makeRecord({type: REC.CONN_OPEN, fd: 6, object: 4, payload})]);
    expect(relay.events()[0]!.data).toMatchObject({
      net_host_ip: '10.1.2.3',
      net_peer_ip: '::1:ffff:a01:203',
    });
  });

  it('count one by one at verbosity 7', () => {
    const relay = relayOf([opened, closed({rx_bytes: 1})], 'metric: {format: {verbosity: 7}}');
    expect(relay.metrics('net.tcp').map((m) => m.value)).toEqual([1, 0]);
    expect(relay.metrics('net.open')[0]!.attributes).toEqual({fd: 5, proto: 'TCP', port: 36706});
  });
});

describe('console text', () => {
  const messages = (records: Buffer[], yaml = '') =>
    relayOf(records, yaml)
      .events()
      .map((event) => [event.source, (event.data as {message: string}).message]);

  it('of several writes becomes one event per stream', () => {
    expect(
      messages([
        makeText('a\n', {fd: 1, object: 1}),
        makeText('!\n', {fd: 2, object: 2}),
        makeText('b\n', {fd: 1, object: 1}),
      ]),
    ).toEqual([
      ['stdout', 'a\nb\n'],
      ['stderr', '!\n'],
    ]);
  });

  it('is cut where another file takes the number, and never inside a character', () => {
    expect(messages([makeText('a', {fd: 1, object: 1}), makeText('b', {fd: 1, object: 2})])).toEqual([
      ['stdout', 'a'],
      ['stdout', 'b'],
    ]);
    const half = Buffer.concat([Buffer.from('x'.repeat(32768)), Buffer.from('é').subarray(0, 1)]);
    const found = messages([
      makeText(half.subarray(0, 16384), {fd: 1, object: 1}),
      makeText(half.subarray(16384), {fd: 1, object: 1}),
      makeText(Buffer.from('é').subarray(1), {fd: 1, object: 1}),
    ]);
    expect(found.map(([, text]) => text)).toEqual(['x'.repeat(32768), 'é']);
  });

  it('that is binary is replaced once per run when allowbinary is false', () => {
    const yaml = 'event: {watch: [{type: console, allowbinary: false}]}';
    const records = [
      makeText('text é\n', {fd: 1, object: 1}),
      makeText(Buffer.from([1, 2, 3]), {fd: 1, object: 1}),
      makeText(Buffer.from([0xff, 0xfe]), {fd: 1, object: 1}),
      makeText('\u001b[1mbold\n', {fd: 1, object: 1}),
    ];
    expect(
      messages(records, yaml)
        .map(([, text]) => text)
        .join('|'),
    ).toBe('text é\n|-- binary data ignored --\u001b[1mbold\n');
    expect(messages(records)).toHaveLength(1);
  });

  it('is filtered by the text itself', () => {
    const yaml = 'event: {watch: [{type: console, value: "^foo"}]}';
    expect(messages([makeText('foo "bar"\n', {fd: 1, object: 1})], yaml)).toHaveLength(1);
    expect(messages([makeText('no foo\n', {fd: 1, object: 1})], yaml)).toEqual([]);
  });
});

describe('file text', () => {
  it('is an event when the path is watched', () => {
    const relay = relayOf([
      makeOpen('/srv/app.log', {fd: 4, object: 8}),
      makeOpen('/srv/data', {fd: 5, object: 9}),
      makeText('one\n', {fd: 4, object: 8}),
      makeText('two\n', {fd: 5, object: 9}),
    ]);
    const events = relay.events().filter((event) => event.sourcetype === 'file');
    expect(events.map((event) => [event.source, event.data])).toEqual([['/srv/app.log', {message: 'one\n'}]]);
  });
});

describe('single calls', () => {
  const call = (nr: number, fields: object) => makeRecord({type: REC.CALL, nr, ...fields});

  it('are errors with operation, file and class at verbosity 5', () => {
    const relay = relayOf(
      [
        call(OPENAT, {ret: -2, payload: Buffer.from('/nowhere')}),
        call(262, {ret: -2, payload: Buffer.from('/gone')}),
        call(42, {ret: -111, fd: 4, object: 1}),
        call(1, {ret: -14, fd: 3, object: 2}),
        call(55, {ret: -111, fd: 4, object: 1}),
      ],
      'metric: {format: {verbosity: 5}}',
    );
    expect(
      relay
        .metrics()
        .filter((m) => m.name.endsWith('.error'))
        .map((m) => [m.name, m.attributes]),
    ).toEqual([
      ['fs.error', {op: 'openat', file: '/nowhere', class: 'open_close'}],
      ['fs.error', {op: 'newfstatat', file: '/gone', class: 'stat'}],
      ['net.error', {op: 'connect', class: 'connection'}],
      ['fs.error', {op: 'write', file: 'EFAULT', class: 'read_write'}],
      ['net.error', {op: 'connect', class: 'connection'}],
    ]);
  });

  it('are reads and sends at verbosity 9', () => {
    const relay = relayOf(
      [
        makeOpen('/etc/hosts', {fd: 3, object: 9}),
        makeRecord({type: REC.CONN_OPEN, fd: 5, object: 3, payload: connStruct({})}),
        call(0, {ret: 511, fd: 3, object: 9, ticks: 1500}),
        call(44, {ret: 85, fd: 5, object: 3}),
      ],
      'metric: {format: {verbosity: 9}}',
    );
    expect(relay.metrics('fs.read')[0]).toMatchObject({
      value: 511,
      attributes: {fd: 3, op: 'read', file: '/etc/hosts', numops: 1},
    });
    expect(relay.metrics('fs.duration')[0]!.value).toBe(1.5);
    expect(relay.metrics('net.tx')[0]).toMatchObject({
      value: 85,
      attributes: {fd: 5, domain: 'AF_INET', proto: 'TCP', localp: 36706, data: 'clear', numops: 1},
    });
  });

  it('are events too when metrics are watched', () => {
    const relay = relayOf([makeOpen('/etc/hosts', {fd: 3, object: 9})], 'event: {watch: [{type: metric}]}');
    expect(relay.events('fs.open')[0]).toMatchObject({
      sourcetype: 'metric',
      data: {_metric: 'fs.open', _metric_type: 'counter', _value: 1, proc: 'curl', fd: 3, unit: 'operation'},
    });
    expect(relay.metrics('fs.open')).toEqual([]);
  });
});
