// SPDX-License-Identifier: Apache-2.0
/** Paths as labels of metrics. */
import {describe, expect, it} from 'vitest';
import {OTHER_TARGET, TargetLabels, templatePath} from '../../../src/protocol/path-template.js';

describe('templatePath', () => {
  it.each([
    ['/1k.txt', '/1k.txt'],
    ['/', '/'],
    ['/a/b?c=d#e', '/a/b'],
    ['/users/17/posts/3', '/users/{n}/posts/{n}'],
    ['/o/3f2b8c1e-77aa-4bcd-9e01-aabbccddeeff', '/o/{uuid}'],
    ['/blob/da39a3ee5e6b4b0d3255bfef95601890afd80709', '/blob/{hash}'],
    ['/days/2024-05-01', '/days/{date}'],
    ['/t/eyJhbGciOiJIUzI1NiIsInR5cCI6', '/t/{id}'],
    ['/deadbeefcafe', '/deadbeefcafe'],
    ['/api/v1/things', '/api/v1/things'],
    ['http://host:80/x/1', '/x/{n}'],
    ['http://host', '/'],
    ['*', '*'],
    ['host:443', 'host:443'],
    ['/pkg.Service/Method', '/pkg.Service/Method'],
  ])('%s → %s', (target, label) => {
    expect(templatePath(target)).toBe(label);
  });
});

describe('TargetLabels', () => {
  it('has at most so many labels', () => {
    const labels = new TargetLabels(10);
    const seen = new Set<string>();
    for (let i = 0; i < 1000; i++)
      seen.add(labels.label(`/p${String.fromCharCode(97 + (i % 26))}x${'y'.repeat(i)}`));
    expect(seen.size).toBe(11);
    expect(seen).toContain(OTHER_TARGET);
  });

  it('keeps a label once it has one', () => {
    const labels = new TargetLabels(1);
    expect(labels.label('/a/1')).toBe('/a/{n}');
    expect(labels.label('/b')).toBe('*');
    expect(labels.label('/a/2')).toBe('/a/{n}');
  });
});
