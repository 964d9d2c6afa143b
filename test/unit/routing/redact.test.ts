// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {redactSecrets, redactStep} from '../../../src/routing/redact.js';
import {isSecretField, maskSecrets} from '../../../src/routing/secrets.js';
import {event, metric, process} from './records.js';

const mask = (text: string): string => maskSecrets(text, '***');

describe('maskSecrets', () => {
  it.each([
    ['mysql --password=hunter2 -h db', 'mysql --password=*** -h db'],
    ['mysql --password hunter2 -h db', 'mysql --password *** -h db'],
    ['tool --client-secret "a b" --x', 'tool --client-secret *** b" --x'],
    ['DB_PASSWORD=hunter2 run', 'DB_PASSWORD=*** run'],
    ['{"password":"hun ter2","user":"me"}', '{"password":***,"user":"me"}'],
    ["{'api_key': 'k'}", "{'api_key': ***}"],
    ['GET /x?user=me&token=abc123&y=1 HTTP/1.1', 'GET /x?user=me&token=***&y=1 HTTP/1.1'],
    ['https://h/?X-Amz-Signature=deadbeef&z=1', 'https://h/?X-Amz-Signature=***&z=1'],
    ['Authorization: Bearer abc.def', 'Authorization: ***'],
    ['curl -H Authorization: Basic dXNlcjpw', 'curl -H Authorization: ***'],
    ['Cookie: a=b; session=c\r\nHost: x', 'Cookie: ***\r\nHost: x'],
    ['Set-Cookie: sid=1', 'Set-Cookie: ***'],
    ['x-api-key: 12345678', 'x-api-key: ***'],
    ['sent bearer eyJhbGciOi.xx', 'sent bearer ***'],
    ['postgres://me:hunter2@db/x', 'postgres://me:***@db/x'],
    ['key AKIAIOSFODNN7EXAMPLE found', 'key *** found'],
    [`ghp_${'a'.repeat(36)}`, '***'],
    [`eyJ${'a'.repeat(10)}.${'b'.repeat(10)}.${'c'.repeat(10)}`, '***'],
    [
      '-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----',
      '***-----END RSA PRIVATE KEY-----',
    ],
  ])('%s', (text, expected) => {
    expect(mask(text)).toBe(expected);
  });

  it.each([
    'hello world',
    'password reset done',
    'GET http://host:80/path',
    'the key to success',
    'basic understanding',
    'tokens left',
    'secretary: Bob',
    '',
    'https://h/a@b',
  ])('leaves %s', (text) => {
    expect(mask(text)).toBe(text);
  });

  it('is quick on hostile texts', () => {
    for (const part of ['password', 'password=', '--a-', '-', 'eyJ', '://', 'token ', 'x-', '"', 'cookie:']) {
      const text = part.repeat(Math.ceil(65_536 / part.length));
      const began = performance.now();
      mask(`token ${text}`);
      expect(performance.now() - began).toBeLessThan(5000);
    }
  });

  it('knows fields that are secrets by name', () => {
    expect(
      [
        'authorization',
        'http.request.header.authorization',
        'Cookie',
        'x-api-key',
        'db_password',
        'token',
      ].filter((name) => !isSecretField(name)),
    ).toEqual([]);
    expect(['message', 'file', 'author', 'http.target', 'tokens', 'key'].filter(isSecretField)).toEqual([]);
  });
});

describe('redactSecrets', () => {
  const step = redactSecrets();

  it('gives back the very record when there is nothing to hide', () => {
    const record = event('console', 'stdout', {message: 'hi'});
    expect(step(record)).toBe(record);
  });

  it('masks texts and fields in a copy', () => {
    const record = event('http', 'http.req', {
      http_target: '/?token=x1234567',
      authorization: 'Basic x',
      cookie: ['a', 'b'],
      n: 5,
      ok: 'yes',
    });
    expect(step(record)).toMatchObject({
      data: {http_target: '/?token=***', authorization: '***', cookie: '***', n: 5, ok: 'yes'},
    });
    expect((record.data as Record<string, unknown>).authorization).toBe('Basic x');
    expect(step(event('file', '/x', 'password=hunter2'))).toMatchObject({data: 'password=***'});
  });

  it('masks the command line wherever the process shows it, one copy for each process', () => {
    const one = process({
      cmd: 'app --token hunter2 --user me',
      args: ['app', '--token', 'hunter2', '--user', 'me'],
      proc: 'app',
    });
    const first = step(metric('a', 1, {process: one}))!;
    expect(first.process).toMatchObject({
      cmd: 'app --token *** --user me',
      args: ['app', '--token', '***', '--user', 'me'],
      id: 'h1-app-app --token *** --user me',
      pid: 100,
    });
    expect(JSON.stringify(first)).not.toContain('hunter2');
    expect(step(metric('b', 1, {process: one}))!.process).toBe(first.process);
    one.endTime = 9;
    expect(step(metric('c', 1, {process: one}))!.process).toBe(first.process);
    expect(first.process).toMatchObject({endTime: 9, cmd: 'app --token *** --user me'});
  });
});

describe('redact transform', () => {
  it('replaces a pattern of the user, in some fields', () => {
    const step = redactStep({pattern: '(?i)card=(\\d{2})\\d+', with: 'card=$1…', fields: ['message']});
    expect(
      step(event('console', 'stdout', {message: 'CARD=1234 card=99', other: 'card=1234'})),
    ).toMatchObject({data: {message: 'card=12… card=99', other: 'card=1234'}});
  });

  it('uses the built-in list without a pattern', () => {
    expect(redactStep({with: 'X'})(event('console', 'stdout', {message: 'token=abcdef'}))).toMatchObject({
      data: {message: 'token=X'},
    });
  });
});

describe('events that make themselves on demand', () => {
  const own = process({cmd: 'cat /tmp/a'});
  class Lazy {
    readonly kind = 'event';
    readonly sourcetype = 'fs';
    readonly source = 'fs.open';
    readonly time = 1;
    made = 0;
    constructor(
      readonly path: string,
      readonly process = own,
    ) {}
    get channel() {
      return '7';
    }
    get data() {
      this.made += 1;
      return {file: this.path, op: 'open'};
    }
    writeLine() {}
  }

  it('stay as they are, unmade, when there is nothing to hide', () => {
    const record = new Lazy('/etc/passwd');
    expect(redactSecrets()(record)).toBe(record);
    expect(record.made).toBe(0);
  });

  it('become plain data when there is', () => {
    const masked = redactSecrets()(new Lazy('/tmp/x?token=hunter2'))!;
    expect(masked).toEqual({
      kind: 'event',
      sourcetype: 'fs',
      source: 'fs.open',
      time: 1,
      channel: '7',
      data: {file: '/tmp/x?token=***', op: 'open'},
      process: own,
    });
    const secret = redactSecrets()(new Lazy('/tmp/x', process({cmd: 'a --token hunter2'})))!;
    expect(secret).toMatchObject({channel: '7', data: {op: 'open'}, process: {cmd: 'a --token ***'}});
    expect('writeLine' in secret).toBe(false);
  });
});
