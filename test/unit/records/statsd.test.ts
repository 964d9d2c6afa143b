// SPDX-License-Identifier: Apache-2.0
// StatsD lines against those of AppScope 1.x and against its rules for tags.
import {expect, test} from 'vitest';
import {statsdLine} from '../../../src/records/statsd.js';
import {makeMetric, makeProcess} from '../../helpers/records.js';

const options = {prefix: '', dialect: 'dogstatsd', maxLength: 512, verbosity: 4} as const;
const curl = makeProcess({proc: 'curl', pid: 30704});

test('writes the lines of AppScope 1.x', () => {
  const line = (change: Parameters<typeof makeMetric>[0]) =>
    statsdLine(makeMetric({process: curl, ...change}), options);
  expect(line({name: 'fs.open', value: 2})).toBe(
    'fs.open:2|c|#proc:curl,pid:30704,host:vm,unit:operation,summary:true\n',
  );
  expect(line({name: 'net.rx', value: 1264, unit: 'byte', attributes: {class: 'inet_tcp'}})).toBe(
    'net.rx:1264|c|#proc:curl,pid:30704,host:vm,unit:byte,class:inet_tcp,summary:true\n',
  );
  expect(line({name: 'proc.cpu_perc', type: 'gauge', unit: 'percent', value: 10.1031, summary: false})).toBe(
    'proc.cpu_perc:10.10|g|#proc:curl,pid:30704,host:vm,unit:percent\n',
  );
  const start = {gid: 0, groupname: 'root', uid: 0, username: 'root', args: '/usr/bin/curl -s x,y'};
  expect(line({name: 'proc.start', unit: 'process', value: 1, summary: false, attributes: start})).toBe(
    'proc.start:1|c|#proc:curl,pid:30704,gid:0,groupname:root,uid:0,username:root,host:vm,unit:process\n',
  );
  expect(
    statsdLine(
      makeMetric({
        process: curl,
        name: 'proc.start',
        unit: 'process',
        value: 1,
        summary: false,
        attributes: start,
      }),
      {...options, verbosity: 9},
    ),
  ).toContain('args:%2Fusr%2Fbin%2Fcurl%20-s%20x%2Cy');
});

test('verbosity hides tags, except custom ones and dimensions of the application', () => {
  const process = makeProcess({tags: {file: 'team-a'}});
  const metric = makeMetric({process, attributes: {op: 'open', fd: 3}, summary: false});
  expect(statsdLine(metric, {...options, verbosity: 0})).toBe('fs.open:2|c|#file:team-a\n');
  const own = makeMetric({
    name: 'my.count',
    type: 'counter',
    value: 1.5,
    attributes: {file: 'x', fd: 'y'},
    summary: false,
  });
  expect(statsdLine(own, {...options, verbosity: 0})).toBe('my.count:1.50|c|#file:x,fd:y\n');
});

test('leaves out tags that do not fit and lines that cannot', () => {
  const process = makeProcess({tags: {long: 'x'.repeat(400), short: 'y'}});
  const metric = makeMetric({process});
  const line = statsdLine(metric, {...options, maxLength: 120})!;
  expect(line).toBe('fs.open:2|c|#short:y,proc:echo,pid:4242,host:vm,unit:operation,summary:true\n');
  expect(statsdLine(metric, {...options, maxLength: 11})).toBeUndefined();
  expect(statsdLine(makeMetric({name: 'n'.repeat(600)}), options)).toBeUndefined();
});

test('what would break a line is replaced, what is no number is not sent', () => {
  const process = makeProcess({tags: {a: 'x|y,z\n', 'b:c|': 'é'}});
  const metric = makeMetric({name: 'a b:c|d', process, summary: false, type: 'gauge', value: -3});
  expect(statsdLine(metric, {...options, verbosity: 0})).toBe('a_b_c_d:-3|g|#a:x_y_z_,b_c_:é\n');
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(statsdLine(makeMetric({value}), options)).toBeUndefined();
  }
  expect(statsdLine(makeMetric({value: 1e21, summary: false}), {...options, verbosity: 0})).toBe(
    'fs.open:1000000000000000000000|c\n',
  );
});

test('the plain form puts tags into the name', () => {
  const metric = makeMetric({type: 'histogram', process: makeProcess({tags: {team: 'a.b'}}), summary: false});
  expect(statsdLine(metric, {...options, prefix: 'app.', dialect: 'plain', verbosity: 1})).toBe(
    'app.fs.open.team.a_b.unit.operation:2|ms\n',
  );
});
